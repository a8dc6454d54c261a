"""Lane: the bars of symbols that were loaded together, in the order in which they are shown.

The columns stay as they were processed, symbol by symbol; ``order`` is a permutation of their rows by (end, rank,
interval length), found by stable sorts on small integers, which NumPy does by radix.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import repeat
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

from mismartera.bars import Bar, Interval, SeriesInfo, make_bar
from mismartera.bars.instants import MINUTE_US, SECOND_US
from mismartera.session.series import PRICE_COLUMNS, SeriesBlock

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
_T = TypeVar("_T", bound=np.generic)
_RADIX_MAX = 1 << 16


class Lane:
    """The rows of several blocks as one table, and the part of it that has not been shown yet.

    ``order`` holds the remaining rows, hidden ones (a base interval that nobody asked for) included;
    ``public_order`` only those that are shown. Both are sorted by (end, rank, interval length).
    """

    def __init__(self, blocks: Sequence[SeriesBlock], infos: Mapping[str, SeriesInfo]) -> None:
        self.symbols = tuple(infos)
        self.intervals: tuple[Interval, ...] = tuple(sorted({block.interval for block in blocks}))
        code = {symbol: k for k, symbol in enumerate(self.symbols)}
        parts = [np.array([code[s] for s in block.symbols], dtype=np.int64) for block in blocks]
        self.owner: Ints = _stack([np.repeat(p, np.diff(b.offsets)) for p, b in zip(parts, blocks, strict=True)])
        self.kind: NDArray[np.int8] = _stack(
            [np.full(len(block), self.intervals.index(block.interval), dtype=np.int8) for block in blocks]
        )
        self.is_base: NDArray[np.bool_] = _stack([np.full(len(block), block.is_base) for block in blocks])
        self.start: Ints = _stack([block.start for block in blocks])
        self.end: Ints = _stack([block.end for block in blocks])
        self.prices: tuple[Floats, ...] = tuple(
            _stack([getattr(b, name) for b in blocks]) for name in PRICE_COLUMNS
        )
        self.bar_count: Ints = _stack([block.bar_count for block in blocks])
        self._names = _objects(self.symbols)
        self._infos = _objects(tuple(infos.values()))
        self._labels = self._label_table(blocks, code)
        self.order = self._sorted(one_block=len(blocks) == 1)
        hidden = [block for block in blocks if not block.public]
        self._public = _stack([np.full(len(block), block.public) for block in blocks]) if hidden else None
        self._chunk: list[Bar] = []
        self._chunk_first = 0
        self._chunk_size = _CHUNK_FIRST
        self._cut()

    def __len__(self) -> int:
        return len(self.order)

    def generations(self) -> list[tuple[str, int]]:
        """The lane's symbols with their generations."""
        return [(symbol, info.generation) for symbol, info in zip(self.symbols, self._infos.tolist(), strict=True)]

    def drop_shown(self, rows: int) -> None:
        """Forget the first ``rows`` of ``order``: they have been shown."""
        self.order = self.order[rows:]
        self._cut()

    def drop_symbol(self, symbol: str) -> None:
        """Forget the remaining rows of ``symbol``."""
        if symbol in self.symbols:
            self.order = self.order[self.owner[self.order] != self.symbols.index(symbol)]
            self._cut()

    def bars(self, first: int, last: int) -> list[Bar]:
        """The bars ``first:last`` of ``public_order``, with lag 0: a fresh list. Made ahead in chunks."""
        offset = self._chunk_first
        if first < offset or last > offset + len(self._chunk):
            size = max(last - first, self._chunk_size)
            self._chunk = self.make_bars(first, min(first + size, len(self.public_order)))
            self._chunk_first = offset = first
            self._chunk_size = min(4 * self._chunk_size, _CHUNK_LAST)
        return self._chunk[first - offset : last - offset]

    def make_bars(self, first: int, last: int, lag_seconds: float = 0.0) -> list[Bar]:
        """Bars of the rows ``first:last`` of ``public_order``, all with the same lag."""
        return self.bars_of(self.public_order[first:last], lag_seconds)

    def bars_of(self, rows: Ints, lag_seconds: float = 0.0) -> list[Bar]:
        """Bars of these rows of the table, all with the same lag."""
        owner = self.owner[rows]
        columns = (self.start, self.end, *self.prices)
        return list(
            map(
                make_bar,
                self._names[owner].tolist(),
                self._labels[owner, self.kind[rows]].tolist(),
                *(column[rows].tolist() for column in columns),
                self._infos[owner].tolist(),
                self.bar_count[rows].tolist(),
                repeat(lag_seconds),
            )
        )

    def rows_of(self, rows: Ints, symbols: frozenset[str] | None, intervals: frozenset[Interval] | None) -> Ints:
        """Those of ``rows`` whose symbol and interval are wanted (None: all)."""
        if symbols is not None:
            wanted = np.array([symbol in symbols for symbol in self.symbols], dtype=np.bool_)
            rows = rows[wanted[self.owner[rows]]]
        if intervals is not None:
            wanted = np.array([interval in intervals for interval in self.intervals], dtype=np.bool_)
            rows = rows[wanted[self.kind[rows]]]
        return rows

    def _cut(self) -> None:
        """Derive what depends on ``order``. A small first chunk makes a change quick to take effect."""
        self.public_order = self.order if self._public is None else self.order[self._public[self.order]]
        self._chunk, self._chunk_first, self._chunk_size = [], 0, _CHUNK_FIRST

    def _label_table(self, blocks: Sequence[SeriesBlock], code: Mapping[str, int]) -> NDArray[np.object_]:
        """For each symbol and interval the label: one may have asked for ``1m`` and another for ``60s``."""
        labels = np.empty((len(self.symbols), len(self.intervals)), dtype=object)
        for block in blocks:
            labels[[code[symbol] for symbol in block.symbols], self.intervals.index(block.interval)] = (
                block.interval.label
            )
        return labels

    def _sorted(self, *, one_block: bool) -> Ints:
        rows = np.arange(len(self.end)) if one_block else _argsort(self.owner * len(self.intervals) + self.kind)
        if not len(rows):
            return rows
        unit = MINUTE_US if all(i.length_us % MINUTE_US == 0 for i in self.intervals) else SECOND_US
        slot = (self.end - self.end.min()) // unit
        return rows[_argsort(slot if one_block else slot[rows])]


_CHUNK_FIRST = 256
_CHUNK_LAST = 4096


def _argsort(keys: Ints) -> Ints:
    """Stable argsort; keys below 2**16 are sorted by radix, some ten times as fast."""
    if len(keys) and keys.max() < _RADIX_MAX:
        return keys.astype(np.uint16).argsort(kind="stable")
    return keys.argsort(kind="stable")


def _stack(parts: Sequence[NDArray[_T]]) -> NDArray[_T]:
    return parts[0] if len(parts) == 1 else np.concatenate(parts)


def _objects(values: Sequence[object]) -> NDArray[np.object_]:
    array = np.empty(len(values), dtype=object)
    array[:] = values
    return array
