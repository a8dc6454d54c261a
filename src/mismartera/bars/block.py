"""BarBlock: the bars of one interval for many symbols, as columns in symbol order."""

from __future__ import annotations

import numpy as np
from msgspec import Struct
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]


class BarBlock(Struct, frozen=True, eq=False):
    """Columns of one length; symbol ``symbols[k]`` owns rows ``offsets[k]:offsets[k + 1]``, sorted by ``start``.

    ``start`` is in microseconds since the epoch, UTC. Prices and volume are doubles. The arrays are read-only.
    """

    symbols: tuple[str, ...]
    offsets: Ints
    start: Ints
    open: Floats
    high: Floats
    low: Floats
    close: Floats
    volume: Floats

    def __post_init__(self) -> None:
        assert len(self.offsets) == len(self.symbols) + 1, "offsets must frame every symbol"
        assert self.offsets[0] == 0 and self.offsets[-1] == len(self.start), "offsets must cover the columns"
        for column in (self.offsets, self.start, *self.columns):
            column.flags.writeable = False

    def __len__(self) -> int:
        return len(self.start)

    @property
    def columns(self) -> tuple[Floats, Floats, Floats, Floats, Floats]:
        """Open, high, low, close and volume."""
        return self.open, self.high, self.low, self.close, self.volume

    @property
    def rows_per_symbol(self) -> Ints:
        """How many rows each symbol has."""
        return np.diff(self.offsets)

    def row_symbols(self) -> Ints:
        """For each row the index of its symbol."""
        return np.repeat(np.arange(len(self.symbols)), self.rows_per_symbol)

    def keep(self, mask: NDArray[np.bool_]) -> BarBlock:
        """The rows where ``mask`` is true (this block itself if all are)."""
        if mask.all():
            return self
        kept = np.concatenate(([0], np.cumsum(mask)))
        return BarBlock(
            self.symbols, kept[self.offsets], self.start[mask], *(column[mask] for column in self.columns)
        )

    @staticmethod
    def empty(symbols: tuple[str, ...] = ()) -> BarBlock:
        """A block without rows."""
        none = np.empty(0, dtype=np.float64)
        return BarBlock(
            symbols, np.zeros(len(symbols) + 1, dtype=np.int64), np.empty(0, dtype=np.int64),
            none.copy(), none.copy(), none.copy(), none.copy(), none.copy(),
        )  # fmt: skip
