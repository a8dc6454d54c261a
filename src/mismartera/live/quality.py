"""LiveQuality: how much of a live session is there; a minute that is confirmed without trades is no gap (R8)."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import pairwise

import numpy as np

from mismartera.live.entry import Entry, Mark
from mismartera.live.ledger import DayLedger
from mismartera.session.quality import Gap, Quality, part_cuts


class LiveQuality:
    """Looks at the ledger of the present session. ``until_us``: what ends later does not count, at the close."""

    def __init__(self, *, enabled: bool = True) -> None:
        self._enabled = enabled
        self.ledger: DayLedger | None = None
        self.until_us: int | None = None

    def clear(self) -> None:
        """Nothing: the ledger is a new one."""

    def forget(self, symbol: str) -> None:
        """Nothing: the ledger does."""

    def quality(self, symbol: str, until_us: int) -> Quality | None:
        """Quality of ``symbol`` over the slots that have ended by ``until_us``; None if it is not measured."""
        found = self._entry(symbol)
        if found is None or not self._enabled:
            return None
        ledger, entry = found
        return self._quality(ledger, entry, until_us)

    def whole_day(self) -> Iterator[tuple[str, dict[str, int], Quality | None, int]]:
        """Counts, quality and number of gaps over the session of every symbol that has joined."""
        ledger = self.ledger
        if ledger is None:
            return
        for entry in ledger.joined():
            counts = self._counts(entry)
            if self._enabled:
                quality = self._quality(ledger, entry, self._end_us(ledger))
                yield entry.symbol, counts, quality, len(self.gaps(entry.symbol))
            else:
                yield entry.symbol, counts, None, 0

    def counts(self, symbol: str, until_us: int | None) -> dict[str, int] | None:  # noqa: ARG002  # what was received
        """R1's counts of ``symbol`` so far."""
        found = self._entry(symbol)
        return self._counts(found[1]) if found else None

    def gaps(self, symbol: str) -> list[Gap]:
        """The gaps of ``symbol``, in time order: minutes of which neither a bar nor their silence is known."""
        found = self._entry(symbol)
        if found is None or not self._enabled:
            return []
        ledger, entry = found
        last = int(ledger.windows.end.searchsorted(self._end_us(ledger), side="right"))
        missing = ledger.marks[entry.index, :last] == Mark.UNKNOWN
        cuts = part_cuts(ledger.processing.session, ledger.windows)
        start, end, label = ledger.windows.start, ledger.windows.end, ledger.processing.base.label
        edges = np.flatnonzero(np.diff(np.concatenate(([False], missing, [False])).astype(np.int8)))
        gaps: list[Gap] = []
        for first, after in edges.reshape(-1, 2).tolist():
            bounds = [first, *(cut for cut in cuts if first < cut < after), after]
            gaps += [Gap(symbol, label, int(start[a]), int(end[b - 1]), b - a) for a, b in pairwise(bounds)]
        return gaps

    def _entry(self, symbol: str) -> tuple[DayLedger, Entry] | None:
        ledger = self.ledger
        entry = ledger.entries.get(symbol) if ledger is not None else None
        return None if ledger is None or entry is None or not entry.has_joined else (ledger, entry)

    def _end_us(self, ledger: DayLedger) -> int:
        close_us = ledger.processing.session.close_us
        return close_us if self.until_us is None else min(self.until_us, close_us)

    def _counts(self, entry: Entry) -> dict[str, int]:
        assert self.ledger is not None, "the entry is of the ledger"
        return self.ledger.counts_of(entry)

    @staticmethod
    def _quality(ledger: DayLedger, entry: Entry, until_us: int) -> Quality:
        expected = int(ledger.windows.end.searchsorted(until_us, side="right"))
        present = int((ledger.marks[entry.index, :expected] >= Mark.HAS_BAR).sum())
        return Quality(ledger.processing.base.label, expected, present)
