"""Strip: the bars of one block in the order in which they are shown, made into Bars in chunks.

The columns stay as they were processed, symbol by symbol; ``order`` is a permutation of their rows by (end, symbol
rank), found by a stable sort on small integers, which NumPy does by radix.
"""

from __future__ import annotations

from collections.abc import Mapping
from itertools import repeat

import numpy as np
from numpy.typing import NDArray

from mismartera.bars import Bar, SeriesInfo, make_bar
from mismartera.bars.instants import MINUTE_US, SECOND_US
from mismartera.session.series import PRICE_COLUMNS, SeriesBlock

Ints = NDArray[np.int64]
_RADIX_MAX = 1 << 16
_CHUNK_FIRST = 256
_CHUNK_LAST = 4096


class Strip:
    """The rows of ``block`` that have not been shown yet: ``order``, by end, then by rank of their symbols."""

    def __init__(self, block: SeriesBlock, infos: Mapping[str, SeriesInfo], ranks: Mapping[str, int]) -> None:
        self.block = block
        self.interval = block.interval
        self.public = block.public
        self._names = np.empty(len(block.symbols), dtype=object)
        self._names[:] = block.symbols
        generations = {infos[symbol].generation for symbol in block.symbols}
        self._info = infos[block.symbols[0]] if len(generations) == 1 else None
        self._infos = np.empty(len(block.symbols), dtype=object)
        self._infos[:] = [infos[symbol] for symbol in block.symbols]
        self._ranks = np.array([ranks[symbol] for symbol in block.symbols], dtype=np.int64)
        self._columns = (block.start, block.end, *(getattr(block, name) for name in PRICE_COLUMNS))
        self.order = _by_end(block)
        self._chunk: list[Bar] = []
        self._chunk_first = 0
        self._chunk_size = _CHUNK_FIRST

    def ends(self) -> Ints:
        """The ends of the remaining rows, in order."""
        return self.block.end[self.order]

    def drop_shown(self, rows: int) -> None:
        """Forget the first ``rows`` of ``order``: they have been shown."""
        if rows:
            self.order = self.order[rows:]
            self._forget_chunk()

    def drop_symbol(self, symbol: str) -> None:
        """Forget the remaining rows of ``symbol``."""
        if symbol in self.block.symbols:
            self.order = self.order[self.block.owner[self.order] != self.block.symbols.index(symbol)]
            self._forget_chunk()

    def bars(self, first: int, last: int) -> list[Bar]:
        """The bars ``first:last`` of ``order``, with lag 0: a fresh list. Made ahead in chunks."""
        offset = self._chunk_first
        if first < offset or last > offset + len(self._chunk):
            size = max(last - first, self._chunk_size)
            self._chunk = self.bars_of(self.order[first : first + size])
            self._chunk_first = offset = first
            self._chunk_size = min(4 * self._chunk_size, _CHUNK_LAST)
        return self._chunk[first - offset : last - offset]

    def bars_of(self, rows: Ints, lag_seconds: float = 0.0) -> list[Bar]:
        """Bars of these rows of the block, all with the same lag."""
        owner = self.block.owner[rows]
        info = repeat(self._info) if self._info is not None else self._infos[owner].tolist()
        columns = [column[rows].tolist() for column in self._columns]
        given = (self._names[owner].tolist(), repeat(self.interval.label), *columns, info)
        if self.block.is_base and not lag_seconds:
            return list(map(make_bar, *given))
        return list(map(make_bar, *given, self.block.bar_count[rows].tolist(), repeat(lag_seconds)))

    def ranks_of(self, rows: Ints) -> Ints:
        """The ranks of the symbols of these rows."""
        ranks: Ints = self._ranks[self.block.owner[rows]]
        return ranks

    def rows_of(self, rows: Ints, symbols: frozenset[str]) -> Ints:
        """Those of ``rows`` whose symbol is one of ``symbols``."""
        wanted = np.array([symbol in symbols for symbol in self.block.symbols], dtype=np.bool_)
        return rows[wanted[self.block.owner[rows]]]

    def remaining(self) -> SeriesBlock:
        """The rows that have not been shown, and their symbols, as a block of their own."""
        rows = np.zeros(len(self.block), dtype=np.bool_)
        rows[self.order] = True
        chosen = np.bincount(self.block.owner[self.order], minlength=len(self.block.symbols)) > 0
        symbols = tuple(symbol for symbol, has in zip(self.block.symbols, chosen.tolist(), strict=True) if has)
        return self.block.select(symbols, chosen, rows)

    def infos(self) -> list[tuple[str, SeriesInfo]]:
        """The strip's symbols with what their bars share."""
        return list(zip(self.block.symbols, self._infos.tolist(), strict=True))

    def generations(self) -> list[tuple[str, int]]:
        """The strip's symbols with their generations."""
        return [(s, info.generation) for s, info in zip(self.block.symbols, self._infos.tolist(), strict=True)]

    def _forget_chunk(self) -> None:
        """After a change the next chunk is small, so that the change takes effect quickly."""
        self._chunk, self._chunk_first, self._chunk_size = [], 0, _CHUNK_FIRST


def _by_end(block: SeriesBlock) -> Ints:
    """The rows of ``block`` sorted by end; rows of one end stay in the order of their symbols."""
    if not len(block):
        return np.empty(0, dtype=np.int64)
    base_us = MINUTE_US if block.interval.length_us % MINUTE_US == 0 else SECOND_US
    slot = (block.end - block.end.min()) // base_us
    if slot.max() < _RADIX_MAX:
        slot = slot.astype(np.uint16)
    order: Ints = slot.argsort(kind="stable")
    return order
