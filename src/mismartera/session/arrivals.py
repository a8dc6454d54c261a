"""Arrivals: bars that come an instant at a time: sorted out, processed, and put on the tape to be shown."""

from __future__ import annotations

import math
import sys
from collections import Counter
from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from mismartera.bars import SeriesInfo
from mismartera.bars.validation import has_valid_prices
from mismartera.session.arriving import ArrivingTape, Batch
from mismartera.session.increment import IncrementalProcessor
from mismartera.session.state import SessionState, SymbolData

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
_FEW = 8
"""A dozen operations of NumPy cost more than so many bars in Python."""
_LIMITS = np.array([[math.ulp(0.0)], [0.0], [sys.float_info.max]])
"""The smallest price, the smallest volume, the greatest of both: rows 5, 6 and 7 of a table, below the columns."""
_LOWER, _HIGHER = np.array([2, 2, 0, 3, 5, 6, 1, 4]), np.array([0, 3, 1, 1, 2, 4, 7, 7])
"""Rows of it: low is at most open and close, and they are at most high, and so on."""


class Arrivals:
    """The bars of a batch of symbols in one session. Runs on the engine's thread only.

    The symbols are ``infos``' in the order of their ranks. Nothing is known ahead: what is readable and shown at
    an instant is made of what had arrived by then. ``counts`` has R1's fates of the bars.
    """

    def __init__(
        self, processor: IncrementalProcessor, tape: ArrivingTape, state: SessionState,
        infos: Mapping[str, SeriesInfo], ranks: Mapping[str, int],
    ) -> None:  # fmt: skip
        self._processor = processor
        self._tape = tape
        self._base = processor.base.block
        self._ends: list[int] = self._base.windows.end.tolist()
        self._batch = Batch(self._base.symbols, infos, ranks)
        self._next = 0
        self.counts: Counter[str] = Counter()
        blocks = {block.interval.length_us: block for block in processor.blocks}
        state.put(
            {
                symbol: SymbolData(infos[symbol], blocks, row, loaded=True)
                for row, symbol in enumerate(self._base.symbols)
            }
        )

    def take(self, window: int, owners: Ints, prices: Floats) -> None:
        """The bars of the base interval's ``window`` have come, all of them, and those of all before it.

        ``owners``: whose they are, places among the symbols, sorted, each once; ``prices``: a row for open, high,
        low, close and volume each. Both are copied.
        Windows without bars need not be told of.
        """
        assert window >= self._next, "instants arrive in order"
        self._pass_to(window)
        self.counts["received"] += len(owners)
        if are_valid(prices):
            owners, prices = owners.copy(), prices.copy()
        else:
            valid = has_valid_prices(*prices)
            self.counts["rejected"] += len(owners) - int(valid.sum())
            owners, prices = owners[valid], prices[:, valid]
        if len(owners):
            self.counts["accepted"] += len(owners)
        grown = self._processor.take(window, owners, prices) + self._processor.end(window)
        if grown:
            self._tape.add(self._ends[window], grown, self._batch)
        self._next = window + 1

    def finish(self) -> None:
        """Nothing more comes in this session: the windows that are open end."""
        self._pass_to(len(self._ends))

    def _pass_to(self, window: int) -> None:
        """Windows of derived bars that end with a base window without bars."""
        for quiet in range(self._next, window):
            if grown := self._processor.end(quiet):
                self._tape.add(self._ends[quiet], grown, self._batch)
        self._next = window


def are_valid(prices: Floats) -> bool:
    """True if :func:`has_valid_prices` is True of all bars; few bars are asked one by one."""
    size = prices.shape[1]
    if size > _FEW:  # to count is what NumPy does fastest; a NaN compares as False
        table = np.empty((8, size))
        table[:5], table[5:] = prices, _LIMITS
        return bool(np.count_nonzero(table.take(_LOWER, axis=0) <= table.take(_HIGHER, axis=0)) == 8 * size)
    return all(
        0.0 < low <= open_ <= high < math.inf and low <= close <= high and 0.0 <= volume < math.inf
        for open_, high, low, close, volume in prices.T.tolist()
    )
