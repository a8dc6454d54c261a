"""Guard: the wall before the application. A plain ASGI middleware: whatever it refuses reaches no handler.

In this order: Host and Origin, the method, the right to ask, for writes also the kind of the request and a token
in a header (a cookie alone changes nothing), the rate, the body. A WebSocket is looked at before it is accepted.
"""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any, Final

import msgspec
from loguru import logger

from mismartera.errors import MismarteraError
from mismartera.server import checks
from mismartera.server.access import Access, Who
from mismartera.server.limits import Limits
from mismartera.server.rates import Rates
from mismartera.server.refusal import Refusal

Scope = MutableMapping[str, Any]
Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
Application = Callable[[Scope, Receive, Send], Awaitable[None]]

CSRF_HEADER: Final = b"x-mismartera-csrf"
METHODS = ("GET", "HEAD", "POST", "DELETE")
SIGN_IN = "/api/login"
_HEADER_BYTES_MAX = 16_384
_DRAINED_MAX = 4_000_000
_WHO: Final = "mismartera.who"
_REQUEST_ID: Final = "mismartera.request_id"

_CSP = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self'; "
    "font-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)
_HEADERS = (
    (b"content-security-policy", _CSP.encode()),
    (b"x-content-type-options", b"nosniff"),
    (b"x-frame-options", b"DENY"),
    (b"referrer-policy", b"no-referrer"),
    (b"cross-origin-resource-policy", b"same-origin"),
    (b"cross-origin-opener-policy", b"same-origin"),
    (b"permissions-policy", b"camera=(), microphone=(), geolocation=()"),
    (b"cache-control", b"no-store"),
)


def who_asks(scope: Scope) -> Who:
    """Whoever the guard has let in with this request."""
    found = scope.get(_WHO)
    assert isinstance(found, Who), "the guard stands before this handler"
    return found


def request_id(scope: Scope) -> str:
    """The id that the answer, the log and the error of this request share."""
    return str(scope.get(_REQUEST_ID, ""))


def fault() -> Refusal:
    """What a client is told of our own mistakes."""
    return Refusal(500, "fault", "a fault of the server itself; its log names it by the request id")


def is_public(path: str) -> bool:
    """True for what holds nothing of a session: the page's own files, and the sign of life."""
    return path in {"/", "/healthz", "/favicon.ico"} or path.startswith("/static/")


class Guard:
    """Wraps ``app``. ``cookie_name`` is of this port: browsers share cookies between the ports of a host."""

    def __init__(
        self, app: Application, access: Access, addresses: checks.Addresses, limits: Limits, cookie_name: str,
        monotonic: Callable[[], float],
    ) -> None:  # fmt: skip
        self._app = app
        self._access = access
        self._addresses = addresses
        self._limits = limits
        self._cookie_name = cookie_name
        self._rates = Rates(limits.requests_per_second, limits.requests_burst, monotonic)
        self._refused = Rates(limits.refusals_per_minute / 60, limits.refusals_per_minute, monotonic)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """One request, or one WebSocket."""
        if scope["type"] == "lifespan":
            await self._app(scope, receive, send)
            return
        scope[_REQUEST_ID] = secrets.token_hex(8)
        sealed = _Sealed(send, self._access, request_id(scope))
        try:
            if scope["type"] == "websocket":
                scope[_WHO] = self._let_in(scope, is_stream=True)
                await self._app(scope, receive, send)
            else:
                receive = await self._checked(scope, receive)
                is_head = scope["method"] == "HEAD"  # the same without its body, which the server leaves out
                await self._app({**scope, "method": "GET"} if is_head else scope, receive, sealed.send)
        except Refusal as refusal:
            await _refuse(refusal, scope, send if scope["type"] == "websocket" else sealed.send)
        except MismarteraError as error:
            await self._failed(error, scope, sealed, Refusal(409, "refused", str(error)))
        except Exception as error:  # noqa: BLE001  # the last line of defence: a request id, never a trace
            await self._failed(error, scope, sealed, fault())

    async def _failed(self, error: Exception, scope: Scope, sealed: _Sealed, refusal: Refusal) -> None:
        said = self._access.scrub(f"{type(error).__name__}: {error}")
        logger.warning(f"request {request_id(scope)}: {said}")
        if scope["type"] == "http" and not sealed.has_begun:
            await _refuse(refusal, scope, sealed.send)

    async def _checked(self, scope: Scope, receive: Receive) -> Receive:
        """Everything that is looked at of a request; what the handler receives then."""
        method, path = scope["method"], scope["path"]
        if sum(len(name) + len(value) for name, value in scope["headers"]) > _HEADER_BYTES_MAX:
            raise Refusal(431, "too_large", "the headers are too large")
        if method not in METHODS:
            raise Refusal(405, "bad_method", "allowed are GET, HEAD, POST and DELETE", headers={"allow": ALLOW})
        is_read = method in {"GET", "HEAD"}
        if is_read and is_public(path):
            self._addresses.check(scope["headers"], is_navigation=True)
            return receive
        if path == SIGN_IN and method == "POST":
            self._addresses.check(scope["headers"])
            checks.require_json(scope["headers"])
            if not self._refused.take(f"sign-in {_address(scope)}"):
                raise _too_often()
            return await self._body(scope, receive)
        scope[_WHO] = self._let_in(scope)
        if is_read:
            return receive
        if method == "POST" or checks.every(scope["headers"], b"content-type"):
            checks.require_json(scope["headers"])
        self._require_header(scope)
        return await self._body(scope, receive)

    def _let_in(self, scope: Scope, *, is_stream: bool = False) -> Who:
        """Whoever asks; Refusal for who may not."""
        headers = scope["headers"]
        has_origin = self._addresses.check(headers)
        given = checks.only(headers, b"authorization")
        if given is not None:
            scheme, _, token = given.partition(" ")
            if scheme.lower() != "bearer" or not self._access.is_token(token.strip()):
                raise self._unknown(scope)
            who = Who(f"token@{_address(scope)}")
        else:
            value = checks.cookie(headers, self._cookie_name)
            page = None if value is None else self._access.page(value)
            if page is None:
                raise self._unknown(scope)
            if is_stream and not has_origin:
                raise Refusal(403, "foreign_origin", "a page's stream names its origin")
            who = page
        if not self._rates.take(who.name):
            raise _too_often()
        return who

    def _unknown(self, scope: Scope) -> Refusal:
        if not self._refused.take(_address(scope)):
            return _too_often()
        return Refusal(
            401, "no_right", "a token is needed: Authorization: Bearer ..., or sign in at /",
            headers={"www-authenticate": "Bearer"},
        )  # fmt: skip

    def _require_header(self, scope: Scope) -> None:
        """What a page sends with its writes besides its cookie, which a browser adds by itself."""
        who = who_asks(scope)
        if who.is_page:
            given = checks.only(scope["headers"], CSRF_HEADER) or ""
            has_origin = bool(checks.every(scope["headers"], b"origin"))
            if not has_origin or not secrets.compare_digest(given.encode("latin-1"), who.csrf.encode()):
                raise Refusal(403, "no_csrf", f"a page's command has its Origin and {CSRF_HEADER.decode()}")

    async def _body(self, scope: Scope, receive: Receive) -> Receive:
        """Read and check the whole body, which is small; what gives it to the handler."""
        length_max = self._limits.body_bytes_max
        declared = checks.only(scope["headers"], b"content-length")
        if declared is not None and (not declared.isdecimal() or int(declared[:20]) > _DRAINED_MAX):
            raise _too_large(length_max)
        try:
            async with asyncio.timeout(self._limits.body_seconds_max):
                body = await _read(receive, length_max)
        except TimeoutError as error:
            raise Refusal(408, "too_slow", "the body took too long to come") from error
        checks.check_json(body, self._limits.json_depth_max)
        given = iter(({"type": "http.request", "body": body, "more_body": False},))

        async def replay() -> Message:
            return next(given, None) or await receive()

        return replay


async def _read(receive: Receive, length_max: int) -> bytes:
    """The body. One that is somewhat too large is read to its end, so that the client hears why it is refused."""
    chunks: list[bytes] = []
    size = 0
    while True:
        message = await receive()
        if message["type"] != "http.request":
            raise Refusal(400, "cut_off", "the body was cut off")
        chunk = message.get("body", b"")
        size += len(chunk)
        if size <= length_max:
            chunks.append(chunk)
        if not message.get("more_body") or size > _DRAINED_MAX:
            break
    if size > length_max:
        raise _too_large(length_max)
    return b"".join(chunks)


class _Sealed:
    """Adds the headers of every answer, and masks secrets in its body. Answers are sent in one piece."""

    def __init__(self, send: Send, access: Access, number: str) -> None:
        self._send = send
        self._access = access
        self._number = number
        self._start: Message | None = None
        self.has_begun = False

    async def send(self, message: Message) -> None:
        """Pass on a part of the answer."""
        if message["type"] == "http.response.start":
            self._start = message
            return
        start, self._start = self._start, None
        if message["type"] == "http.response.body":
            before = message.get("body", b"")
            message["body"] = self._access.scrub_bytes(before)
            if start is not None:
                start["headers"] = self._headers(start, len(message["body"]) - len(before))
        if start is not None:
            self.has_begun = True
            await self._send(start)
        await self._send(message)

    def _headers(self, start: Message, longer: int) -> list[tuple[bytes, bytes]]:
        headers = [
            (name, str(int(value) + longer).encode() if name.lower() == b"content-length" else value)
            for name, value in start.get("headers", [])
        ]
        given = {name.lower() for name, _ in headers}
        ours = [*_HEADERS, (b"x-request-id", self._number.encode())]
        return headers + [(name, value) for name, value in ours if name not in given]


async def _refuse(refusal: Refusal, scope: Scope, send: Send) -> None:
    """Answer with an error, to a WebSocket that was not accepted, too."""
    is_stream = scope["type"] == "websocket"
    body = msgspec.json.encode(refusal.body(request_id(scope)))
    headers = {"content-type": "application/json", "content-length": str(len(body))} | refusal.headers
    encoded = [(name.encode(), value.encode("latin-1")) for name, value in headers.items()]
    kind = "websocket.http.response" if is_stream else "http.response"
    await send({"type": f"{kind}.start", "status": refusal.status, "headers": encoded})
    await send({"type": f"{kind}.body", "body": b"" if scope.get("method") == "HEAD" else body})


ALLOW = ", ".join(METHODS)


def _address(scope: Scope) -> str:
    client = scope.get("client")
    return client[0] if client else "unknown"


def _too_often() -> Refusal:
    return Refusal(429, "too_often", "too many requests: wait a while", headers={"retry-after": "2"})


def _too_large(length_max: int) -> Refusal:
    return Refusal(
        413, "too_large", f"the body is larger than {length_max} bytes", headers={"connection": "close"}
    )
