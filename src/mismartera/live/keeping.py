"""Keeping: the accepted bars of a while, as what the store takes, and whoever takes them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from mismartera.bars import BarBlock

Ints = NDArray[np.int64]
Accepted = tuple[list[str], Ints | int, NDArray[np.float64]]
"""Symbols, windows (one number: that of all), and prices (a row per column) of bars, in the order in which they
were accepted.
"""


class Keeper(Protocol):
    """Where accepted bars are kept."""

    def put(self, interval: str, block: BarBlock) -> object:
        """Keep ``block`` soon; returns at once."""
        ...

    def write(self, interval: str, block: BarBlock) -> None:
        """Keep ``block`` now; blocks."""
        ...

    def stop(self) -> object:
        """Return when all that was put is kept."""
        ...

    def tidy(self) -> None:
        """Keep all that was put, and put it in order: a session has ended. Blocks."""
        ...


def accepted_block(rows: Sequence[Accepted], starts: Ints) -> BarBlock:
    """Accepted bars as one block, by symbol and time; of one that came again, the last."""
    names = [name for symbols, _, _ in rows for name in symbols]
    symbols = tuple(dict.fromkeys(names))
    place = {symbol: k for k, symbol in enumerate(symbols)}
    owner = np.array([place[name] for name in names], dtype=np.int64)
    windows = np.concatenate([np.broadcast_to(window, len(own)) for own, window, _ in rows]).astype(np.int64)
    prices = np.concatenate([values for _, _, values in rows], axis=1)
    order = np.lexsort((windows, owner))  # stable: the last of a key stays the last
    key = owner[order] * len(starts) + windows[order]
    last = np.append(key[1:] != key[:-1], np.ones(min(len(key), 1), dtype=np.bool_))
    order = order[last]
    offsets = np.concatenate(([0], np.cumsum(np.bincount(owner[order], minlength=len(symbols)))))
    return BarBlock(symbols, offsets, starts[windows[order]], *prices[:, order].copy())
