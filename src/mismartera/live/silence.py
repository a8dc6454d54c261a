"""Silence: a stream says nothing. Was there nothing to say? The intake's thread only."""

from __future__ import annotations

from mismartera.live.entry import Mark
from mismartera.live.ledger import DayLedger
from mismartera.live.splices import Splices
from mismartera.timing import WallClock


class Silence:
    """What the ledger, and so REST, knows of it."""

    def __init__(self, ledger: DayLedger, splices: Splices, clock: WallClock, grace_us: int) -> None:
        self._ledger = ledger
        self._splices = splices
        self._clock = clock
        self._grace_us = grace_us

    def explained_until_us(self, since_us: int) -> int | None:
        """Until when the silence since an instant is explained: every symbol was halted, or had no trades.

        None if the first minute that has ended since then may have had trades. One that has only just ended, and
        is still being asked for, says nothing yet.
        """
        ends = self._ledger.windows.end
        first = int(ends.searchsorted(since_us, side="right"))
        last = int(ends.searchsorted(self._clock.now_us(), side="right"))
        if first >= last:
            return self._clock.now_us()
        indices = [entry.index for entry in self._ledger.joined() if entry.halted_us is None]
        is_quiet = (self._ledger.marks[indices, first:last] == Mark.QUIET).all(axis=0)
        quiet = last - first if is_quiet.all() else int(is_quiet.argmin())
        if quiet:
            return int(ends[first + quiet - 1])
        has_bar = bool((self._ledger.marks[indices, first] >= Mark.HAS_BAR).any())
        may_be_answered = self._clock.now_us() < int(ends[first]) + 2 * self._grace_us
        return since_us if may_be_answered and not has_bar else None

    def is_whole(self) -> bool:
        """True if REST has confirmed of all symbols that they have not traded in this session so far."""
        joined, marks = self._ledger.joined(), self._ledger.marks
        last = int(self._ledger.windows.end.searchsorted(self._clock.now_us() - self._grace_us, side="right"))
        if not joined or not last or not self._splices.are_confirmed(joined):
            return False
        indices = [entry.index for entry in joined]
        has_bars = bool((marks[indices] >= Mark.HAS_BAR).any())
        return not has_bars and bool((marks[indices, :last] == Mark.QUIET).all())
