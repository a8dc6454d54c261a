"""Bridge: publishes one feed to a stream of NATS JetStream, for all sessions that hold a lease."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable, Sequence
from contextlib import suppress
from functools import partial
from random import Random
from typing import Final
from uuid import uuid4

from msgspec import Struct

from mismartera.errors import MismarteraError, RunFailedError
from mismartera.feeds.backoff import Backoff
from mismartera.feeds.nats.leasing import PERIOD_SECONDS, PERIOD_WALL_SECONDS_MIN
from mismartera.feeds.nats.link import (
    BusAddress,
    Link,
    LinkEndedError,
    NobodyAnswersError,
    open_link,
    wall_seconds,
)
from mismartera.feeds.nats.login import Login
from mismartera.feeds.nats.noting import VendorNotes
from mismartera.feeds.nats.publishing import Publisher
from mismartera.feeds.nats.serving import LeaseDesk, PastDesk
from mismartera.feeds.nats.stream import Retention, make_stream
from mismartera.feeds.nats.tasks import first_of
from mismartera.feeds.nats.wants import Wants
from mismartera.feeds.nats.wire import BadMessageError, Codec, Refused, Up, Want, encode
from mismartera.feeds.port import Disconnected, Feed
from mismartera.feeds.queue import FeedQueue
from mismartera.feeds.waits import pause
from mismartera.timing import WallClock

LEASE_SECONDS: Final = 20.0
_LEASE_WALL_SECONDS_MIN: Final = 4.0
_RETRY_WALL_SECONDS_MIN: Final = 0.25
_FAREWELL_WALL_SECONDS: Final = 2.0
_JOIN_WALL_SECONDS: Final = 0.5


class BridgeFigures(Struct, frozen=True):
    """What a bridge has done so far."""

    sequence: int
    messages: int
    bars: int
    republished: int
    sessions: int
    symbols: int
    backfills: int
    bad_requests: int
    reconnects: int


class Bridge:
    """Owns ``feed``: starts it once the bus is there, and stops it. ``own``: symbols that it always wants.

    ``warn`` and ``inform`` are told, on the bridge's threads, what a person should know. What ends it
    is a RunFailedError: another bridge that answers for the stream, a server that cannot be reached at the start,
    refused credentials, a stream of another version, a feed that has failed.
    """

    def __init__(
        self, feed: Feed, address: BusAddress, login: Login, clock: WallClock, rng: Random,
        own: Sequence[str] = (), retention: Retention | None = None,
        warn: Callable[[str], None] = lambda _: None, inform: Callable[[str], None] = lambda _: None,
    ) -> None:  # fmt: skip
        self.name = uuid4().hex[:12]
        self._feed = feed
        self._address = address
        self._login = login
        self._clock = clock
        self._own = tuple(own)
        self._retention = retention or Retention()
        self._warn = warn
        self._inform = inform
        self._backoff = Backoff(rng)
        lease_seconds = wall_seconds(clock, LEASE_SECONDS, _LEASE_WALL_SECONDS_MIN)
        self._wants = Wants(self._own, lease_seconds, self._period)
        self._publisher = Publisher(address, self.name, clock)
        self._leases = LeaseDesk(self.name, feed, self._wants, self._publisher.state, clock, warn)
        self._past = PastDesk(address, feed, warn)
        self._queue = FeedQueue(on_message=self._poke)
        self._reconnects = 0
        self._is_fed = False
        self._notes = VendorNotes(clock, warn, inform)
        self._error: MismarteraError | None = None
        self._ended = threading.Event()
        self._thread: threading.Thread | None = None
        self._loop: asyncio.AbstractEventLoop | None = None
        self._task: asyncio.Task[None] | None = None
        self._wake = asyncio.Event()

    @property
    def figures(self) -> BridgeFigures:
        """What it has done so far."""
        state = self._publisher.state
        return BridgeFigures(
            state.seq, state.frames, state.bars, state.republished, self._wants.sessions, self._wants.count,
            self._past.answered, self._leases.bad + self._past.bad, self._reconnects,
        )  # fmt: skip

    @property
    def is_connected(self) -> bool:
        """True while the stream says that the vendor is connected."""
        return self._publisher.state.is_connected

    @property
    def _period(self) -> float:
        return wall_seconds(self._clock, PERIOD_SECONDS, PERIOD_WALL_SECONDS_MIN)

    def start(self) -> None:
        """Begin in the background. Once only."""
        assert self._thread is None and not self._ended.is_set(), "a bridge runs once"
        started = threading.Event()
        self._thread = threading.Thread(target=self._run, args=(started,), name="mismartera-bridge", daemon=True)
        self._thread.start()
        started.wait()

    def wait(self, timeout_wall_seconds: float | None = None) -> bool:
        """Until it has ended; False if it still runs after the time. Raises what ended it, if not :meth:`stop`."""
        if not self._ended.wait(timeout_wall_seconds):
            return False
        if self._error is not None:
            raise self._error
        return True

    def stop(self) -> None:
        """Say so on the stream, stop the feed, and join all threads. Idempotent."""
        thread = self._thread
        if thread is not None:
            assert threading.current_thread() is not thread, "the bridge's thread cannot wait for itself"
            while thread.is_alive():
                if self._loop is not None and self._task is not None:
                    with suppress(RuntimeError):  # the loop was closed
                        self._loop.call_soon_threadsafe(self._task.cancel)
                thread.join(_JOIN_WALL_SECONDS)
            self._thread = None
        self._feed.stop()
        self._past.close()

    def _poke(self) -> None:
        """Something waits in the queue. On the feed's thread."""
        if self._loop is not None:
            with suppress(RuntimeError):  # the loop was closed
                self._loop.call_soon_threadsafe(self._wake.set)

    def _run(self, started: threading.Event) -> None:
        try:
            with suppress(asyncio.CancelledError):
                asyncio.run(self._main(started))
        except LinkEndedError as error:
            self._error = RunFailedError(error.reason)
        except MismarteraError as error:
            self._error = error
        except Exception as error:  # noqa: BLE001  # the thread's one handler: who waits is told
            self._error = RunFailedError(self._login.scrub(f"{type(error).__name__}: {error}"))
        finally:
            self._ended.set()

    async def _main(self, started: threading.Event) -> None:
        self._loop, self._task = asyncio.get_running_loop(), asyncio.current_task()
        started.set()
        link = await self._open()
        await self._require_alone(link)
        while True:
            since = self._publisher.state.frames
            try:
                await self._serve(link)
            except LinkEndedError as error:
                if error.is_fatal:
                    raise
                if self._publisher.state.frames > since:
                    self._backoff.reset()
                link = await self._reopen(error.reason)

    async def _open(self) -> Link:
        link = await open_link(self._address, self._login, self._clock, f"mismartera bridge {self.name}")
        try:
            info = await make_stream(link, self._address, self._retention)
        except BaseException:
            await link.close()
            raise
        self._publisher.state.seq = info.state.last_seq
        return link

    async def _reopen(self, reason: str) -> Link:
        """Another link, however long it takes; the feed goes on meanwhile, until its queue is full."""
        while True:
            seconds = self._backoff.next_seconds()
            self._warn(f"{reason}; next try in {seconds:.1f} s")
            await pause(wall_seconds(self._clock, seconds, _RETRY_WALL_SECONDS_MIN))
            try:
                link = await self._open()
            except LinkEndedError as error:
                if error.is_fatal:
                    raise
                reason = error.reason
            else:
                self._reconnects += 1
                self._inform(f"the NATS server at {self._address.url} is back")
                self._wants.renew_all(self._clock.monotonic())
                return link

    async def _require_alone(self, link: Link) -> None:
        """RunFailedError if another bridge publishes this stream."""
        want = Want(f"bridge-{self.name}", self.name, 0, leaving=True)
        try:
            answer = await link.request(self._address.lease_subject, encode(want))
        except NobodyAnswersError as error:
            if error.is_absent:
                return
            other = "that does not answer"
        else:
            try:
                other = Codec().granted(answer).bridge
            except BadMessageError:
                other = "of another version"
        await link.close()
        where = f"the stream {self._address.stream} at {self._address.url}"
        raise RunFailedError(f"another bridge ({other}) publishes {where}; allowed: one a stream")

    async def _serve(self, link: Link) -> None:
        """Publish and answer, until LinkEndedError; CancelledError says farewell first."""
        try:
            await self._publisher.publish(link)  # what is asked is answered with the stream as it is
            await link.listen(self._address.lease_subject, partial(self._leases.answer, link))
            await link.listen(self._address.past_subject, partial(self._past.take, link))
            if not self._is_fed:
                self._is_fed = True
                if self._own:
                    self._feed.subscribe(self._own)
                self._feed.start(self._queue)
            await first_of(self._publish(link), self._tend(), self._watch(link))
        except asyncio.CancelledError:
            await self._bid_farewell(link)
            raise
        finally:
            await self._past.leave()
            await link.close()

    async def _publish(self, link: Link) -> None:
        while True:
            await self._publisher.publish(link)
            if self._notes.failure is not None:
                raise RunFailedError(f"the feed has failed: {self._notes.failure}")
            messages = self._queue.take_all()
            if not messages:
                await self._wake.wait()
                self._wake.clear()
                continue
            for message in messages:
                self._notes.take(message)
            for piece in self._publisher.add(messages):
                if isinstance(piece, Refused):
                    self._wants.drop(piece.symbol)
                elif isinstance(piece, Up):
                    self._leases.connected()

    async def _tend(self) -> None:
        """Let the symbols go of sessions that are gone."""
        while True:
            await pause(self._period)
            over = self._wants.tick(self._clock.monotonic())
            if over:
                self._feed.unsubscribe(over)
                self._publisher.state.confirmed.difference_update(over)

    async def _watch(self, link: Link) -> None:
        await link.ended.wait()
        link.check()

    async def _bid_farewell(self, link: Link) -> None:
        """Sessions need not wait for the silence to tell."""
        with suppress(LinkEndedError, TimeoutError):
            async with asyncio.timeout(_FAREWELL_WALL_SECONDS):
                self._publisher.add(
                    [Disconnected("the bridge was stopped", was_connected=True, retry_in_seconds=0.0)]
                )
                await self._publisher.publish(link)
