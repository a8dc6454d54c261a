"""Tape: what is still to be shown, instant by instant, in the order of (end, symbol rank, interval length).

Symbols that join later rank last, so the tape is a list of lanes in rank order: an instant is the instant's
part of each lane, one after the other, and nothing is ever merged again.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from mismartera.bars import Bar
from mismartera.session.lane import Lane

Ints = NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class Head:
    """The first bar of an instant in the order of showing."""

    symbol: str
    interval: str
    end_us: int


class Tape:
    """The remaining instants. ``ends[position]`` is the next one; ``position`` only moves forward.

    ``base_before[k]``, ``derived_before[k]`` and ``public_before[k]`` count the base bars, the derived bars and
    the bars to be shown of the tape before instant ``k``.
    """

    def __init__(self) -> None:
        self.lanes: list[Lane] = []
        self.position = 0
        self._shown_base = 0
        self._shown_derived = 0
        self._index()

    @property
    def head_end(self) -> int | None:
        """When the next instant ends; None at the end of the tape."""
        return self.ends[self.position] if self.position < len(self.ends) else None

    @property
    def base_shown(self) -> int:
        """Base bars shown so far, since the tape was made."""
        return self._shown_base + self.base_before[self.position]

    @property
    def derived_shown(self) -> int:
        """Derived bars shown so far, since the tape was made."""
        return self._shown_derived + self.derived_before[self.position]

    def append(self, lane: Lane) -> None:
        """Add the bars of symbols that rank after all others; they may end before the tape's head."""
        self._drop_shown()
        self.lanes.append(lane)
        self._index()

    def remove(self, symbol: str) -> None:
        """Take the remaining bars of ``symbol`` off the tape."""
        self._drop_shown()
        for lane in self.lanes:
            lane.drop_symbol(symbol)
        self.lanes = [lane for lane in self.lanes if len(lane)]
        self._index()

    def skip_before(self, end_us: int) -> None:
        """Pass over all instants that end before ``end_us``."""
        self.position = bisect_left(self.ends, end_us, lo=self.position)

    def due(self, now_us: int) -> int:
        """The position after the last instant that has ended by ``now_us``."""
        return bisect_right(self.ends, now_us, lo=self.position)

    def bars(self, k: int, lag_seconds: float = 0.0) -> list[Bar]:
        """The bars of instant ``k`` that are shown, in order, as a new list."""
        found: list[Bar] = []
        for lane, cuts in zip(self.lanes, self.public_cuts, strict=True):
            first, last = cuts[k], cuts[k + 1]
            if first < last:
                found += lane.make_bars(first, last, lag_seconds) if lag_seconds else lane.bars(first, last)
        return found

    def rows(self, k: int) -> list[tuple[Lane, Ints]]:
        """The rows of instant ``k`` that are shown, lane by lane."""
        return [
            (lane, lane.public_order[cuts[k] : cuts[k + 1]])
            for lane, cuts in zip(self.lanes, self.public_cuts, strict=True)
            if cuts[k] < cuts[k + 1]
        ]

    def head(self, k: int) -> Head:
        """The first bar of instant ``k``, hidden base bars included."""
        for lane, cuts in zip(self.lanes, self._cuts, strict=True):
            if cuts[k] < cuts[k + 1]:
                row = lane.order[cuts[k]]
                return Head(lane.symbols[lane.owner[row]], lane.intervals[lane.kind[row]].label, self.ends[k])
        raise AssertionError(f"instant {k} has no bars")

    def oldest_by_symbol(self, first: int, last: int) -> dict[str, int]:
        """The symbols that have bars in the instants ``first:last``, in rank order, and each one's oldest end."""
        oldest: dict[str, int] = {}
        for lane, cuts in zip(self.lanes, self._cuts, strict=True):
            rows = lane.order[cuts[first] : cuts[last]]
            owners, where = np.unique(lane.owner[rows], return_index=True)
            ends = lane.end[rows[where]].tolist()
            oldest |= {lane.symbols[k]: end for k, end in zip(owners.tolist(), ends, strict=True)}
        return oldest

    def _drop_shown(self) -> None:
        k = self.position
        self._shown_base += self.base_before[k]
        self._shown_derived += self.derived_before[k]
        for lane, cuts in zip(self.lanes, self._cuts, strict=True):
            lane.drop_shown(cuts[k])
        self.lanes = [lane for lane in self.lanes if len(lane)]
        self.position = 0

    def _index(self) -> None:
        """The instants of all lanes, and where each lane's rows of each instant begin."""
        lane_ends = [lane.end[lane.order] for lane in self.lanes]
        instants = np.unique(np.concatenate([_distinct(ends) for ends in lane_ends])) if lane_ends else _NONE
        self.ends: list[int] = instants.tolist()
        self._cuts: list[list[int]] = []
        self.public_cuts: list[list[int]] = []
        base = np.zeros(len(instants) + 1, dtype=np.int64)
        derived = np.zeros(len(instants) + 1, dtype=np.int64)
        shown = np.zeros(len(instants) + 1, dtype=np.int64)
        for lane, ends in zip(self.lanes, lane_ends, strict=True):
            cuts = np.concatenate(([0], ends.searchsorted(instants, side="right")))
            public = cuts
            if lane.public_order is not lane.order:
                public = np.concatenate(([0], lane.end[lane.public_order].searchsorted(instants, side="right")))
            base_upto = np.concatenate(([0], np.cumsum(lane.is_base[lane.order])))[cuts]
            base += base_upto
            derived += cuts - base_upto
            shown += public
            self._cuts.append(cuts.tolist())
            self.public_cuts.append(self._cuts[-1] if public is cuts else public.tolist())
        self.base_before: list[int] = base.tolist()
        self.derived_before: list[int] = derived.tolist()
        self.public_before: list[int] = shown.tolist()


_NONE: Ints = np.empty(0, dtype=np.int64)


def _distinct(ends: Ints) -> Ints:
    """The distinct values of sorted ``ends``."""
    if not len(ends):
        return ends
    return ends[np.concatenate(([True], ends[1:] != ends[:-1]))]
