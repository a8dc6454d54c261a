"""The application: routes, errors and the stream, behind the guard."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from importlib.metadata import version
from typing import Annotated, Any

from fastapi import FastAPI, Query, Request, Response, WebSocket
from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException

from mismartera.server import models
from mismartera.server.access import Access
from mismartera.server.answers import answer
from mismartera.server.checks import Addresses
from mismartera.server.commands import CommandDesk
from mismartera.server.files import file_routes
from mismartera.server.guard import Application, Guard, fault, request_id
from mismartera.server.limits import Limits
from mismartera.server.metrics import Metrics
from mismartera.server.protocol import WIRE
from mismartera.server.reads import read_routes
from mismartera.server.refusal import Refusal
from mismartera.server.stream import Stream
from mismartera.server.views import SessionView
from mismartera.server.writes import login_routes, write_routes

_ABOUT = """A market-data session: reads, commands, a stream.

Send `Authorization: Bearer TOKEN`. Market data obey the session's gate: while it is deactivated, reads have
null in their place and say why. `GET /api/stream` is a WebSocket; `after=SEQ` resumes it.
"""


def make_app(
    view: SessionView, desk: CommandDesk, access: Access, addresses: Addresses, limits: Limits, cookie_name: str,
    monotonic: Callable[[], float],
) -> Application:  # fmt: skip
    """All of it. One application a server: it belongs to one event loop."""
    metrics = Metrics(view)
    streams: list[Stream] = []

    @asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncIterator[None]:
        stream = Stream(view, metrics, limits, monotonic, access.scrub_bytes)
        streams.append(stream)
        task = asyncio.create_task(stream.run())
        yield
        stream.stop()
        await task

    app = FastAPI(
        title="mismartera", version=version("mismartera"), description=_ABOUT, docs_url=None, redoc_url=None,
        openapi_url=None, lifespan=lifespan, redirect_slashes=False, responses={},
    )  # fmt: skip
    for routes in (
        read_routes(view, metrics), write_routes(desk), login_routes(access, cookie_name),
        file_routes(),
    ):  # fmt: skip
        app.include_router(routes)
    _add_rest(app)
    _add_stream(app, streams)
    _add_errors(app)
    return Guard(app, access, addresses, limits, cookie_name, monotonic)


def _add_rest(app: FastAPI) -> None:
    @app.get("/healthz", response_model=models.Health, tags=["reads"])
    async def get_health() -> Response:
        """A sign of life; needs no token."""
        return answer({"status": "ok"})

    @app.get("/openapi.json", include_in_schema=False)
    async def get_openapi() -> Response:
        return answer(_described(app))


def _described(app: FastAPI) -> dict[str, Any]:
    found = app.openapi()
    found.setdefault("components", {})["securitySchemes"] = {"token": {"type": "http", "scheme": "bearer"}}
    found["security"] = [{"token": []}]
    return found


def _add_stream(app: FastAPI, streams: list[Stream]) -> None:
    @app.websocket("/api/stream")
    async def stream(socket: WebSocket, after: Annotated[int | None, Query(ge=0, le=1 << 53)] = None) -> None:
        if not streams or streams[0].is_full:
            raise Refusal(503, "too_many_clients", "no more clients are taken", headers={"retry-after": "5"})
        await streams[0].serve(socket.scope[WIRE], socket.receive, socket.send, after)


def _add_errors(app: FastAPI) -> None:
    """Every error has one form. None shows a trace, or what was sent."""

    @app.exception_handler(Refusal)
    async def refused(request: Request, error: Exception) -> Response:
        assert isinstance(error, Refusal)
        return answer(error.body(request_id(request.scope)), error.status, error.headers)

    @app.exception_handler(HTTPException)
    async def unknown(request: Request, error: Exception) -> Response:
        assert isinstance(error, HTTPException)
        told = {404: ("no_page", "there is no such page"), 405: ("bad_method", "that is not allowed here")}
        code, message = told.get(error.status_code, ("refused", "refused"))
        headers = dict(error.headers or {})
        return answer(Refusal(0, code, message).body(request_id(request.scope)), error.status_code, headers)

    @app.exception_handler(Exception)
    async def broke(request: Request, error: Exception) -> Response:  # noqa: ARG001  # the guard logs it
        return answer(fault().body(request_id(request.scope)), 500)

    @app.exception_handler(RequestValidationError)
    async def invalid(request: Request, error: Exception) -> Response:
        assert isinstance(error, RequestValidationError)
        fields = [{"path": ".".join(map(str, e["loc"]))[:200], "message": e["msg"][:200]} for e in error.errors()]
        refusal = Refusal(422, "bad_request", "the request is not as it has to be", fields=fields[:20])
        return answer(refusal.body(request_id(request.scope)), 422)
