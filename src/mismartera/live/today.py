"""Today: the bars of one live session as they come: in order, late, again, corrected, or not at all."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from mismartera.feeds.port import FEW_BARS, BarsArrived, StatusChanged, SymbolRefused
from mismartera.live.checks import Checks
from mismartera.live.engine_end import EngineEnd
from mismartera.live.entry import Entry, Held, Rows
from mismartera.live.flow import Flow
from mismartera.live.ledger import DayLedger
from mismartera.live.sifting import NOWHERE, Merge, windows_of
from mismartera.live.silence import Silence
from mismartera.live.splices import Splices
from mismartera.live.timers import Timers
from mismartera.timing import WallClock

Ints = NDArray[np.int64]


class Today:
    """Sorts out the bars of the stream. The intake's thread only.

    A bar is late if it comes after its end + grace, unless the stream as a whole is behind: nothing as new came in
    time of any symbol.
    """

    def __init__(
        self, ledger: DayLedger, splices: Splices, checks: Checks, flow: Flow, clock: WallClock, timers: Timers,
        engine: EngineEnd, grace_us: int, threshold_us: int,
    ) -> None:  # fmt: skip
        self.ledger = ledger
        self.splices = splices
        self.checks = checks
        self._session = ledger.processing.session
        self._flow = flow
        self._clock = clock
        self._timers = timers
        self._engine = engine
        self._grace_us = grace_us
        self._threshold_us = threshold_us
        self.silence = Silence(ledger, splices, clock, grace_us)
        self._until_us: int | None = None
        self._is_over = False
        self._next_end_us: int | None = None
        self._ends: list[int] = ledger.windows.end.tolist()
        self._at = {us: window for window, us in enumerate(ledger.windows.start.tolist())}

    def open(self, taken: frozenset[str], waited: frozenset[str], *, is_late: bool) -> None:
        """The session has opened."""
        self.checks.begin()
        self.splices.open(taken, waited, is_late=is_late)
        self._flow.reflect()
        self._flow.watch()
        self.end_windows()

    def stop(self) -> None:
        """The session is over: nothing of it changes any more."""
        self._is_over = True
        self.checks.stop()
        self.splices.stop()

    def leave(self, entry: Entry) -> None:
        """A symbol was removed."""
        self.splices.left(entry)
        self.checks.forget(entry)
        self.ledger.leave(entry)
        self._flow.reflect()

    def told(self, message: StatusChanged | SymbolRefused) -> None:
        """Trading of a symbol was halted or resumed, or the vendor will never have it."""
        entry = self.ledger.entries.get(message.symbol)
        if entry is None:
            return
        if isinstance(message, SymbolRefused):
            self.splices.refused(entry, message.reason)
            return
        if (message.halted and entry.halted_us is not None) or not (message.halted or entry.is_told_halted):
            return
        if message.halted:
            entry.halted_us = self._clock.now_us()
            if not entry.is_told_halted:
                entry.is_told_halted = True
                self._engine.event_of(entry, "halted", reason=message.reason)
        else:
            self.checks.resume(entry, message.reason)

    def take(self, message: BarsArrived) -> int:
        """Bars of the stream; returns how many are of symbols that nobody asked for."""
        entries = self.ledger.entries
        found = [entries.get(symbol) for symbol in message.symbols]
        windows = windows_of(self._session, self.ledger.windows, message.start_us)
        prices, last_us = message.prices, self.ledger.last_us
        now_us = self._clock.now_us()
        if self._is_over:
            return len(found)
        if self._ends[int(windows.max(initial=NOWHERE))] > last_us:  # what ends after the run is not of it
            found = [
                entry if w == NOWHERE or self._ends[w] <= last_us else None
                for entry, w in zip(found, windows.tolist(), strict=True)
            ]
        ours = np.array([entry is not None for entry in found], dtype=np.bool_)
        newest = int(windows[ours].max(initial=NOWHERE))
        if newest == NOWHERE:
            return self._take_each(found, windows, prices, message, now_us)
        is_news = newest >= self.ledger.heard
        is_fresh = now_us - self._ends[newest] <= self._threshold_us
        self.ledger.heard = max(self.ledger.heard, newest)
        if is_fresh and not self._flow.is_good and self.splices.is_open:
            self.splices.recover(newest)  # the first data after the stream was away
        if is_news and not is_fresh:
            self._flow.set_behind(is_behind=True, lag_us=now_us - self._ends[newest])
        strangers = self._take_known(found, windows, prices, message, now_us)
        on_time = ours & (windows != NOWHERE) & (now_us <= self.ledger.windows.end[windows] + self._grace_us)
        self.ledger.on_time = max(self.ledger.on_time, int(windows[on_time].max(initial=NOWHERE)))
        if is_fresh:
            self._flow.on_data()
        if is_news and is_fresh:
            self._flow.set_behind(is_behind=False)
        return strangers

    def took_few(self, message: BarsArrived) -> bool:
        """The ordinary case in plain Python: a few bars of one minute, each its symbol's next, in time, while all
        is well. False, and nothing is done, if it is not as simple as that.
        """
        if not 0 < len(symbols := message.symbols) <= FEW_BARS:
            return False
        first_us, *others_us = message.start_us.tolist()
        window = self._at.get(first_us, NOWHERE)
        if message.corrections or window < max(self.ledger.heard, self.ledger.ended) or self._is_over:
            return False
        if others_us and (any(us != first_us for us in others_us) or len(set(symbols)) < len(symbols)):
            return False
        end_us, newest = self._ends[window], self.ledger.newest
        is_in_time = end_us + self._grace_us >= self._clock.now_us()
        if not is_in_time or not self._flow.is_good or end_us > self.ledger.last_us:
            return False
        entries: list[Entry] = []
        for symbol in symbols:
            entry = self.ledger.entries.get(symbol)
            if entry is None or not entry.is_plain or newest.item(entry.index) >= window:
                return False
            entries.append(entry)
        self.ledger.heard = self.ledger.on_time = window
        self._append(window, entries, message.prices)
        self._flow.on_data()
        self._flow.set_behind(is_behind=False)
        return True

    def _take_known(
        self, found: Sequence[Entry | None], windows: Ints, prices: NDArray[np.float64], message: BarsArrived,
        now_us: int,
    ) -> int:  # fmt: skip
        if not self._are_next(found, windows, message, now_us):
            return self._take_each(found, windows, prices, message, now_us)
        self._append(int(windows[0]), [entry for entry in found if entry is not None], prices)
        return 0

    def _are_next(self, found: Sequence[Entry | None], windows: Ints, message: BarsArrived, now_us: int) -> bool:
        """True for bars of one minute, on time, each of which is its symbol's next."""
        if message.corrections or windows[0] == NOWHERE or (windows != windows[0]).any():
            return False
        window = int(windows[0])
        if window < self.ledger.ended or self._is_late(window, now_us):
            return False
        if any(e is None or not e.is_plain for e in found):
            return False
        indices = np.array([entry.index for entry in found if entry is not None])
        return len(set(found)) == len(found) and bool((self.ledger.newest[indices] < window).all())

    def _is_late(self, window: int, now_us: int) -> bool:
        """True after its end + grace, if as new a bar of any symbol was on time: else the stream is behind."""
        return now_us > self._ends[window] + self._grace_us and window <= self.ledger.on_time

    def _take_each(
        self, found: Sequence[Entry | None], windows: Ints, prices: NDArray[np.float64], message: BarsArrived,
        now_us: int,
    ) -> int:  # fmt: skip
        strangers = 0
        in_order: dict[int, dict[Entry, int]] = {}
        others: dict[Entry, list[tuple[Held, bool]]] = {}
        values = prices.T.tolist()
        for row, (entry, window) in enumerate(zip(found, windows.tolist(), strict=True)):
            if entry is None:
                strangers += 1
                continue
            if window == NOWHERE:
                self.ledger.count(entry, "out_of_hours")
                continue
            is_on_time = not message.corrections and self._ends[window] + self._grace_us >= now_us
            is_halted = entry.halted_us is None or entry.is_halted(int(self.ledger.windows.start[window]))
            if is_on_time and entry.is_told_halted and is_halted:
                self.checks.resume(entry, "it trades")
            bar = Held(window, tuple(values[row]), message.corrections)
            if entry.held is not None:
                entry.held.append(bar)
                continue
            is_late = self._is_late(window, now_us)
            is_next = window > self.ledger.newest[entry.index] and all(entry not in w for w in in_order.values())
            if is_next and not (message.corrections or is_late or entry in others) and window >= self.ledger.ended:
                in_order.setdefault(window, {})[entry] = row
            else:
                others.setdefault(entry, []).append((bar, is_late))
        for window in sorted(in_order):
            rows = list(in_order[window].values())
            self._append(window, list(in_order[window]), prices[:, rows])
        self._change(others)
        self.splices.heard(entry for entry in found if entry is not None and entry.held)
        return strangers

    def _append(self, window: int, entries: Sequence[Entry], prices: NDArray[np.float64]) -> None:
        self.ledger.count_each(entries, "accepted")
        self._engine.grew(self.ledger.append(window, entries, prices))

    def _change(self, others: dict[Entry, list[tuple[Held, bool]]]) -> None:
        """Bars that come late, again, or differ."""
        changes: dict[Entry, Rows] = {}
        for entry, bars in others.items():
            merge = Merge(self.ledger, entry)
            for bar, is_late in bars:
                is_old = is_late or bar.window < self.ledger.newest[entry.index]
                merge.arrived([bar], late_fate="late" if is_old else "accepted")
            if len(rows := merge.rows()):
                changes[entry] = rows
        next_ones = {
            entry: rows
            for entry, rows in changes.items()
            if int(rows.window[0]) > self.ledger.newest[entry.index] and not any(late for _, late in others[entry])
        }
        self._put(next_ones, as_backlog=True)
        self._put({entry: rows for entry, rows in changes.items() if entry not in next_ones}, as_backlog=False)

    def _put(self, changes: dict[Entry, Rows], *, as_backlog: bool) -> None:
        if changes:
            update, data = self.ledger.put(changes, as_backlog=as_backlog)
            self._engine.replaced(data)
            self._engine.grew(update)

    # The end of windows, and of the session

    def end_windows(self) -> None:
        """End the windows that nothing more is waited for; ask for the bars that are missing in them."""
        ledger, flow = self.ledger, self._flow
        can_end = self.splices.is_open and not self.splices.is_fetching
        if can_end and flow.connected and not flow.is_good and self.silence.is_whole():
            flow.on_nothing()
        if not (can_end and flow.is_good):
            self._ask_for_silence()
            self._look_if_settled()
            return
        now_us = self._clock.now_us()
        while (window := ledger.ended) < len(self._ends) and self._ends[window] <= min(now_us, ledger.last_us):
            missing, end_us = ledger.missing(window), self._ends[window]
            is_whole = ledger.joined() and all(entry.is_halted(ledger.windows.start[window]) for entry in missing)
            if now_us < end_us + self._grace_us and not is_whole:
                break
            self._engine.grew(ledger.end_window(window))
            self._engine.is_whole(end_us)
            self.checks.want([(entry, [window]) for entry in missing])
        self._wait_for_next(self._ends[ledger.ended] + self._grace_us if ledger.ended < len(self._ends) else None)
        self._look_if_settled()

    def _ask_for_silence(self) -> None:
        """The stream is away: windows stay open, and what was missed comes in one piece. But were there trades?"""
        last_us = min(self._clock.now_us() - self._grace_us, self.ledger.last_us)
        last = int(self.ledger.windows.end.searchsorted(last_us, side="right"))
        if self.splices.is_open and self._flow.connected:
            self.checks.want(self.ledger.unknown(self.ledger.ended, last))
        self._wait_for_next(self._ends[last] + self._grace_us if last < len(self._ends) else None)

    def _wait_for_next(self, at_us: int | None) -> None:
        if at_us is not None and at_us != self._next_end_us:
            self._timers.at(at_us, self.end_windows)
        self._next_end_us = at_us

    def finish(self, until_us: int) -> None:
        """The session ends then."""
        self._until_us = until_us
        self.ledger.end_by(until_us)
        self._timers.at(until_us + self._grace_us, self._look_if_settled)
        self._look_if_settled()

    def _look_if_settled(self) -> None:
        if self._until_us is None:
            return
        last = int(self.ledger.windows.end.searchsorted(self._until_us, side="right"))
        if self.ledger.ended >= last or self._clock.now_us() >= self._until_us + self._grace_us:
            self._until_us = None
            self._engine.settled()
