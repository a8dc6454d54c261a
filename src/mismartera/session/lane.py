"""Lane: the strips of symbols that were loaded together, one per interval, and how they interleave."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from mismartera.bars import Bar, SeriesInfo
from mismartera.session.feed import BarFeed
from mismartera.session.part import Part
from mismartera.session.series import SeriesBlock, joined
from mismartera.session.strip import Strip

Ints = NDArray[np.int64]


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
        self._arrays: list[Ints] = []
        self._public: list[tuple[Strip, list[int]]] = []
        self._feed: BarFeed | None = None

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

    @property
    def feed(self) -> BarFeed | None:
        """The bars that are shown; None if there are none."""
        if self._feed is None:
            public = [(strip, cuts) for strip, cuts in zip(self.strips, self._arrays, strict=True) if strip.public]
            if public:
                self._feed = BarFeed([strip for strip, _ in public], [cuts for _, cuts in public])
        return self._feed

    def cut(self, cuts: list[Ints]) -> None:
        """Where the rows of each of the tape's instants begin, strip by strip."""
        self._arrays = cuts
        self.cuts = [array.tolist() for array in cuts]
        self._public = [pair for pair in zip(self.strips, self.cuts, strict=True) if pair[0].public]
        self._feed = None

    def drop_shown(self, k: int) -> None:
        """Forget what lies before instant ``k``; the tape then cuts anew."""
        self.strips = [strip.after(cuts[k]) for strip, cuts in zip(self.strips, self.cuts, strict=True)]

    def drop_symbol(self, symbol: str) -> None:
        """Forget the remaining rows of ``symbol``; the tape then cuts anew."""
        self.strips = [strip.without(symbol) for strip in self.strips]

    def bars(self, k: int, lag_seconds: float) -> list[Bar]:
        """The bars of instant ``k`` that are shown, by (rank, interval length), as a fresh list."""
        feed = self.feed
        return [] if feed is None else feed.bars(k, lag_seconds)

    def parts(self, k: int) -> list[Part]:
        """The rows of instant ``k`` that are shown, strip by strip."""
        return [Part(strip, cuts[k], cuts[k + 1]) for strip, cuts in self._public if cuts[k] < cuts[k + 1]]

    def first_bar(self, k: int) -> tuple[str, str] | None:
        """Symbol and interval of the first bar of instant ``k``, hidden ones included; None if it has none
        here.
        """
        heads = [
            (strip.column("rank", slice(cuts[k], cuts[k] + 1))[0], number)
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
            rows, block = strip.order[cuts[first] : cuts[last]], strip.block
            owners, where = np.unique(block.owner[rows], return_index=True)
            ends = block.windows.end[block.window[rows[where]]]
            for owner, end_us in zip(owners.tolist(), ends.tolist(), strict=True):
                symbol = strip.block.symbols[owner]
                oldest[symbol] = min(end_us, oldest.get(symbol, end_us))
        return dict(sorted(oldest.items(), key=lambda item: self.ranks[item[0]]))
