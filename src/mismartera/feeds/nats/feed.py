"""NatsFeed: what a bridge publishes, behind the port of all feeds."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable, Sequence
from concurrent.futures import CancelledError, Future
from contextlib import suppress
from random import Random
from typing import Final
from uuid import uuid4

from mismartera.bars.instants import SECOND_US
from mismartera.errors import FeedUnavailableError
from mismartera.feeds.backoff import Backoff
from mismartera.feeds.desired import Desired
from mismartera.feeds.nats.asking import PastAsker
from mismartera.feeds.nats.follower import Follower, FollowFigures
from mismartera.feeds.nats.leasing import LeaseKeeper
from mismartera.feeds.nats.link import (
    BusAddress,
    Link,
    LinkEndedError,
    NobodyAnswersError,
    open_link,
    wall_seconds,
)
from mismartera.feeds.nats.login import Login
from mismartera.feeds.nats.reading import Durable, Reader
from mismartera.feeds.nats.stream import find_stream
from mismartera.feeds.nats.tasks import first_of
from mismartera.feeds.nats.telling import Teller
from mismartera.feeds.outlet import Outlet
from mismartera.feeds.port import BackfillResult, Disconnected, FeedFailed, FeedMessage, FeedSink
from mismartera.feeds.waits import pause
from mismartera.timing import WallClock

_SKEW_SECONDS: Final = 5.0
_SKEW_WALL_SECONDS: Final = 0.25
_RETRY_WALL_SECONDS_MIN: Final = 0.25
_JOIN_WALL_SECONDS: Final = 0.5
_UNREACHED_RETRY_SECONDS: Final = 2.0


class NatsFeed:
    """A :class:`~mismartera.feeds.port.Feed` that shares one vendor's connection with others, over a bridge.

    A connection is three things: the NATS server's, the lease of the bridge, and the bridge's own with its vendor.
    While one is missing the feed is disconnected; the place in the stream outlives them all. ``durable`` is a name
    under which the server remembers that place for a later run; ``ack_seconds`` of the wall after which it sends
    again what was not acknowledged. A rehearsal's clock is set by its bridge's. May be started again once it was
    left or stopped.
    """

    def __init__(
        self, address: BusAddress, login: Login, clock: WallClock, rng: Random, durable: str | None = None,
        ack_seconds: float = 30.0,
    ) -> None:  # fmt: skip
        self._instance = uuid4().hex[:12]
        self._address = address
        self._login = login
        self._clock = clock
        self._durable = Durable(durable or f"run-{self._instance}", durable is not None, ack_seconds)
        self._backoff = Backoff(rng)
        self._desired = Desired()
        skew_seconds = max(_SKEW_SECONDS, _SKEW_WALL_SECONDS / clock.wall_seconds(1.0))
        self._follower = Follower(self._desired, clock, round(skew_seconds * SECOND_US))
        self._lease = LeaseKeeper(
            address, self._durable.name, self._instance, self._desired, self._follower, clock
        )
        self._past = PastAsker(address, clock)
        self._reader: Reader | None = None
        self._link: Link | None = None
        self._leave: str | None = None
        self._is_stopped = True
        self._thread: threading.Thread | None = None
        self._loop: asyncio.AbstractEventLoop | None = None
        self._task: asyncio.Task[None] | None = None
        self._wake = asyncio.Event()
        self._changed = asyncio.Event()

    @property
    def last_data_us(self) -> int | None:
        """When the last bars of our symbols came; those of others, heartbeats and leases do not count."""
        return self._follower.last_data_us

    @property
    def figures(self) -> FollowFigures:
        """What was read of the stream so far."""
        return self._follower.figures

    @property
    def recreated(self) -> int:
        """How often the consumer on the server had to be made anew."""
        return 0 if self._reader is None else self._reader.recreated

    @property
    def durable(self) -> str:
        """The consumer's name on the server."""
        return self._durable.name

    def start(self, sink: FeedSink) -> None:
        """Connect in the background, and stay connected."""
        assert self._thread is None, "the feed runs already"
        self._is_stopped = False
        started = threading.Event()
        self._wake, self._changed = asyncio.Event(), asyncio.Event()
        self._thread = threading.Thread(target=self._run, args=(sink, started), name="mismartera-bus", daemon=True)
        self._thread.start()
        started.wait()

    def subscribe(self, symbols: Sequence[str]) -> None:
        """Want these symbols; SymbolError for what is no symbol."""
        self._desired.add(symbols)
        self._call(self._changed.set)

    def unsubscribe(self, symbols: Sequence[str]) -> None:
        """Want these symbols no more."""
        self._desired.discard(symbols)
        names = tuple(symbols)

        def forget() -> None:
            self._follower.forget(names)
            self._changed.set()

        self._call(forget)

    def backfill(self, symbols: Sequence[str], interval: str, start_us: int, end_us: int) -> BackfillResult:
        """What the bridge's vendor has. A feed that was left asks on a connection of its own."""
        assert threading.current_thread() is not self._thread, "a backfill blocks: not on the feed's thread"
        loop = self._loop
        if self._thread is None and not self._is_stopped:
            return asyncio.run(self._ask_alone(symbols, interval, start_us, end_us))
        if self._thread is None or loop is None or loop.is_closed():
            raise FeedUnavailableError("the feed is stopped", _UNREACHED_RETRY_SECONDS)
        answer: Future[BackfillResult] = asyncio.run_coroutine_threadsafe(
            self._ask(symbols, interval, start_us, end_us), loop
        )
        while True:
            try:
                return answer.result(_JOIN_WALL_SECONDS)
            except TimeoutError:
                if loop.is_closed():  # it was stopped, and nobody is left to answer
                    raise FeedUnavailableError("the feed is stopped", _UNREACHED_RETRY_SECONDS) from None
            except (CancelledError, LinkEndedError):
                raise FeedUnavailableError("the bus is not connected", _UNREACHED_RETRY_SECONDS) from None

    def reconnect(self, reason: str) -> None:
        """Leave the present connection for a new one, and tell the bridge why."""

        def leave() -> None:
            self._leave = reason
            self._wake.set()

        self._call(leave)

    def stop(self) -> None:
        """Close everything and join the thread."""
        self._is_stopped = True
        self.leave()

    def leave(self) -> None:
        """Give the lease back, close the connection and join the thread; the past can be asked for."""
        thread = self._thread
        if thread is None:
            return
        assert threading.current_thread() is not thread, "the feed's thread cannot wait for itself"
        while thread.is_alive():
            if self._task is not None:
                self._call(self._task.cancel)
            thread.join(_JOIN_WALL_SECONDS)
        self._thread = None

    def _call(self, call: Callable[[], object]) -> None:
        """On the feed's thread, from any; nothing if it does not run."""
        loop = self._loop
        if loop is not None:
            with suppress(RuntimeError):  # it was closed
                loop.call_soon_threadsafe(call)

    def _run(self, sink: FeedSink, started: threading.Event) -> None:
        with suppress(asyncio.CancelledError):
            asyncio.run(self._main(Outlet(sink), started))

    async def _main(self, outlet: Outlet, started: threading.Event) -> None:
        self._loop, self._task = asyncio.get_running_loop(), asyncio.current_task()
        started.set()
        self._follower.restart()
        teller = Teller(outlet, self._clock, self._changed.set)
        reader = self._reader = Reader(self._address, self._durable, self._follower, teller, self._clock)
        try:
            await self._stay(outlet, teller, reader)
        except Exception as error:  # noqa: BLE001  # the thread's one handler: a fault of ours must be told, too
            text = self._login.scrub(f"{type(error).__name__}: {error}")
            await outlet.send(FeedFailed(f"a fault of the feed itself: {text}"))

    async def _stay(self, outlet: Outlet, teller: Teller, reader: Reader) -> None:
        """One connection after the other, until cancelled or none can follow."""
        while True:
            frames = self.figures.frames
            try:
                await self._connect(teller, reader)
            except LinkEndedError as error:
                if error.is_fatal:
                    await outlet.send(FeedFailed(error.reason))
                    return
                if self.figures.frames > frames:
                    self._backoff.reset()
                await self._rest(teller, error.reason)

    async def _rest(self, teller: Teller, reason: str) -> None:
        """A connection, or an attempt at one, has ended: say so, and wait before the next one."""
        seconds = self._backoff.next_seconds()

        def ended() -> list[FeedMessage]:
            told = self._follower.down(reason, seconds)
            return told or [Disconnected(reason, was_connected=False, retry_in_seconds=seconds)]

        await teller.tell(ended)
        await pause(wall_seconds(self._clock, seconds, _RETRY_WALL_SECONDS_MIN))

    async def _connect(self, teller: Teller, reader: Reader) -> None:
        """One connection, from the attempt to its end, which is a LinkEndedError."""
        link = await open_link(self._address, self._login, self._clock, f"mismartera {self._durable.name}")
        try:
            await find_stream(link, self._address)  # one of another version is told before anything is asked
            await self._lease.begin(link)
            self._link, self._leave = link, None  # whatever stalled, it was not this connection
            noted = asyncio.Event()
            await first_of(
                reader.run(link),
                self._lease.keep(link, self._changed, noted),
                self._settle(teller, noted),
                self._watch(link),
            )
        except asyncio.CancelledError:
            await self._bid_farewell(link, reader)
            raise
        finally:
            self._link = None
            await link.close()

    async def _settle(self, teller: Teller, noted: asyncio.Event) -> None:
        """Tell what follows from the bridge's answers, where nothing more is to be read before it."""
        while True:
            await noted.wait()
            noted.clear()
            await teller.tell(self._follower.settle)

    async def _watch(self, link: Link) -> None:
        """The end of the connection, or somebody's wish to leave it."""

        async def ended() -> None:
            await link.ended.wait()
            link.check()

        async def left() -> None:
            while self._leave is None:
                await self._wake.wait()
                self._wake.clear()
            reason, self._leave = self._leave, None
            self._lease.stalled(reason)
            raise LinkEndedError(reason)

        await first_of(ended(), left())

    async def _bid_farewell(self, link: Link, reader: Reader) -> None:
        """Who leaves in peace needs no lease and no consumer; whoever cannot say so is forgotten in time."""
        with suppress(LinkEndedError, NobodyAnswersError, TimeoutError):
            async with asyncio.timeout(1.0):
                await self._lease.leave(link)
                await reader.leave(link)

    async def _ask_alone(
        self, symbols: Sequence[str], interval: str, start_us: int, end_us: int
    ) -> BackfillResult:
        try:
            link = await open_link(
                self._address, self._login, self._clock, f"mismartera {self._durable.name} past"
            )
        except LinkEndedError as error:
            raise FeedUnavailableError(f"the bus: {error.reason}", _UNREACHED_RETRY_SECONDS) from None
        try:
            return await self._past.ask(link, symbols, interval, start_us, end_us)
        except LinkEndedError as error:
            raise FeedUnavailableError(f"the bus: {error.reason}", _UNREACHED_RETRY_SECONDS) from None
        finally:
            await link.close()

    async def _ask(self, symbols: Sequence[str], interval: str, start_us: int, end_us: int) -> BackfillResult:
        link = self._link
        if link is None:
            raise FeedUnavailableError("the bus is not connected", _UNREACHED_RETRY_SECONDS)
        return await self._past.ask(link, symbols, interval, start_us, end_us)
