"""BarFeed: the shown bars of a lane, made one by one while they are handed out.

Making bars is the cost of streaming. They are made by ``map`` over lists of their fields, in chunks of some rows
of whole instants; a bar that nobody keeps is gone before the next one is made, so that the next one finds its
memory warm. Clearing ``names``, one of the lists, ends whatever walks over the chunk: that is how a fence cuts in.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterable, Iterator, Sequence
from itertools import repeat
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mismartera.bars import Bar, make_bar
from mismartera.session.interleaved import Interleaved
from mismartera.session.series import PRICE_COLUMNS
from mismartera.session.strip import Strip

Ints = NDArray[np.int64]

_CHUNK_FIRST = 128
_CHUNK_LAST = 1024
"""More rows would not stay in the cache (measured: 400 to 2,000 are alike)."""
_FIRST_STAY = frozenset({1})


class BarFeed:
    """The rows of ``strips`` (by interval length), by (end, rank, interval length).

    ``cuts[k]`` is where the rows of the tape's instant ``k`` begin; ``strip_cuts`` the same strip by strip. Only
    the engine's thread walks; ``names`` may be cleared by any.
    """

    def __init__(self, strips: Sequence[Strip], strip_cuts: Sequence[Ints]) -> None:
        cuts = sum(strip_cuts[1:], start=strip_cuts[0])
        self.cuts: list[int] = cuts.tolist()
        self.names: list[str] = []
        self._rows = strips[0] if len(strips) == 1 else Interleaved(strips, strip_cuts)
        self._bars: Iterator[Bar] = iter(())
        self._next = self._stop = 0
        self._chunk = _CHUNK_FIRST

    def chunk(self, k: int, last: int) -> tuple[Iterator[Bar], int]:
        """An iterator over the bars of the instants ``k:stop``, and ``stop``, at most ``last``."""
        first = self.cuts[k]
        stop = min(max(bisect_right(self.cuts, first + self._chunk) - 1, k + 1), last)
        self._fill(first, self.cuts[stop])
        self._next = self._stop  # the whole chunk is given away
        return self._bars, stop

    def bars(self, k: int, lag_seconds: float = 0.0) -> list[Bar]:
        """The bars of instant ``k`` as a fresh list."""
        first, last = self.cuts[k], self.cuts[k + 1]
        if lag_seconds:
            return list(self._made(first, last, lag_seconds))
        if first != self._next or last > self._stop or not self.names:
            ahead = bisect_right(self.cuts, first + self._chunk) - 1
            self._fill(first, self.cuts[max(ahead, k + 1)])
        self._next = last
        bars = self._bars
        return [next(bars) for _ in range(last - first)]

    def _fill(self, first: int, last: int) -> None:
        self._bars = self._made(first, last, 0.0)
        self._next, self._stop = first, last
        self._chunk = min(4 * self._chunk, _CHUNK_LAST)

    def _made(self, first: int, last: int, lag_seconds: float) -> Iterator[Bar]:
        """Bars of the rows ``first:last``; fields at their defaults are left out."""
        source, rows = self._rows, slice(first, last)
        names = source.symbols_of(rows)
        fields: list[Iterable[Any]] = [names, source.labels_of(rows), source.spans_of(rows)]
        fields += [source.values_of(name, rows) for name in PRICE_COLUMNS]
        later = source.generations != _FIRST_STAY
        if not source.is_base or lag_seconds or later:
            fields.append(source.values_of("bar_count", rows))
        if lag_seconds or later:
            fields.append(repeat(lag_seconds))
        if later:
            fields.append(source.generations_of(rows))
        self.names = names
        return map(make_bar, *fields)
