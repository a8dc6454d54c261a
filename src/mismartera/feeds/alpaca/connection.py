"""One authenticated connection to Alpaca's stream: handshake, frames in and out, and how it ends."""

from __future__ import annotations

import asyncio
import logging
from typing import Any, Final

from msgspec import Struct, field
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed, InvalidHandshake, InvalidStatus, WebSocketException

from mismartera.feeds.alpaca.codes import Verdict, advice_on, verdict_of, verdict_of_http
from mismartera.feeds.alpaca.decode import Codec, Frame
from mismartera.feeds.alpaca.messages import ErrorMessage, SuccessMessage
from mismartera.feeds.secret import Keys
from mismartera.timing import WallClock

FRAME_BYTES_MAX: Final = 16 * 2**20
"""A frame of 100,000 bars has 9 MB; a larger one ends the connection."""
_FRAGMENT_BYTES: Final = 32_768
"""The vendor's own clients send long requests in fragments of this size."""
_HANDSHAKE_SECONDS: Final = 30.0
_PING_SECONDS: Final = 20.0
_PONG_SECONDS: Final = 60.0
"""Longer than a ping: while our reader has no room, pongs wait behind the data."""
_PONG_WALL_SECONDS_MIN: Final = 5.0
"""A server at work may be so long over one thing; whether data flow is watched on the engine's clock."""
_WALL_SECONDS_MIN: Final = 1.0
"""No time-out on a socket is shorter: in a rehearsal at 60x the machine itself is no faster."""


class ConnectionEndedError(Exception):
    """A connection that is over, or was not made: why, and what follows."""

    def __init__(self, reason: str, verdict: Verdict = Verdict.RETRY, retry_after: str | None = None) -> None:
        self.reason = reason
        self.verdict = verdict
        self.retry_after = retry_after
        super().__init__(reason)


def error_of(message: ErrorMessage, keys: Keys) -> ConnectionEndedError:
    """What an error of the server means for the connection."""
    text = f"the server says {message.code} {keys.scrub(message.msg)!r}{advice_on(message.code)}"
    return ConnectionEndedError(text, verdict_of(message.code))


class Connection(Struct):
    """An open socket. We ask for msgpack; a server that greets us in JSON is spoken to in JSON.

    ``codec`` is what the first frame was written in; each frame is read as what it is.
    """

    socket: ClientConnection
    keys: Keys
    codec: Codec | None = None
    msgpack: Codec = field(default_factory=lambda: Codec("msgpack"))
    json: Codec = field(default_factory=lambda: Codec("json"))

    async def receive(self) -> Frame:
        """The next frame, decoded. ConnectionEndedError when the connection is over."""
        try:
            data = await self.socket.recv()
        except ConnectionClosed as error:
            raise ConnectionEndedError(self._closed(error)) from None
        raw = data.encode("utf-8", "surrogatepass") if isinstance(data, str) else data
        # "[" begins a list in JSON, and is a number in msgpack, as white space is
        is_json = isinstance(data, str) or raw.lstrip()[:1] == b"["
        codec = self.json if is_json else self.msgpack
        self.codec = self.codec or codec
        return codec.decode(raw)

    async def send(self, message: object) -> None:
        """Send a request; a long one in fragments."""
        assert self.codec is not None, "the server speaks first"
        encoded = self.codec.encode(message)
        try:
            if len(encoded) <= _FRAGMENT_BYTES:
                await self.socket.send(encoded)
            else:
                parts = range(0, len(encoded), _FRAGMENT_BYTES)
                await self.socket.send([encoded[at : at + _FRAGMENT_BYTES] for at in parts])
        except ConnectionClosed as error:
            raise ConnectionEndedError(self._closed(error)) from None

    def abort(self) -> None:
        """Drop the connection without a word: a stalled server would not answer."""
        self.socket.transport.abort()

    def _closed(self, error: ConnectionClosed) -> str:
        return f"the connection was closed: {self.keys.scrub(str(error))}"


async def open_connection(url: str, keys: Keys, clock: WallClock) -> Connection:
    """Connect and authenticate; the clock begins once the vendor is reached. Or ConnectionEndedError."""
    asked = clock.monotonic()

    def reached(*args: Any, **kwargs: Any) -> ClientConnection:
        """Called once the socket is there, whatever becomes of the handshake."""
        clock.begin(asked)
        return ClientConnection(*args, **kwargs)

    try:
        socket = await connect(
            url, additional_headers={"Content-Type": "application/msgpack"}, max_size=FRAME_BYTES_MAX,
            open_timeout=socket_seconds(clock, _HANDSHAKE_SECONDS), close_timeout=_WALL_SECONDS_MIN,
            ping_interval=socket_seconds(clock, _PING_SECONDS),
            ping_timeout=max(socket_seconds(clock, _PONG_SECONDS), _PONG_WALL_SECONDS_MIN),
            proxy=None, logger=_quiet(),
            create_connection=reached,  # type: ignore[arg-type]  # anything that makes one will do
        )  # fmt: skip
    except InvalidHandshake as error:
        raise _refused(error, keys) from None
    except (OSError, WebSocketException, TimeoutError, EOFError, ValueError) as error:
        raise ConnectionEndedError(f"cannot be reached: {keys.scrub(_words(error))}") from None
    connection = Connection(socket, keys)
    try:
        async with asyncio.timeout(socket_seconds(clock, _HANDSHAKE_SECONDS)):
            await _authenticate(connection)
    except TimeoutError:
        connection.abort()
        raise ConnectionEndedError("the server did not answer the handshake in time") from None
    except BaseException:
        connection.abort()
        raise
    return connection


def socket_seconds(clock: WallClock, seconds: float) -> float:
    """A time-out on a socket, in seconds of the wall."""
    return max(clock.wall_seconds(seconds), _WALL_SECONDS_MIN)


async def _authenticate(connection: Connection) -> None:
    await _expect(connection, "connected")
    keys = connection.keys
    await connection.send({"action": "auth", "key": keys.key_id.reveal(), "secret": keys.secret_key.reveal()})
    await _expect(connection, "authenticated")


async def _expect(connection: Connection, word: str) -> None:
    """Read until the server says ``word``; anything but an error may come before it, or with it.

    "already authenticated" is an error by its type, and says what we wait for.
    """
    while True:
        is_said = False
        for control in (await connection.receive()).controls:
            if isinstance(control, SuccessMessage):
                is_said |= control.msg == word
            elif isinstance(control, ErrorMessage):
                if verdict_of(control.code) is not Verdict.IGNORE:
                    raise error_of(control, connection.keys)
                is_said |= word == "authenticated"
        if is_said:
            return


def _refused(error: InvalidHandshake, keys: Keys) -> ConnectionEndedError:
    if not isinstance(error, InvalidStatus):
        return ConnectionEndedError(f"the handshake failed: {keys.scrub(_words(error))}")
    status = error.response.status_code
    advice = advice_on(402) if status in {401, 403} else ": is stream_url right?" if status == 404 else ""
    text = f"the server answers the handshake with HTTP {status}{advice}"
    return ConnectionEndedError(text, verdict_of_http(status), error.response.headers.get("Retry-After"))


def _words(error: BaseException) -> str:
    return str(error) or type(error).__name__


def _quiet() -> logging.Logger:
    """A logger that nobody can turn on: at DEBUG the library writes frames, and one of them holds the keys."""
    return logging.Logger("mismartera.feeds.quiet", logging.CRITICAL + 1)
