"""BarFeed: the shown bars of a lane, made one by one while they are handed out.

Making bars is the cost of streaming. They are made by ``map`` over lists of their fields, in chunks of some rows
of whole instants; a bar that nobody keeps is gone before the next one is made, so that the next one finds its
memory warm. Clearing a chunk ends whatever walks over it: that is how a fence cuts in.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterator, Sequence

import numpy as np
from numpy.typing import NDArray

from mismartera.bars import Bar
from mismartera.session.chunk import Chunk, make_chunk
from mismartera.session.strip import Strip

Ints = NDArray[np.int64]

_ROWS_FIRST = 1024
"""After a change the first chunk is small, so that the change takes effect quickly."""
_ROWS_LAST = 8192
"""Enough to share the fixed cost of a chunk, few enough for the cache (measured: 500 to 8,000 are alike)."""


class BarFeed:
    """The rows of ``strips`` (by interval length), by (end, rank, interval length).

    ``cuts[k]`` is where the rows of the tape's instant ``k`` begin; ``strip_cuts`` the same strip by strip. Only
    the engine's thread walks.
    """

    def __init__(self, strips: Sequence[Strip], strip_cuts: Sequence[Ints]) -> None:
        cuts = sum(strip_cuts[1:], start=strip_cuts[0])
        self.cuts: list[int] = cuts.tolist()
        self._strips = strips
        self._strip_cuts = strip_cuts
        self._ahead: Iterator[Iterator[Bar]] = iter(())
        self._next = self._stop = 0
        self._rows = _ROWS_FIRST

    def chunk(self, k: int, last: int) -> tuple[Chunk, int]:
        """The bars of the instants ``k:stop``, and ``stop``, at most ``last``."""
        chunk, stop = self._made(k, last)
        self._next = self._stop = stop  # all of it is given away
        return chunk, stop

    def bars(self, k: int, lag_seconds: float = 0.0) -> list[Bar]:
        """The bars of instant ``k`` as a fresh list."""
        if lag_seconds:
            return list(next(self._chunk(k, k + 1, lag_seconds).instants))
        if k != self._next or k >= self._stop:
            chunk, self._stop = self._made(k, len(self.cuts) - 1)
            self._ahead = chunk.instants
        self._next = k + 1
        return list(next(self._ahead))

    def _made(self, k: int, last: int) -> tuple[Chunk, int]:
        """The bars of the next chunk, which begins with instant ``k``, and the instant after it."""
        stop = min(max(bisect_right(self.cuts, self.cuts[k] + self._rows) - 1, k + 1), last)
        self._rows = _ROWS_LAST
        return self._chunk(k, stop), stop

    def _chunk(self, k: int, stop: int, lag_seconds: float = 0.0) -> Chunk:
        return make_chunk(self._strips, self._strip_cuts, k, stop, lag_seconds)
