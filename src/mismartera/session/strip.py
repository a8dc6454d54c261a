"""Strip: the bars of one block in the order in which they are shown.

The columns stay as they were processed, symbol by symbol; ``order`` is a permutation of their rows by (end, symbol
rank), found by a stable sort on small integers, which NumPy does by radix. What is asked for is gathered some
thousand rows at a time: a day at once would touch much fresh memory, and a single instant a cache line for each of
its values. A strip never changes: without what was shown, or without a symbol, it is another one, so that slices
that were handed out keep what they show.
"""

from __future__ import annotations

from collections.abc import Mapping
from copy import copy
from typing import Any, Self, cast

import numpy as np
from numpy.typing import NDArray

from mismartera.bars import SeriesInfo
from mismartera.session.part import Objects, Rows
from mismartera.session.series import SeriesBlock
from mismartera.session.windows import CountedSpans, session_spans

Ints = NDArray[np.int64]
_ROWS_AHEAD = 8192


class Strip:
    """The rows of ``block`` that have not been shown yet: ``order``, by end, then by rank of their symbols.

    ``rows_each``: how many rows of the block each symbol has, None if not all have as many.
    """

    def __init__(self, block: SeriesBlock, infos: Mapping[str, SeriesInfo], ranks: Mapping[str, int]) -> None:
        self.block = block
        self.interval = block.interval
        self.public = block.public
        self.is_base = block.is_base
        sizes = block.offsets[1:] - block.offsets[:-1]
        self.rows_each = int(sizes[0]) if len(sizes) and (sizes == sizes[0]).all() else None
        self.order: Ints = block.window.argsort(kind="stable")
        self._infos = [infos[symbol] for symbol in block.symbols]
        generations = [info.generation for info in self._infos]
        self.is_first_stay = all(generation == 1 for generation in generations)
        self._symbols = np.array(block.symbols, dtype=object)
        self._ahead: tuple[int, int, dict[str, NDArray[Any]]] = (0, 0, {})
        self._spans: Objects | None = None
        self._counted: CountedSpans | None = None
        self._by_owner = {
            "rank": np.array([ranks[symbol] for symbol in block.symbols], dtype=np.int64),
            "generation": np.array(generations, dtype=np.int64),
        }

    def instants(self) -> tuple[Ints, Ints]:
        """The distinct ends of the remaining rows, in order, and how many rows have each."""
        window = self.block.window
        remaining = window if len(self.order) == len(window) else window[self.order]
        counts = np.bincount(remaining, minlength=len(self.block.windows))
        present = np.flatnonzero(counts)
        return self.block.windows.end[present], counts[present]

    def column(self, name: str, rows: Rows) -> NDArray[Any]:
        """A column of the block at these places of ``order``, not writeable.

        Besides the block's own: its indicators by name, and the symbol's ``rank`` and ``generation``.
        """
        if not isinstance(rows, slice):
            return self._gathered(name, rows)
        first, last, columns = self._ahead  # at once: a slice may be read on another thread
        if not first <= rows.start <= rows.stop <= last:
            first, last, columns = rows.start, max(rows.stop, rows.start + _ROWS_AHEAD), {}
            self._ahead = first, last, columns
        found = columns.get(name)
        if found is None:
            found = columns[name] = self._gathered(name, slice(first, last))
        return found[rows.start - first : rows.stop - first]

    def _gathered(self, name: str, rows: Rows) -> NDArray[Any]:
        if name in self._by_owner:
            return cast("Ints", self._by_owner[name][self.column("owner", rows)])
        found = self.values(name, self.order[rows])
        found.flags.writeable = False
        return found

    def values(self, name: str, rows: Ints) -> NDArray[Any]:
        """The same of these rows of the block, which are in order; also their ``symbol`` and ``span``."""
        block = self.block
        if name == "symbol":
            return cast("Objects", self._symbols[block.owner[rows]])
        if name == "span":
            return self._all_spans()[block.window[rows]]
        if name in self._by_owner:
            return self._by_owner[name][block.owner[rows]]
        column: NDArray[Any] = block.indicators[name] if name in block.indicators else getattr(block, name)
        return column[rows]

    def symbols_of(self, rows: Rows) -> Objects:
        """The symbols at these places."""
        symbols: Objects = self._symbols[self.column("owner", rows)]
        return symbols

    def spans_of(self, rows: Rows) -> Objects:
        """The spans of the bars at these places."""
        spans: Objects = self._all_spans()[self.column("window", rows)]
        return spans

    def _all_spans(self) -> Objects:
        if self._spans is None:
            self._spans = session_spans(self.block.session, self.interval)
        return self._spans

    def spans_by_count(self, rows: Ints) -> Objects:
        """The spans of these rows of the block, with the number of base bars in each."""
        block = self.block
        if self.is_base:
            return self._all_spans()[block.window[rows]]
        if self._counted is None:
            self._counted = CountedSpans(self._all_spans(), int(block.bar_count.max(initial=0)))
        return self._counted.of(block.window[rows], block.bar_count[rows])

    def generations_of(self, rows: Rows) -> Ints:
        """The generations of the symbols at these places."""
        return self.column("generation", rows)

    def sources_of(self, rows: Rows) -> None:  # see Showing
        """None: stored bars do not say."""

    def after(self, rows: int) -> Self:
        """The strip without the first ``rows`` of ``order``: they have been shown."""
        return self._with(self.order[rows:])

    def without(self, symbol: str) -> Self:
        """The strip without the remaining rows of ``symbol``."""
        if symbol not in self.block.symbols:
            return self
        return self._with(self.order[self.block.owner[self.order] != self.block.symbols.index(symbol)])

    def _with(self, order: Ints) -> Self:
        other = copy(self)
        other.order, other._ahead = order, (0, 0, {})  # noqa: SLF001  # of the same class
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
