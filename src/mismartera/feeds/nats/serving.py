"""Serving: the bridge's answers to sessions: their leases, and bars of the past."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Final

import numpy as np
from nats.aio.msg import Msg

from mismartera.errors import FeedRefusedError, FeedUnavailableError, KeysRefusedError
from mismartera.feeds.nats.framing import dropped
from mismartera.feeds.nats.link import BusAddress, Link, LinkEndedError
from mismartera.feeds.nats.publishing import BridgeState
from mismartera.feeds.nats.wants import Wants
from mismartera.feeds.nats.wire import (
    ROWS_MAX,
    Ask,
    BadMessageError,
    Codec,
    Columns,
    Done,
    Granted,
    Part,
    PastMessage,
    Sorry,
    Want,
    Working,
    encode,
)
from mismartera.feeds.port import BackfillResult, Feed
from mismartera.feeds.secret import one_line
from mismartera.feeds.waits import wait_at_most
from mismartera.timing import WallClock

_AT_ONCE_MAX: Final = 4
_WAITING_MAX: Final = 256
_BUSY_SECONDS: Final = 5.0
_KEYS_SECONDS: Final = 30.0
_ALIVE_WALL_SECONDS: Final = 1.0


class LeaseDesk:
    """Answers requests for leases. ``name`` is the bridge's."""

    def __init__(
        self,
        name: str,
        feed: Feed,
        wants: Wants,
        state: BridgeState,
        clock: WallClock,
        warn: Callable[[str], None],
    ) -> None:
        self.bad = 0
        self._name = name
        self._feed = feed
        self._wants = wants
        self._state = state
        self._clock = clock
        self._warn = warn
        self._codec = Codec()
        self._told_to_leave = False

    def connected(self) -> None:
        """The vendor's connection is another one."""
        self._told_to_leave = False

    async def answer(self, link: Link, message: Msg) -> None:
        """One request. What cannot be read is counted, and not answered."""
        try:
            want = self._codec.want(message.data)
        except BadMessageError as error:
            self.bad += 1
            self._warn(f"a request for a lease cannot be read: {error}")
            return
        granted = self._granted(want)
        if message.reply:
            await link.send(message.reply, encode(granted))

    def _granted(self, want: Want) -> Granted:
        verdict = self._wants.take(want, self._clock.monotonic())
        if verdict.new:
            self._feed.subscribe(verdict.new)
        if want.stalled is not None and verdict.refusal is None:
            self._stalled(want)
        confirmed = None
        if want.symbols is not None:
            confirmed = [symbol for symbol in want.symbols if symbol in self._state.confirmed]
        return Granted(
            self._name, self._state.seq, self._state.is_connected, self._clock.now_us(), verdict.is_known,
            confirmed, verdict.refusal,
        )  # fmt: skip

    def _stalled(self, want: Want) -> None:
        """Replace the vendor's connection, unless it has sent bars since, or was just told to leave."""
        is_silent = want.data_seq >= self._state.data_seq
        if is_silent and self._state.is_connected and not self._told_to_leave:
            self._told_to_leave = True
            self._feed.reconnect(one_line(f"{want.stalled} (says {want.name})"))


class PastDesk:
    """Answers requests for bars of the past, a few at once, each on a thread."""

    def __init__(self, address: BusAddress, feed: Feed, warn: Callable[[str], None]) -> None:
        self.answered = self.bad = 0
        self._address = address
        self._feed = feed
        self._warn = warn
        self._codec = Codec()
        self._pool = ThreadPoolExecutor(_AT_ONCE_MAX, "mismartera-bridge-past")
        self._tasks: set[asyncio.Task[None]] = set()

    async def take(self, link: Link, message: Msg) -> None:
        """Begin to answer one request."""
        if not message.reply:
            return
        try:
            ask = self._codec.ask(message.data)
        except BadMessageError as error:
            self.bad += 1
            await link.send(message.reply, encode(_never(f"a request that cannot be read: {error}")))
            return
        if len(self._tasks) >= _WAITING_MAX:
            await link.send(message.reply, encode(_later("too many requests wait", _BUSY_SECONDS)))
            return
        task = asyncio.create_task(self._answer(link, ask, message.reply))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def leave(self) -> None:
        """The link has ended: nobody waits for answers on it."""
        tasks = list(self._tasks)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    def close(self) -> None:
        """Wait for the threads; the feed is stopped by now, and waits for nothing."""
        self._pool.shutdown(cancel_futures=True)

    async def _answer(self, link: Link, ask: Ask, reply: str) -> None:
        loop, done = asyncio.get_running_loop(), asyncio.Event()
        call = loop.run_in_executor(self._pool, self._backfill, ask)
        call.add_done_callback(lambda _: done.set())
        try:
            while not await wait_at_most(done, _ALIVE_WALL_SECONDS):
                await link.send(reply, encode(Working()))
            for message in await call:
                await link.send(reply, encode(message))
            self.answered += 1
        except LinkEndedError:
            return  # whoever asked will ask again

    def _backfill(self, ask: Ask) -> Sequence[PastMessage]:
        """On a thread: the vendor's answer, whatever it is."""
        try:
            return _messages(self._feed.backfill(ask.symbols, ask.interval, ask.start_us, ask.end_us))
        except KeysRefusedError as error:  # the bridge's keys: whoever runs it can mend that
            self._warn(str(error))
            return [_later(one_line(str(error)), _KEYS_SECONDS)]
        except FeedRefusedError as error:
            return [_never(one_line(str(error)))]
        except FeedUnavailableError as error:
            return [_later(one_line(str(error)), error.retry_after_seconds)]
        except Exception as error:  # noqa: BLE001  # a request must not end the bridge; it is told on both sides
            text = one_line(f"{type(error).__name__}: {error}")
            self._warn(f"a request for bars of the past failed: {text}")
            return [_later(text, _BUSY_SECONDS)]


def _never(reason: str) -> Sorry:
    return Sorry(reason, for_good=True)


def _later(reason: str, seconds: float) -> Sorry:
    return Sorry(reason, for_good=False, retry_after_seconds=max(seconds, 0.0))


def _messages(result: BackfillResult) -> list[PastMessage]:
    parts = list(_parts(result))
    refused = {symbol: one_line(reason) for symbol, reason in result.refused.items()}
    rejected = [dropped(one) for one in result.rejected]
    return [*parts, Done(len(parts), refused, rejected, result.duplicates, result.conflicts)]


def _parts(result: BackfillResult) -> Iterator[Part]:
    """The rows in pieces that fit, each with the symbols that it holds."""
    block, owner = result.block, result.block.row_symbols()
    for first in range(0, len(block), ROWS_MAX):
        rows = slice(first, first + ROWS_MAX)
        places, sizes = np.unique(owner[rows], return_counts=True)
        columns = Columns.of(block.start[rows], [column[rows] for column in block.columns])
        yield Part([block.symbols[place] for place in places.tolist()], sizes.tolist(), columns)
