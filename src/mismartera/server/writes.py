"""The commands of the API. Each may carry an Idempotency-Key: the same key again is the same answer, and no second
effect.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Annotated, Any

from fastapi import APIRouter, Header, Request, Response

from mismartera.server import models
from mismartera.server.access import Access
from mismartera.server.answers import answer, errors
from mismartera.server.checks import cookie
from mismartera.server.commands import KEY_LENGTH_MAX, CommandDesk
from mismartera.server.guard import SIGN_IN, who_asks
from mismartera.server.refusal import Refusal

Key = Annotated[
    str | None,
    Header(alias="Idempotency-Key", min_length=1, max_length=KEY_LENGTH_MAX, pattern=r"^[!-~]+$"),
]


def write_routes(desk: CommandDesk) -> APIRouter:
    """Commands. They run on threads of their own: some wait for the engine."""
    routes = APIRouter(tags=["commands"])

    @routes.post("/api/symbols", status_code=202, response_model=models.Command, responses=errors(409, 413, 415))
    def post_symbols(request: Request, asked: models.AddSymbols, key: Key = None) -> Response:
        """Add symbols. Accepted at once; ``status_url`` tells what became of it."""
        if (asked.symbols is None) == (asked.symbol is None):
            raise Refusal(422, "bad_request", "give either symbols, a list, or one symbol")
        symbols = asked.symbols if asked.symbols is not None else [asked.symbol or ""]
        return _accepted(desk.add(symbols, asked.streams, key, who_asks(request.scope).name))

    @routes.delete(
        "/api/symbols/{symbol:path}",
        status_code=202,
        response_model=models.Command,
        responses=errors(404, 409, 415),
    )
    def delete_symbol(request: Request, symbol: str, key: Key = None) -> Response:
        """Remove a symbol: after the answer nothing of it is delivered or read."""
        return _accepted(desk.remove(symbol, key, who_asks(request.scope).name))

    @routes.get("/api/commands/{number}", response_model=models.Command, responses=errors(404))
    async def get_command(number: str) -> Response:
        """What became of a command."""
        return answer(desk.find(number))

    _session_commands(routes, desk)
    return routes


def _session_commands(routes: APIRouter, desk: CommandDesk) -> None:
    simple: dict[str, tuple[Callable[[str | None, str], dict[str, Any]], str]] = {
        "pause": (desk.pause, "Hold after the present instant; returns when the engine stands."),
        "resume": (desk.resume, "Go on after a pause."),
        "step": (
            desk.step,
            "In a paused backtest: show the next instant, or let the next entry act, and stand there.",
        ),
    }

    def add(name: str, act: Callable[[str | None, str], dict[str, Any]], meaning: str) -> None:
        def post(
            request: Request, body: models.Nothing | None = None, key: Key = None  # noqa: ARG001  # is checked
        ) -> Response:  # fmt: skip
            return answer(act(key, who_asks(request.scope).name))

        routes.add_api_route(
            f"/api/session/{name}", post, methods=["POST"], response_model=models.Command, description=meaning,
            responses=errors(409, 413, 415), name=name,
        )  # fmt: skip

    for name, (act, meaning) in simple.items():
        add(name, act, meaning)

    @routes.post("/api/session/speed", response_model=models.Command, responses=errors(409, 413, 415))
    def post_speed(request: Request, asked: models.Speed, key: Key = None) -> Response:
        """Let a backtest go on at another speed; its clock goes on from where it is."""
        return answer(desk.set_speed(asked.speed, key, who_asks(request.scope).name))


def _accepted(command: dict[str, Any]) -> Response:
    return answer(command, 202, {"location": command["status_url"]})


def login_routes(access: Access, cookie_name: str) -> APIRouter:
    """How a browser signs in: a code for a cookie, and a token for the header of its commands."""
    routes = APIRouter(tags=["login"])

    @routes.post(SIGN_IN, response_model=models.SignedIn, responses=errors(413, 415))
    async def sign_in(asked: models.SignIn) -> Response:
        """Sign a browser in with the code of the printed URL, which is dead after it, or with the token."""
        found = access.sign_in(code=asked.code, token=asked.token)
        if found is None:
            raise Refusal(401, "no_right", "that code or token is not good, or was used before")
        value, who = found
        reply = answer({"csrf": who.csrf, "who": who.name})
        reply.set_cookie(cookie_name, value, httponly=True, samesite="strict", path="/")
        return reply

    @routes.get(SIGN_IN, response_model=models.SignedIn, responses=errors())
    async def get_sign_in(request: Request) -> Response:
        """Who asks; for a page that was loaded again: the token for the header of its commands."""
        who = who_asks(request.scope)
        return answer({"csrf": who.csrf, "who": who.name})

    @routes.delete(SIGN_IN, status_code=204, responses=errors(415))
    async def sign_out(request: Request) -> Response:
        """Forget the browser's cookie."""
        value = cookie(request.scope["headers"], cookie_name)
        if value is not None:
            access.sign_out(value)
        reply = Response(status_code=204)
        reply.delete_cookie(cookie_name, httponly=True, samesite="strict", path="/")
        return reply

    return routes
