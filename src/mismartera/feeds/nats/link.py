"""A link: one connection to the NATS server, which ends for good; whoever needs another one makes it."""

from __future__ import annotations

import asyncio
import json
import re
from collections.abc import Awaitable, Callable
from contextlib import suppress
from typing import Any, Final

import nats.errors
from msgspec import Struct, field
from nats.aio.client import Client
from nats.aio.msg import Msg
from nats.aio.subscription import Subscription
from nats.js.client import JetStreamContext
from nats.js.errors import APIError, ServiceUnavailableError

from mismartera.config.fields import BUS_NAME_PATTERN, BUS_STREAM, check_url
from mismartera.errors import ConfigError
from mismartera.feeds.nats.login import Login
from mismartera.feeds.nats.wire import PAYLOAD_BYTES_MAX
from mismartera.timing import WallClock

_CONNECT_WALL_SECONDS: Final = 5.0
ANSWER_SECONDS: Final = 5.0
"""Of the clock, that a server or a bridge may take to answer."""
_WALL_SECONDS_MIN: Final = 1.0
"""No time-out on a socket is shorter: in a rehearsal at 60x the machine itself is no faster."""
_PING_WALL_SECONDS: Final = 5
_PINGS_MAX: Final = 3
_BUFFER_BYTES: Final = 8 * 2**20


class LinkEndedError(Exception):
    """A link that is over, or was not made. ``is_fatal``: no other attempt can mend it."""

    def __init__(self, reason: str, *, is_fatal: bool = False) -> None:
        self.reason = reason
        self.is_fatal = is_fatal
        super().__init__(reason)


class NobodyAnswersError(Exception):
    """A request that nobody answered; ``is_absent``: the server says that nobody is there to answer it."""

    def __init__(self, *, is_absent: bool) -> None:
        self.is_absent = is_absent
        super().__init__("nobody is there" if is_absent else "no answer in time")


class BusAddress(Struct, frozen=True):
    """A server, and a stream on it with the subjects that belong to it."""

    url: str
    stream: str = BUS_STREAM

    def __post_init__(self) -> None:
        url = check_url(self.url, secure="tls", plain="nats", path_allowed=False)
        problems = [] if url is None else [f"url: {url}"]
        if not re.fullmatch(BUS_NAME_PATTERN, self.stream):
            problems.append(f"stream: found {self.stream[:64]!r}; allowed: 1 to 32 letters, digits, - and _")
        if problems:
            raise ConfigError(problems, source="the bus")

    @property
    def feed_subject(self) -> str:
        """What the bridge publishes; the stream keeps it."""
        return f"{self.stream}.feed"

    @property
    def lease_subject(self) -> str:
        """Where sessions ask the bridge for their leases."""
        return f"{self.stream}.lease"

    @property
    def past_subject(self) -> str:
        """Where sessions ask the bridge for bars of the past."""
        return f"{self.stream}.past"


class _Client(Client):
    """nats-py's client, which would send our credentials unencrypted to a server that says it has no TLS."""

    async def _process_info(self, info: dict[str, Any], initial_connection: bool = False) -> None:
        server = self._current_server
        wants_tls = server is not None and server.uri.scheme == "tls"
        if wants_tls and initial_connection and not (info.get("tls_required") or info.get("tls_available")):
            raise nats.errors.Error("the server offers no TLS, and the address asks for it")
        if wants_tls:
            info["tls_required"] = True
        await super()._process_info(info, initial_connection=initial_connection)


class Link(Struct, eq=False):
    """An open connection. Its methods raise LinkEndedError once it has ended."""

    client: Client
    js: JetStreamContext
    login: Login
    clock: WallClock
    ended: asyncio.Event = field(default_factory=asyncio.Event)
    last_error: str = ""
    fault: Exception | None = None
    """Of our own, in a callback."""

    async def request(self, subject: str, payload: bytes) -> bytes:
        """The answer of whoever listens to ``subject``; NobodyAnswersError if none comes in time."""
        try:
            answer = await self.client.request(subject, payload, timeout=wall_seconds(self.clock, ANSWER_SECONDS))
        except nats.errors.NoRespondersError:
            raise NobodyAnswersError(is_absent=True) from None
        except (nats.errors.TimeoutError, TimeoutError):
            self.check()
            raise NobodyAnswersError(is_absent=False) from None
        except nats.errors.Error as error:
            raise self.error(error) from None
        return bytes(answer.data)

    async def listen(self, subject: str, callback: Callable[[Msg], Awaitable[None]]) -> Subscription:
        """Call ``callback`` with each message of ``subject``, one after the other."""
        try:
            return await self.client.subscribe(subject, cb=callback)
        except nats.errors.Error as error:
            raise self.error(error) from None

    async def leave(self, subscription: Subscription) -> None:
        """Listen no more; nothing is raised if the link has ended."""
        with suppress(nats.errors.Error):
            await subscription.unsubscribe()

    async def send(self, subject: str, payload: bytes, reply: str = "") -> None:
        """Publish without an acknowledgement."""
        try:
            await self.client.publish(subject, payload, reply=reply)
        except nats.errors.Error as error:
            raise self.error(error) from None

    async def api(self, call: Awaitable[Any]) -> Any:
        """What a request to JetStream gives. APIError: it says no. NobodyAnswersError: it is not there."""
        try:
            return await call
        except ServiceUnavailableError:
            raise NobodyAnswersError(is_absent=True) from None
        except APIError:
            raise
        except (nats.errors.TimeoutError, TimeoutError):
            self.check()
            raise NobodyAnswersError(is_absent=False) from None
        except nats.errors.Error as error:
            raise self.error(error) from None

    def check(self) -> None:
        """LinkEndedError if the connection is over; a fault of our own as it is."""
        if self.fault is not None:
            raise self.fault
        if self.ended.is_set() or self.client.is_closed:
            raise LinkEndedError(f"the connection to the NATS server has ended{self.because()}")

    def error(self, error: Exception) -> LinkEndedError:
        """``error`` as the end of this link."""
        words = self.login.scrub(str(error) or type(error).__name__)
        return LinkEndedError(f"the connection to the NATS server has ended: {words}")

    def because(self) -> str:
        """What the server said last, to be put behind a sentence."""
        return f": {self.last_error}" if self.last_error else ""

    async def close(self) -> None:
        """Leave. Idempotent; nothing is raised."""
        try:
            async with asyncio.timeout(_WALL_SECONDS_MIN):
                await self.client.close()
        except (OSError, TimeoutError, nats.errors.Error):
            return


def wall_seconds(clock: WallClock, seconds: float, at_least: float = _WALL_SECONDS_MIN) -> float:
    """A time-out on a socket, in seconds of the wall."""
    return max(clock.wall_seconds(seconds), at_least)


class _CutOffError(LinkEndedError):
    """The server has ended the connection while it was made, and nothing was read of its reason."""


async def open_link(address: BusAddress, login: Login, clock: WallClock, name: str) -> Link:
    """Connect to the server. LinkEndedError says why it cannot be."""
    try:
        return await _open(address, login, clock, name)
    except _CutOffError as error:
        # A server that refuses us says so and hangs up. What we have sent meanwhile makes that a reset, in which
        # its words are lost; if it confirms each step, they are waited for.
        link = await _open(address, login, clock, name, confirms=True)
        await link.close()
        raise LinkEndedError(error.reason) from None


async def _open(address: BusAddress, login: Login, clock: WallClock, name: str, *, confirms: bool = False) -> Link:
    client, errors = _Client(), list[Exception]()
    link = Link(client, client.jetstream(timeout=wall_seconds(clock, ANSWER_SECONDS)), login, clock)

    async def on_error(error: Exception) -> None:
        errors[:] = [error]
        link.last_error = login.scrub(str(error) or type(error).__name__)
        if not isinstance(error, (nats.errors.Error, OSError, TimeoutError, LinkEndedError)):
            link.fault = error
            link.ended.set()

    async def on_closed() -> None:
        link.ended.set()

    try:
        async with asyncio.timeout(_CONNECT_WALL_SECONDS):
            await client.connect(
                address.url, error_cb=on_error, closed_cb=on_closed, name=name, allow_reconnect=False,
                max_reconnect_attempts=1, reconnect_time_wait=0, connect_timeout=round(_CONNECT_WALL_SECONDS),
                ping_interval=_PING_WALL_SECONDS, max_outstanding_pings=_PINGS_MAX, pending_size=_BUFFER_BYTES,
                verbose=confirms, **login.options(),
            )  # fmt: skip
    except (OSError, TimeoutError, nats.errors.Error, ValueError, json.JSONDecodeError, ImportError) as error:
        await link.close()
        raise _unreached(address, login, errors[-1] if errors else error) from None
    except BaseException:
        await link.close()
        raise
    if not client.is_connected:  # the client takes the end of the stream for an answer
        await link.close()
        raise _CutOffError(f"the NATS server at {address.url} ends the connection")
    if client.max_payload < PAYLOAD_BYTES_MAX:
        await link.close()
        text = f"the NATS server takes messages of {client.max_payload} bytes; needed: {PAYLOAD_BYTES_MAX}"
        raise LinkEndedError(text, is_fatal=True)
    return link


def _unreached(address: BusAddress, login: Login, error: Exception) -> LinkEndedError:
    words = login.scrub(str(error) or type(error).__name__)
    if "uthorization" in words or "uthentication" in words:
        text = f"the NATS server at {address.url} does not take our credentials ({words})"
        return LinkEndedError(f"{text}: are the variables MISMARTERA_NATS_... right?", is_fatal=True)
    was_cut = isinstance(error, (ConnectionResetError, BrokenPipeError))
    return (_CutOffError if was_cut else LinkEndedError)(
        f"no NATS server can be reached at {address.url}: {words}"
    )
