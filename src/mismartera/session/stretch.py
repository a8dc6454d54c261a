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

    ``sizes``: how many each instant has. ``names``, there once bars are made: clearing it ends them.
    """

    def __init__(self, strip: Strip, cuts: Ints) -> None:
        self.strip = strip
        self.symbols = strip.block.symbols
        self.rows: Ints = strip.order[cuts[0] : cuts[-1]]
        self.sizes = np.diff(cuts)
        self._cuts = cuts
        self.names: list[str] = []

    @property
    def is_full(self) -> bool:
        """True if each of the strip's symbols has a bar in each instant that has any: it has one at most."""
        return len(self.rows) == len(self.symbols) * np.count_nonzero(self.sizes)

    def bars(self, lag_seconds: float) -> Iterator[Bar]:
        """All bars."""
        strip = self.strip
        self.names = strip.values("symbol", self.rows).tolist()
        return make_bars(
            self.names, repeat(strip.interval.label), self._spans(), self._prices(),
            self._counts(), lag_seconds, self._generations(),
        )  # fmt: skip

    def bars_by_instant(self, lag_seconds: float) -> Iterator[Iterator[Bar]]:
        """The bars of each instant that has any, one after the other. The stretch is full."""
        strip, self.names = self.strip, list(self.symbols)
        spans = strip.values("span", self.rows[:: len(self.names)]).tolist()
        return make_bars_of_instants(
            repeat(self.names), repeat(strip.interval.label), map(repeat, spans),
            self._prices(), self._counts(), lag_seconds, self._generations(),
        )  # fmt: skip

    def _spans(self) -> Iterable[Span]:
        if len(self.rows) < _DENSE * len(self.sizes):
            spans: list[Span] = self.strip.values("span", self.rows).tolist()
            return spans
        sizes = self.sizes[self.sizes > 0]
        firsts = self._cuts[:-1][self.sizes > 0] - self._cuts[0]
        return chain.from_iterable(
            map(repeat, self.strip.values("span", self.rows[firsts]).tolist(), sizes.tolist())
        )

    def _prices(self) -> list[array[float]]:
        return [_numbers(getattr(self.strip.block, name), self.rows) for name in PRICE_COLUMNS]

    def _counts(self) -> list[int] | None:
        return None if self.strip.is_base else self.strip.values("bar_count", self.rows).tolist()

    def _generations(self) -> list[int] | None:
        return None if self.strip.is_first_stay else self.strip.values("generation", self.rows).tolist()


def _numbers(column: NDArray[np.float64], rows: Ints) -> array[float]:
    """The values of these rows, each made a Python number when it is asked for, in the memory of the last one.

    A list of numbers is a cache miss for each.
    """
    numbers = _ZERO * len(rows)
    column.take(rows, out=np.frombuffer(numbers), mode="clip")
    return numbers
