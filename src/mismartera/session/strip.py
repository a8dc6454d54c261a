"""Strip: the bars of one block in the order in which they are shown.

The columns stay as they were processed, symbol by symbol; ``order`` is a permutation of their rows by (end, symbol
rank), found by a stable sort on small integers, which NumPy does by radix. A column in that order is made once,
when somebody first asks for it; an instant of it is then a view. A strip never changes: without what was shown, or
without a symbol, it is another one, so that slices that were handed out keep what they show.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from copy import copy
from itertools import repeat
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from mismartera.bars import SeriesInfo, Span
from mismartera.session.series import SeriesBlock, freeze
from mismartera.session.windows import session_spans

Ints = NDArray[np.int64]
Rows = Ints | slice


class Strip:
    """The rows of ``block`` that have not been shown yet: ``order``, by end, then by rank of their symbols."""

    def __init__(self, block: SeriesBlock, infos: Mapping[str, SeriesInfo], ranks: Mapping[str, int]) -> None:
        self.block = block
        self.interval = block.interval
        self.public = block.public
        self.is_base = block.is_base
        self.order: Ints = block.window.argsort(kind="stable")
        self._infos = [infos[symbol] for symbol in block.symbols]
        self.generations = frozenset({info.generation for info in self._infos})
        self._symbols = np.array(block.symbols, dtype=object)
        self._ranks = np.array([ranks[symbol] for symbol in block.symbols], dtype=np.int64)
        self._columns: dict[str, NDArray[Any]] = {}

    def instants(self) -> tuple[Ints, Ints]:
        """The distinct ends of the remaining rows, in order, and how many rows have each."""
        counts = np.bincount(self.block.window[self.order], minlength=len(self.block.windows))
        present = np.flatnonzero(counts)
        return self.block.windows.end[present], counts[present]

    def column(self, name: str) -> NDArray[Any]:
        """A column of the block in the order of showing (``order``), not writeable.

        Besides the block's own: its indicators by name, and ``rank``, that of the symbol.
        """
        found = self._columns.get(name)
        if found is None:
            found = self._columns[name] = freeze(self._made(name)[self.order])
        return found

    def values_of(self, name: str, rows: Rows) -> list[Any]:
        """A column at these places of ``order``."""
        values: list[Any] = self.column(name)[rows].tolist()
        return values

    def symbols_of(self, rows: Rows) -> list[str]:
        """The symbols at these places."""
        symbols: list[str] = self._symbols[self.column("owner")[rows]].tolist()
        return symbols

    def labels_of(self, rows: Rows) -> Iterable[str]:  # noqa: ARG002  # the same wherever one looks
        """The interval, again and again."""
        return repeat(self.interval.label)

    def spans_of(self, rows: Rows) -> list[Span]:
        """The spans of the bars at these places."""
        every = session_spans(self.block.session, self.interval)
        spans: list[Span] = every[self.column("window")[rows]].tolist()
        return spans

    def generations_of(self, rows: Rows) -> list[int]:
        """The generations of the symbols at these places."""
        return [self._infos[owner].generation for owner in self.column("owner")[rows].tolist()]

    def after(self, rows: int) -> Self:
        """The strip without the first ``rows`` of ``order``: they have been shown."""
        return self._with(self.order[rows:], {name: column[rows:] for name, column in self._columns.items()})

    def without(self, symbol: str) -> Self:
        """The strip without the remaining rows of ``symbol``."""
        if symbol not in self.block.symbols:
            return self
        return self._with(self.order[self.block.owner[self.order] != self.block.symbols.index(symbol)], {})

    def _with(self, order: Ints, columns: dict[str, NDArray[Any]]) -> Self:
        other = copy(self)
        other.order = order
        other._columns = columns  # noqa: SLF001  # of the same class
        return other

    def wanted(self, symbols: frozenset[str], first: int, last: int) -> Ints:
        """The places in ``order``, among ``first:last``, whose symbol is one of ``symbols``."""
        wanted = np.array([symbol in symbols for symbol in self.block.symbols], dtype=np.bool_)
        return first + np.flatnonzero(wanted[self.block.owner[self.order[first:last]]])

    def remaining(self) -> SeriesBlock:
        """The rows that have not been shown, and their symbols, as a block of their own."""
        rows = np.zeros(len(self.block), dtype=np.bool_)
        rows[self.order] = True
        chosen = np.bincount(self.block.owner[self.order], minlength=len(self.block.symbols)) > 0
        symbols = tuple(symbol for symbol, has in zip(self.block.symbols, chosen.tolist(), strict=True) if has)
        return self.block.select(symbols, chosen, rows)

    def infos(self) -> list[tuple[str, SeriesInfo]]:
        """The strip's symbols with what their bars share."""
        return list(zip(self.block.symbols, self._infos, strict=True))

    def _made(self, name: str) -> NDArray[Any]:
        block = self.block
        if name in block.indicators:
            return block.indicators[name]
        if name == "rank":
            return self._ranks[block.owner]
        column: NDArray[Any] = getattr(block, name)
        return column
