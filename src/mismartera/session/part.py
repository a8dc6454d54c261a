"""Part: the rows of one strip in one instant."""

from __future__ import annotations

from itertools import repeat
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mismartera.bars import Bar, make_bar
from mismartera.session.series import PRICE_COLUMNS
from mismartera.session.strip import Strip

Ints = NDArray[np.int64]


class Part:
    """Places ``first:last`` in a strip's order of showing, or those of them in ``chosen``."""

    __slots__ = ("chosen", "first", "last", "strip")

    def __init__(self, strip: Strip, first: int, last: int, chosen: Ints | None = None) -> None:
        self.strip = strip
        self.first = first
        self.last = last
        self.chosen = chosen

    def __len__(self) -> int:
        return self.last - self.first if self.chosen is None else len(self.chosen)

    def column(self, name: str) -> NDArray[Any]:
        """See :meth:`Strip.column`."""
        return self.strip.column(name, self.rows)

    def symbols(self) -> tuple[str, ...]:
        """Whose bars they are."""
        if len(self) == len(self.strip.block.symbols):  # each symbol has one bar at most
            return self.strip.block.symbols
        return tuple(self.strip.symbols_of(self.rows).tolist())

    def bars(self, lag_seconds: float) -> list[Bar]:
        """The bars, in order."""
        rows, strip = self.rows, self.strip
        fields: list[Any] = [
            strip.symbols_of(rows).tolist(),
            repeat(strip.interval.label),
            strip.spans_of(rows).tolist(),
        ]
        fields += [self.column(name).tolist() for name in PRICE_COLUMNS]
        fields += [self.column("bar_count").tolist(), repeat(lag_seconds), strip.generations_of(rows).tolist()]
        return list(map(make_bar, *fields))

    @property
    def rows(self) -> Ints | slice:
        """The places in the strip's order."""
        return slice(self.first, self.last) if self.chosen is None else self.chosen
