"""DataQualityManager: how much of what the calendar expects is there, and where the gaps are (R8)."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import pairwise
from typing import Protocol

import numpy as np
from msgspec import Struct
from numpy.typing import NDArray

from mismartera.session.reader import BaseGroup
from mismartera.session.series import SeriesBlock
from mismartera.session.windows import Windows
from mismartera.timing import TradingSession

Ints = NDArray[np.int64]


class Gap(Struct, frozen=True):
    """Consecutive expected base bars that are missing: ``[from_us, to_us)``, inside one part of the session."""

    symbol: str
    interval: str
    from_us: int
    to_us: int
    missing: int


class Quality(Struct, frozen=True):
    """Base bars of a symbol in a session: expected by the calendar so far, and present."""

    interval: str
    expected: int
    present: int

    @property
    def percent(self) -> float | None:
        """100 x present / expected; None while nothing is expected."""
        return 100.0 * self.present / self.expected if self.expected else None


class MeasuresOfOne(Protocol):
    """What is known of the bars of one symbol, whoever measures it."""

    def quality(self, symbol: str, until_us: int) -> Quality | None:
        """Quality of ``symbol`` over the slots that have ended by ``until_us``; None if it is not measured."""
        ...

    def counts(self, symbol: str, until_us: int | None) -> dict[str, int] | None:
        """R1's counts of ``symbol`` over the rows that have ended by ``until_us`` (None: the whole day)."""
        ...


class Measures(MeasuresOfOne, Protocol):
    """What is known of the quality of a session's bars, whoever measures it."""

    def clear(self) -> None:
        """Begin a new session."""
        ...

    def forget(self, symbol: str) -> None:
        """Stop measuring ``symbol``."""
        ...

    def whole_day(self) -> Iterator[tuple[str, dict[str, int], Quality | None, int]]:
        """Counts, quality and number of gaps over the whole session of every symbol that is measured."""
        ...

    def gaps(self, symbol: str) -> list[Gap]:
        """The gaps of ``symbol`` in the whole session, in time order."""
        ...


class DataQualityManager:
    """Measures the groups of one session. It reads what has been accepted; it never fills anything.

    With ``enabled`` False (``gap_filler.enable_session_quality``) there are no figures and no gaps, only counts.
    """

    def __init__(self, *, enabled: bool = True) -> None:
        self._enabled = enabled
        self._groups: dict[str, tuple[BaseGroup, int]] = {}

    def clear(self) -> None:
        """Begin a new session."""
        self._groups = {}

    def watch(self, group: BaseGroup) -> None:
        """Measure the symbols of ``group`` from now on: from the open, however late they joined."""
        self._groups |= {symbol: (group, k) for k, symbol in enumerate(group.symbols)}

    def forget(self, symbol: str) -> None:
        """Stop measuring ``symbol``."""
        self._groups.pop(symbol, None)

    def quality(self, symbol: str, until_us: int) -> Quality | None:
        """Quality of ``symbol`` over the slots that have ended by ``until_us``; None if it is not measured."""
        found = self._groups.get(symbol)  # once: another thread's read may race with a removal
        if not self._enabled or found is None:
            return None
        group, k = found
        block = group.admitted.block
        expected = int(block.windows.end.searchsorted(until_us, side="right"))
        present = int(block.window[block.offsets[k] : block.offsets[k + 1]].searchsorted(expected))
        return Quality(block.interval.label, expected, present)

    def whole_day(self) -> Iterator[tuple[str, dict[str, int], Quality | None, int]]:
        """Counts, quality and number of gaps over the whole session of every symbol that is measured."""
        for group in {id(group): group for group, _ in self._groups.values()}.values():
            block = group.admitted.block
            expected = len(block.windows)
            present = np.diff(block.offsets).tolist()
            gaps = _gap_counts(group).tolist()
            label = block.interval.label
            by_present = {bars: Quality(label, expected, bars) for bars in dict.fromkeys(present)}  # few differ
            rows = zip(group.symbols, group.admitted.all_counts(), present, gaps, strict=True)
            for symbol, counts, bars, runs in rows:
                if self._groups.get(symbol, (None,))[0] is not group:
                    continue  # removed, or loaded again in another group
                if self._enabled:
                    yield symbol, counts, by_present[bars], runs
                else:
                    yield symbol, counts, None, 0

    def counts(self, symbol: str, until_us: int | None) -> dict[str, int] | None:
        """R1's counts of ``symbol`` over the rows that have ended by ``until_us`` (None: the whole day)."""
        found = self._groups.get(symbol)  # once, as above
        return None if found is None else found[0].admitted.counts(found[1], until_us)

    def gaps(self, symbol: str) -> list[Gap]:
        """The gaps of ``symbol`` in the whole session, in time order."""
        if not self._enabled:
            return []
        group, k = self._groups[symbol]
        block = group.admitted.block
        slots = block.windows
        missing = np.ones(len(slots), dtype=np.bool_)
        missing[block.window[block.offsets[k] : block.offsets[k + 1]]] = False
        return [
            Gap(symbol, block.interval.label, int(slots.start[first]), int(slots.end[last - 1]), last - first)
            for first, last in _runs(missing, part_cuts(group.session, slots))
        ]


def _gap_counts(group: BaseGroup) -> Ints:
    """For each symbol of ``group`` how many gaps its session has: :meth:`DataQualityManager.gaps`, counted at
    once.
    """
    block = group.admitted.block
    slots, cuts = block.windows, part_cuts(group.session, block.windows)
    if cuts:
        return _gap_counts_by_part(block, cuts)
    counts = np.ones(len(block.symbols), dtype=np.int64)  # without any bar the day is one gap
    has_bars = np.diff(block.offsets) > 0
    firsts, lasts = block.offsets[:-1][has_bars], block.offsets[1:][has_bars] - 1
    counts[has_bars] = (block.window[firsts] > 0).astype(np.int64) + (block.window[lasts] < len(slots) - 1)
    jumps = np.flatnonzero(block.window[1:].astype(np.int64) - block.window[:-1] > 1)
    same = block.owner[jumps] == block.owner[jumps + 1]
    counts += np.bincount(block.owner[jumps[same]], minlength=len(counts))
    return counts


def _gap_counts_by_part(block: SeriesBlock, cuts: Sequence[int]) -> Ints:
    """The same where a gap ends at each of ``cuts``."""
    present = np.zeros((len(block.symbols), len(block.windows)), dtype=np.bool_)
    present[block.owner, block.window] = True
    begins = ~present
    begins[:, 1:] &= present[:, :-1]  # the first of its run, unless a part begins there
    for cut in cuts:
        begins[:, cut] = ~present[:, cut]
    counts: Ints = begins.sum(axis=1)
    return counts


def part_cuts(session: TradingSession, slots: Windows) -> list[int]:
    """Where the parts after the first begin among the slots; a daily bar spans the breaks."""
    cuts = slots.start.searchsorted([first for first, _ in session.parts[1:]]).tolist()
    return [cut for cut in cuts if cut < len(slots.start)]


def _runs(missing: NDArray[np.bool_], cuts: list[int]) -> list[tuple[int, int]]:
    """``[first, last)`` of each run of True; a run ends at every cut."""
    edges = np.flatnonzero(np.diff(np.concatenate(([False], missing, [False])).astype(np.int8)))
    runs: list[tuple[int, int]] = []
    for first, last in edges.reshape(-1, 2).tolist():
        inner = [cut for cut in cuts if first < cut < last]
        bounds = [first, *inner, last]
        runs += pairwise(bounds)
    return runs
