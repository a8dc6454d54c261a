"""Tape: what is still to be shown, instant by instant, in the order of (end, symbol rank, interval length).

Symbols that join later rank last, so the tape is a list of lanes in rank order: an instant is the instant's
part of each lane, one after the other. Only when there are many lanes are the late ones put together.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Sequence

import numpy as np
from msgspec import Struct
from numpy.typing import NDArray

from mismartera.bars import Bar
from mismartera.session.feed import BarFeed
from mismartera.session.lane import Lane
from mismartera.session.part import Part

Ints = NDArray[np.int64]


LANES_MAX = 12
"""More lanes than this are put together but for the first: each costs a microsecond per instant (measured)."""


class Head(Struct, frozen=True):
    """The first bar of an instant in the order of showing."""

    symbol: str
    interval: str
    end_us: int


class Tape:
    """The remaining instants. ``ends[position]`` is the next one; ``position`` only moves forward.

    ``base_before[k]``, ``derived_before[k]`` and ``public_before[k]`` count the base bars, the derived bars and
    the bars to be shown of the tape before instant ``k``.
    """

    def __init__(self, lanes: Sequence[Lane] = ()) -> None:
        self.lanes: list[Lane] = [lane for lane in lanes if len(lane)]
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
        return self._shown_base + _at(self.base_before, self.position)

    @property
    def derived_shown(self) -> int:
        """Derived bars shown so far, since the tape was made."""
        return self._shown_derived + _at(self.derived_before, self.position)

    def base_between(self, first: int, last: int) -> Ints:
        """How many base bars come before each of the instants ``first:last``, and before ``last``."""
        return self._base_before[first : last + 1]

    def public_shown(self, first: int, last: int) -> int:
        """The bars to be shown of the instants ``first:last``."""
        return max(0, _at(self.public_before, last) - _at(self.public_before, first))

    def append(self, lane: Lane) -> None:
        """Add the bars of symbols that rank after all others; they may end before the tape's head."""
        self._drop_shown()
        self.lanes.append(lane)
        if len(self.lanes) > LANES_MAX:
            self.lanes = [self.lanes[0], Lane.merged(self.lanes[1:])]
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
        """The bars of instant ``k`` that are shown, in order, as a fresh list."""
        if len(self.lanes) == 1:
            return self.lanes[0].bars(k, lag_seconds)
        return [bar for lane in self.lanes for bar in lane.bars(k, lag_seconds)]

    def parts(self, k: int) -> list[Part]:
        """The rows of instant ``k`` that are shown, strip by strip."""
        if len(self.lanes) == 1:
            return self.lanes[0].parts(k)
        return [part for lane in self.lanes for part in lane.parts(k)]

    def sole_feed(self) -> BarFeed | None:
        """All bars that are shown, where they are one lane's; None if several lanes must be put together."""
        return self.lanes[0].feed if len(self.lanes) == 1 else None

    def head(self, k: int) -> Head:
        """The first bar of instant ``k``, hidden base bars included."""
        for lane in self.lanes:
            if first := lane.first_bar(k):
                return Head(*first, self.ends[k])
        raise AssertionError(f"instant {k} has no bars")

    def oldest_by_symbol(self, first: int, last: int) -> dict[str, int]:
        """The symbols that have bars in the instants ``first:last``, in rank order, and each one's oldest end."""
        return {s: end for lane in self.lanes for s, end in lane.oldest_by_symbol(first, last).items()}

    def _drop_shown(self) -> None:
        k = self.position
        self._shown_base += self.base_before[k]
        self._shown_derived += self.derived_before[k]
        for lane in self.lanes:
            lane.drop_shown(k)
        self.lanes = [lane for lane in self.lanes if len(lane)]
        self.position = 0

    def _index(self) -> None:
        """The instants of all lanes, and where each strip's rows of each instant begin."""
        found = [[strip.instants() for strip in lane.strips] for lane in self.lanes]
        instants = _union([ends for strips in found for ends, _ in strips])
        self.ends: list[int] = instants.tolist()
        base, derived, public = (np.zeros(len(instants) + 1, dtype=np.int64) for _ in range(3))
        for lane, strips in zip(self.lanes, found, strict=True):
            all_cuts = []
            for strip, (ends, counts) in zip(lane.strips, strips, strict=True):
                cuts = np.zeros(len(instants) + 1, dtype=np.int64)
                cuts[1 + instants.searchsorted(ends)] = counts
                all_cuts.append(cuts.cumsum(out=cuts))
                counted = base if strip.block.is_base else derived
                counted += cuts
                if strip.public:
                    public += cuts
            lane.cut(all_cuts)
        self._base_before = base
        self.base_before: list[int] = base.tolist()
        self.derived_before: list[int] = derived.tolist()
        self.public_before: list[int] = public.tolist()


_NONE: Ints = np.empty(0, dtype=np.int64)


def _at(counts: list[int], position: int) -> int:
    """``counts[position]`` for whoever looks from another thread while the tape is being changed."""
    return counts[min(position, len(counts) - 1)]


def _union(sorted_parts: Sequence[Ints]) -> Ints:
    """The distinct values of all parts, each of which is sorted and distinct itself."""
    if len(sorted_parts) == 1:
        return sorted_parts[0]
    return np.unique(np.concatenate(sorted_parts)) if sorted_parts else _NONE
