"""Lane: the strips of symbols that were loaded together, one per interval, and how they interleave."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from mismartera.bars import Bar, SeriesInfo
from mismartera.session.series import SeriesBlock, joined
from mismartera.session.strip import Strip

Ints = NDArray[np.int64]
Part = tuple[Strip, Ints]
"""A strip and some of its rows."""


class Lane:
    """Strips by interval length. ``infos`` and ``ranks`` have all their symbols.

    ``cuts[s][k]`` is where the rows of the tape's instant ``k`` begin in strip ``s``; the tape sets it.
    """

    def __init__(
        self, blocks: Sequence[SeriesBlock], infos: Mapping[str, SeriesInfo], ranks: Mapping[str, int]
    ) -> None:
        by_length = sorted((block for block in blocks if len(block)), key=lambda block: block.interval)
        self.strips = [Strip(block, infos, ranks) for block in by_length]
        self.ranks = ranks
        self.cuts: list[list[int]] = []

    @classmethod
    def merged(cls, lanes: Sequence[Lane]) -> Lane:
        """One lane with the remaining rows of ``lanes``, which are in rank order."""
        alike: dict[tuple[object, ...], list[SeriesBlock]] = {}
        infos: dict[str, SeriesInfo] = {}
        for strip in (strip for lane in lanes for strip in lane.strips if len(strip.order)):
            block = strip.remaining()
            infos |= {symbol: info for symbol, info in strip.infos() if symbol in block.symbols}
            key = (block.interval.length_us, block.interval.label, block.is_base, block.public, *block.indicators)
            alike.setdefault(key, []).append(block)
        ranks = {symbol: rank for lane in lanes for symbol, rank in lane.ranks.items()}
        return cls([joined(blocks, ranks) for blocks in alike.values()], infos, ranks)

    def __len__(self) -> int:
        return sum(len(strip.order) for strip in self.strips)

    def drop_symbol(self, symbol: str) -> None:
        """Forget the remaining rows of ``symbol``."""
        for strip in self.strips:
            strip.drop_symbol(symbol)

    def bars(self, k: int, lag_seconds: float) -> list[Bar]:
        """The bars of instant ``k`` that are shown, by (rank, interval length), as a fresh list."""
        if len(self.strips) == 1 and not lag_seconds and self.strips[0].public:
            cuts = self.cuts[0]
            return self.strips[0].bars(cuts[k], cuts[k + 1])
        found: list[Bar] = []
        strips = 0
        for strip, cuts in zip(self.strips, self.cuts, strict=True):
            first, last = cuts[k], cuts[k + 1]
            if first < last and strip.public:
                rows = strip.bars_of(strip.order[first:last], lag_seconds) if lag_seconds else None
                found += strip.bars(first, last) if rows is None else rows
                strips += 1
        if strips > 1:
            found = [found[i] for i in self._interleaved(k)]
        return found

    def parts(self, k: int) -> list[Part]:
        """The rows of instant ``k`` that are shown, strip by strip."""
        return [
            (strip, strip.order[cuts[k] : cuts[k + 1]])
            for strip, cuts in zip(self.strips, self.cuts, strict=True)
            if cuts[k] < cuts[k + 1] and strip.public
        ]

    def first_bar(self, k: int) -> tuple[str, str] | None:
        """Symbol and interval of the first bar of instant ``k``, hidden ones included; None if it has none
        here.
        """
        heads = [
            (strip.ranks_of(strip.order[cuts[k]]), number)
            for number, (strip, cuts) in enumerate(zip(self.strips, self.cuts, strict=True))
            if cuts[k] < cuts[k + 1]
        ]
        if not heads:
            return None
        first = min(heads)[1]
        strip, cuts = self.strips[first], self.cuts[first]
        return strip.block.symbols[strip.block.owner[strip.order[cuts[k]]]], strip.interval.label

    def oldest_by_symbol(self, first: int, last: int) -> dict[str, int]:
        """The symbols that have bars in the instants ``first:last``, in rank order, and each one's oldest end."""
        oldest: dict[str, int] = {}
        for strip, cuts in zip(self.strips, self.cuts, strict=True):
            rows = strip.order[cuts[first] : cuts[last]]
            owners, where = np.unique(strip.block.owner[rows], return_index=True)
            for owner, end_us in zip(owners.tolist(), strip.block.end[rows[where]].tolist(), strict=True):
                symbol = strip.block.symbols[owner]
                oldest[symbol] = min(end_us, oldest.get(symbol, end_us))
        return dict(sorted(oldest.items(), key=lambda item: self.ranks[item[0]]))

    def _interleaved(self, k: int) -> list[int]:
        """The order by rank, then by length, of the rows of instant ``k``, which stand strip by strip."""
        ranks = [strip.ranks_of(rows) for strip, rows in self.parts(k)]
        order: list[int] = np.concatenate(ranks).argsort(kind="stable").tolist()
        return order
