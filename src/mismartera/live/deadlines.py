"""Deadlines: loading takes `load_timeout_seconds`; then it has failed for a while, and is tried again (R6).

Time counts from when there is something to wait for: the answers to the backfill, or the stream's first minute. A
symbol whose data are there, and which only a stale stream keeps from being loaded, is loaded when that flows, even
before the next try. The intake's thread only.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable

from mismartera.bars.instants import MINUTE_US, SECOND_US
from mismartera.live.engine_end import EngineEnd
from mismartera.live.entry import LET_IN, Entry
from mismartera.live.flow import Flow
from mismartera.live.ledger import DayLedger
from mismartera.live.timers import Timers
from mismartera.timing import WallClock

_RETRY_US, _DOUBLINGS_MAX = 60 * SECOND_US, 3


class Deadlines:
    """Those of one session. ``give_up`` leaves a symbol that has not joined, ``bring_in`` tries one again."""

    def __init__(
        self, ledger: DayLedger, flow: Flow, timers: Timers, clock: WallClock, engine: EngineEnd, *,
        give_up: Callable[[Entry, str, int], None], bring_in: Callable[[Entry], None], not_before_us: int,
        timeout_us: int, grace_us: int,
    ) -> None:  # fmt: skip
        self._ledger = ledger
        self._flow = flow
        self._timers = timers
        self._clock = clock
        self._engine = engine
        self._give_up = give_up
        self._bring_in = bring_in
        self._not_before_us = not_before_us
        self._timeout_us = timeout_us
        self._grace_us = grace_us
        self._is_over = False

    def stop(self) -> None:
        """Nothing fails any more."""
        self._is_over = True

    def begin(self, entries: Iterable[Entry]) -> None:
        """These are on their way; time counts from the first minute that may have bars."""
        now_us = self._clock.now_us()
        at_us = max(now_us, self._not_before_us) + self._timeout_us
        for entry in entries:
            entry.attempts += 1
            self._at(at_us, entry, lambda entry: self._passed(entry, now_us))

    def joined(self, entries: Iterable[Entry]) -> None:
        """The data of these are there, and the engine has been told; it loads them unless the stream is stale."""
        for entry in entries:
            entry.admission = self._flow.admissions if self._flow.keeps_from_loading else LET_IN

    def _at(self, at_us: int, entry: Entry, action: Callable[[Entry], None]) -> None:
        attempt = entry.attempts

        def act() -> None:
            is_its = self._ledger.entries.get(entry.symbol) is entry and entry.attempts == attempt
            if is_its and not self._is_over and not self._is_let_in(entry):
                action(entry)

        self._timers.at(at_us, act)

    def _is_let_in(self, entry: Entry) -> bool:
        return entry.has_joined and entry.admission != self._flow.admissions

    def _passed(self, entry: Entry, since_us: int) -> None:
        if entry.has_joined and (due_us := self._heard_us(since_us) + self._timeout_us) > self._clock.now_us():
            self._at(due_us, entry, lambda entry: self._passed(entry, since_us))
            return
        again_us = self._clock.now_us() + 2 ** min(entry.attempts - 1, _DOUBLINGS_MAX) * _RETRY_US
        reason = f"not loaded after {self._timeout_us / SECOND_US:g} s"
        if entry.has_joined:
            self._engine.failed([entry], f"{reason}: {self._flow.keeps_from_loading}", again_us)
        else:
            self._give_up(entry, reason, again_us)
        self._at(again_us, entry, self._again)

    def _heard_us(self, since_us: int) -> int:
        """When a stream that flows has said something: the end of its first whole minute since then + grace."""
        ends = self._ledger.windows.end
        first = int(ends.searchsorted(since_us + MINUTE_US))
        return int(ends[first]) + self._grace_us if first < len(ends) else since_us

    def _again(self, entry: Entry) -> None:
        self._engine.retried([entry])
        if entry.has_joined:
            self.begin([entry])
        else:
            self._bring_in(entry)
