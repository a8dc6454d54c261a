"""ReplayFeed: a recorded stretch of time, sent again as if it were live. How live mode is tried at home."""

from __future__ import annotations

import threading
from collections.abc import Sequence
from typing import Final

import numpy as np

from mismartera.bars import BarBlock, parse_interval
from mismartera.bars.instants import SECOND_US
from mismartera.errors import FeedRefusedError
from mismartera.feeds.desired import Desired
from mismartera.feeds.port import (
    BackfillResult,
    BarsArrived,
    Connected,
    Disconnected,
    FeedFailed,
    FeedMessage,
    FeedSink,
    Subscribed,
    SymbolRefused,
)
from mismartera.feeds.replay_faults import ReplayFault, ReplayTable
from mismartera.session.ports import BarSource
from mismartera.timing import WallClock

_RECONNECT_SECONDS: Final = 1.0


class ReplayFeed:
    """A :class:`~mismartera.feeds.port.Feed` over ``source``, for the bars that start in ``[start_us, end_us)``.

    Each bar is sent at its end on ``clock``, which begins when the feed is started; what ended before its symbol
    was subscribed is not sent, and is in the backfill. The bars of a moment come as one message, in the order
    of their symbols' subscription. The same source, faults and calls give the same messages.
    """

    def __init__(
        self, source: BarSource, clock: WallClock, start_us: int, end_us: int,
        faults: Sequence[ReplayFault] = (), interval: str = "1m",
    ) -> None:  # fmt: skip
        self.last_data_us: int | None = None
        self._source = source
        self._clock = clock
        self._range = start_us, end_us
        self._interval = parse_interval(interval)
        self._faults = tuple(faults)
        self._drops = sorted((fault.start_us, fault.end_us) for fault in faults if fault.kind == "drop")
        self._desired = Desired()
        self._tables: dict[str, ReplayTable] = {}
        self._sent_us: dict[str, int] = {}
        self._followed: dict[str, int] = {}
        self._away_until_us: int | None = None
        self._leave: str | None = None
        self._sink: FeedSink | None = None
        self._stopping = threading.Event()
        self._poke = threading.Event()
        self._room = threading.Event()
        self._thread: threading.Thread | None = None

    def start(self, sink: FeedSink) -> None:
        """Begin the replay, and the clock with it."""
        assert self._thread is None, "the feed runs already"
        self._stopping.clear()
        self._sink = sink
        begun_us = self._clock.now_us()
        self._clock.begin(self._clock.monotonic())
        self._thread = threading.Thread(target=self._run, args=(begun_us,), name="mismartera-replay", daemon=True)
        self._thread.start()

    def subscribe(self, symbols: Sequence[str]) -> None:
        """Want these symbols; SymbolError for what is no symbol."""
        self._desired.add(symbols)
        self._poke.set()

    def unsubscribe(self, symbols: Sequence[str]) -> None:
        """Want these symbols no more."""
        self._desired.discard(symbols)
        self._poke.set()

    def backfill(self, symbols: Sequence[str], interval: str, start_us: int, end_us: int) -> BackfillResult:
        """The bars of the recording that have ended. FeedRefusedError if it knows none of the symbols."""
        asked_us, length = self._clock.now_us(), parse_interval(interval).length_us
        names = list(dict.fromkeys(symbols))
        known = self._source.known_intervals(names)
        refused = {name: "the recording does not know it" for name in names if name not in known}
        if refused and len(refused) == len(names):
            raise FeedRefusedError(f"the recording does not know {', '.join(names)[:200]}")
        first, last = start_us, min(end_us, self._range[1], asked_us - length + 1)  # days before are recorded, too
        kept = [name for name in names if name in known]
        block = (
            self._source.read_block(interval, first, last, kept) if first < last else BarBlock.empty(tuple(kept))
        )
        return BackfillResult(interval, block, refused)

    def reconnect(self, reason: str) -> None:
        """Say that the connection is gone, and after a second that it is back."""
        self._leave = reason
        self._poke.set()

    def leave(self) -> None:
        """End the replay; the store still answers."""
        self.stop()

    def stop(self) -> None:
        """End the replay and join its thread."""
        self._stopping.set()
        self._poke.set()
        self._room.set()
        if self._thread is not None:
            assert threading.current_thread() is not self._thread, "the feed's thread cannot wait for itself"
            self._thread.join()
            self._thread = None

    def _run(self, begun_us: int) -> None:
        try:
            self._put(Connected())
            self._follow_desired(
                begun_us
            )  # what is wanted from the start misses nothing, however late this thread is
            while not self._stopping.is_set():
                self._poke.clear()
                next_us = self._step(self._clock.now_us())
                missing_us = None if next_us is None else max(next_us - self._clock.now_us(), 0)
                self._poke.wait(None if missing_us is None else self._clock.wall_seconds(missing_us / SECOND_US))
        except Exception as error:  # noqa: BLE001  # the thread's one handler: a store that fails must be told
            self._put(FeedFailed(f"{type(error).__name__}: {error}"))

    def _step(self, now_us: int) -> int | None:
        """Everything that is due by ``now_us``; when the next thing is, None if nothing follows.

        A thread that wakes late still does things in their order: what was due before the connection was dropped
        is sent before that is told.
        """
        while (edge_us := self._next_edge_us()) is not None and edge_us <= now_us:
            self._send_due(edge_us - 1)
            self._cross(edge_us)
        reason, self._leave = self._leave, None
        if reason is not None and self._away_until_us is None:
            self._go_away(now_us, now_us + round(_RECONNECT_SECONDS * SECOND_US), reason)
        self._follow_desired(now_us)
        self._send_due(now_us)
        pending = [int(table.release_us[row]) for table, row in self._positions() if row < len(table.release_us)]
        edge_us = self._next_edge_us()
        return min([*pending, *([] if edge_us is None else [edge_us])], default=None)

    def _next_edge_us(self) -> int | None:
        """When the connection comes back, or is dropped by the script."""
        if self._away_until_us is not None:
            return self._away_until_us
        return self._drops[0][0] if self._drops else None

    def _cross(self, edge_us: int) -> None:
        if self._away_until_us is None:
            self._go_away(edge_us, self._drops.pop(0)[1], "the script drops the connection")
        elif self._drops and self._drops[0][0] <= edge_us:  # it is away already when it is to be dropped
            self._away_until_us = max(edge_us, self._drops.pop(0)[1])
        else:
            self._away_until_us = None
            for symbol in self._sent_us:
                self._sent_us[symbol] = edge_us - 1
            self._put(Connected())
            if self._tables:
                self._put(Subscribed(tuple(self._tables)))

    def _go_away(self, now_us: int, until_us: int, reason: str) -> None:
        self._away_until_us = until_us
        self._put(Disconnected(reason, was_connected=True, retry_in_seconds=(until_us - now_us) / SECOND_US))

    def _follow_desired(self, now_us: int) -> None:
        wanted = self._desired.symbols
        for symbol in self._desired.dropped(self._followed):
            del self._tables[symbol], self._sent_us[symbol], self._followed[symbol]
        new = [symbol for symbol in wanted if symbol not in self._tables]
        if not new or self._away_until_us is not None:
            return
        known = self._source.known_intervals(new)
        unknown = [symbol for symbol in new if symbol not in known]
        self._desired.discard(unknown)
        for symbol in new:
            if symbol in known:
                block = self._source.read_block(self._interval.label, *self._range, [symbol])
                self._tables[symbol] = ReplayTable.of(block, self._interval, self._faults)
                self._sent_us[symbol], self._followed[symbol] = now_us, wanted[symbol]
        if known:
            self._put(Subscribed(tuple(symbol for symbol in new if symbol in known)))
        for symbol in unknown:
            self._put(SymbolRefused(symbol, "the recording does not know it"))

    def _positions(self) -> list[tuple[ReplayTable, int]]:
        """Each table with its first row that was not sent."""
        return [(table, table.sent_by(self._sent_us[symbol])) for symbol, table in self._tables.items()]

    def _send_due(self, now_us: int) -> None:
        """One message per moment and kind, in the order of time; none while the connection is away."""
        if self._away_until_us is not None:
            return
        due: dict[tuple[int, bool], list[tuple[ReplayTable, int]]] = {}
        for table, first in self._positions():
            for row in range(first, table.sent_by(now_us)):
                moment = int(table.release_us[row]), bool(table.corrections[row])
                due.setdefault(moment, []).append((table, row))
        for (_, corrections), rows in sorted(due.items(), key=lambda item: item[0]):
            self._put(self._message(rows, corrections, self._clock.now_us()))
            self.last_data_us = self._clock.now_us()
        for symbol in self._sent_us:
            self._sent_us[symbol] = now_us

    def _message(self, rows: Sequence[tuple[ReplayTable, int]], corrections: bool, arrived_us: int) -> BarsArrived:
        prices = np.array([table.prices[row] for table, row in rows])
        return BarsArrived(
            self._interval.label, tuple(table.symbols[row] for table, row in rows),
            np.array([table.start_us[row] for table, row in rows], np.int64),
            prices.T.copy(), corrections, arrived_us,
        )  # fmt: skip

    def _put(self, message: FeedMessage) -> None:
        """Hand over; wait while there is no room, but for a stop."""
        assert self._sink is not None, "the feed was started"
        while not self._sink.put(message) and not self._stopping.is_set():
            self._room.clear()
            self._sink.when_room(self._room.set)
            if not self._stopping.is_set():  # asked after the clearing, which may have undone the stop's own set
                self._room.wait()
