"""Stretch: the rows of one strip in some instants, and their bars, each made when it is asked for."""

from __future__ import annotations

from array import array
from collections.abc import Iterable, Iterator
from itertools import chain, repeat

import numpy as np
from numpy.typing import NDArray

from mismartera.bars import Bar, Span, make_bars, make_bars_of_instants
from mismartera.session.series import PRICE_COLUMNS
from mismartera.session.strip import Strip

Ints = NDArray[np.int64]

_DENSE = 4
"""With so many bars per instant it is faster to repeat its span than to list it for each of them."""
_ZERO = array("d", [0.0])


class Stretch:
    """The rows of ``strip`` between ``cuts``: those of the k-th instant begin at ``cuts[k]``, the last is the end.

    ``sizes``: how many each instant has, and ``instants``, how many have any. ``names``, there once bars are made:
    clearing it ends them.
    """

    def __init__(self, strip: Strip, cuts: Ints) -> None:
        self.strip = strip
        self.symbols = strip.block.symbols
        self.rows: Ints = strip.order[cuts[0] : cuts[-1]]
        self.sizes = cuts[1:] - cuts[:-1]
        self.instants = np.count_nonzero(self.sizes)
        self._cuts = cuts
        self.names: list[str] = []

    @property
    def is_full(self) -> bool:
        """True if each of the strip's symbols has a bar in each instant that has any: it has one at most."""
        return len(self.rows) == len(self.symbols) * self.instants

    def bars(self, lag_seconds: float) -> Iterator[Bar]:
        """All bars."""
        strip, rows = self.strip, self.rows
        self.names = strip.values("symbol", rows).tolist()
        spans: Iterable[Span]
        if len(rows) < _DENSE * len(self.sizes) or not strip.is_first_stay or (lag_seconds and not strip.is_base):
            spans = self._spans(rows, lag_seconds)
        elif strip.is_base:
            has = self.sizes > 0
            firsts = self._cuts[:-1][has] - self._cuts[0]
            spans = chain.from_iterable(
                map(repeat, self._spans(rows[firsts], lag_seconds), self.sizes[has].tolist())
            )
        else:
            spans = strip.spans_by_count(rows).tolist()
        return make_bars(self.names, repeat(strip.interval.label), spans, self._prices())

    def bars_by_instant(self, lag_seconds: float) -> Iterator[Iterator[Bar]]:
        """The bars of each instant that has any, one after the other. The stretch is full."""
        self.names = list(self.symbols)
        spans: Iterable[Iterable[Span]]
        if self._shares_spans:
            spans = map(repeat, self._spans(self.rows[:: len(self.names)], lag_seconds))
        else:
            spans = repeat(iter(self._spans(self.rows, lag_seconds)))
        return make_bars_of_instants(
            repeat(self.names), repeat(self.strip.interval.label), spans, self._prices_of_grid()
        )

    @property
    def _shares_spans(self) -> bool:
        """True if all bars of an instant have the same span. The stretch is full."""
        strip = self.strip
        if strip.is_base or not strip.is_first_stay:
            return strip.is_first_stay
        counts = strip.values("bar_count", self.rows).reshape(-1, len(self.symbols))
        return bool((counts == counts[:, :1]).all())

    def _spans(self, rows: Ints, lag_seconds: float) -> Iterable[Span]:
        """The span of each of these rows of the block."""
        strip, block = self.strip, self.strip.block
        if strip.is_base and strip.is_first_stay and not lag_seconds:
            shared: list[Span] = strip.values("span", rows).tolist()
            return shared
        windows, places = block.windows, block.window[rows]
        counts, generations = (strip.values(name, rows).tolist() for name in ("bar_count", "generation"))
        return map(
            Span, windows.start[places].tolist(), windows.end[places].tolist(), repeat(block.session.zone), counts,
            repeat(lag_seconds), generations,
        )  # fmt: skip

    def _prices(self) -> list[array[float]]:
        return [_numbers(getattr(self.strip.block, name), self.rows) for name in PRICE_COLUMNS]

    def _prices_of_grid(self) -> list[array[float]]:
        """The same of a full stretch: where symbols have as many rows each, theirs lie as a grid in the block."""
        strip, size, first = self.strip, len(self.symbols), int(self.rows[0])
        if strip.rows_each is None or (self.rows[:size] - strip.block.offsets[:-1] != first).any():
            return self._prices()
        columns = [getattr(strip.block, name).reshape(size, strip.rows_each) for name in PRICE_COLUMNS]
        return [array("d", column[:, first : first + self.instants].T.tobytes()) for column in columns]


def _numbers(column: NDArray[np.float64], rows: Ints) -> array[float]:
    """The values of these rows, each made a Python number when it is asked for, in the memory of the last one.

    A list of numbers is a cache miss for each.
    """
    numbers = _ZERO * len(rows)
    column.take(rows, out=np.frombuffer(numbers), mode="clip")
    return numbers
