"""Part: the rows of one strip in one instant."""

from __future__ import annotations

from collections.abc import Mapping
from itertools import repeat
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from mismartera.bars import Bar, Interval, SeriesInfo, make_bars, marked
from mismartera.session.series import PRICE_COLUMNS

Ints = NDArray[np.int64]
Objects = NDArray[np.object_]
Rows = Ints | slice


class BlockFacts(Protocol):
    """What a slice asks of the block behind a strip."""

    @property
    def symbols(self) -> tuple[str, ...]:
        """All symbols of the block."""
        ...

    @property
    def indicators(self) -> Mapping[str, NDArray[np.float64]]:
        """Its indicators by name."""
        ...


class Showing(Protocol):
    """Bars of one interval in the order of showing: a strip of a day that is known, or what has just arrived."""

    @property
    def block(self) -> BlockFacts:
        """Where the bars come from."""
        ...

    @property
    def interval(self) -> Interval:
        """The bars' interval."""
        ...

    def column(self, name: str, rows: Rows) -> NDArray[Any]:
        """A column at these places, not writeable: prices, ``volume``, ``bar_count``, indicators, ``rank``."""
        ...

    def symbols_of(self, rows: Rows) -> Objects:
        """The symbols at these places."""
        ...

    def spans_of(self, rows: Rows) -> Objects:
        """The spans of the bars at these places."""
        ...

    def generations_of(self, rows: Rows) -> Ints:
        """The generations of the symbols at these places."""
        ...

    def sources_of(self, rows: Rows) -> list[str] | None:
        """Where the bars at these places come from; None in a backtest."""
        ...

    def wanted(self, symbols: frozenset[str], first: int, last: int) -> Ints:
        """The places, among ``first:last``, whose symbol is one of ``symbols``."""
        ...

    def infos(self) -> list[tuple[str, SeriesInfo]]:
        """The symbols with what their bars share."""
        ...


class Part:
    """Places ``first:last`` in a strip's order of showing, or those of them in ``chosen``."""

    __slots__ = ("chosen", "first", "last", "strip")

    def __init__(self, strip: Showing, first: int, last: int, chosen: Ints | None = None) -> None:
        self.strip = strip
        self.first = first
        self.last = last
        self.chosen = chosen

    def __len__(self) -> int:
        return self.last - self.first if self.chosen is None else len(self.chosen)

    def column(self, name: str) -> NDArray[Any]:
        """See :meth:`Showing.column`."""
        return self.strip.column(name, self.rows)

    def symbols(self) -> tuple[str, ...]:
        """Whose bars they are."""
        if len(self) == len(self.strip.block.symbols):  # each symbol has one bar at most
            return self.strip.block.symbols
        return tuple(self.strip.symbols_of(self.rows).tolist())

    def bars(self, lag_seconds: float) -> list[Bar]:
        """The bars, in order."""
        rows, strip = self.rows, self.strip
        prices = [self.column(name).tolist() for name in PRICE_COLUMNS]
        spans = marked(
            strip.spans_of(rows).tolist(), self.column("bar_count").tolist(), lag_seconds,
            strip.generations_of(rows).tolist(), strip.sources_of(rows),
        )  # fmt: skip
        return list(make_bars(strip.symbols_of(rows).tolist(), repeat(strip.interval.label), spans, prices))

    @property
    def rows(self) -> Ints | slice:
        """The places in the strip's order."""
        return slice(self.first, self.last) if self.chosen is None else self.chosen
