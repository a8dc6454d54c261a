"""GrowingBlock: the bars of one interval for a batch of symbols while they arrive, with room for a session."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mismartera.bars import Interval, SeriesInfo
from mismartera.bars.view import SeriesColumns
from mismartera.session.series import PRICE_COLUMNS, SeriesBlock
from mismartera.session.windows import Windows, session_spans, session_windows
from mismartera.timing import TradingSession

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
Codes = NDArray[np.uint8]
_NEVER = np.iinfo(np.int64).max


class GrowingBlock:
    """What :class:`SeriesBlock` is for a day that is known. In each table a symbol's bars stand a row apart: what
    comes together lies together.

    Append-only: a row's end is written by :meth:`release`, and until then lies beyond all time: whoever takes what
    arrives appends, whoever shows it releases, and readers see a bar whole or not at all. Views handed out are
    read-only for good; ``sizes`` says how many bars there are.
    """

    def __init__(
        self, session: TradingSession, interval: Interval, symbols: tuple[str, ...],
        indicator_names: Sequence[str] = (), *, is_base: bool, public: bool,
    ) -> None:  # fmt: skip
        self.session = session
        self.interval = interval
        self.symbols = symbols
        self.is_base = is_base
        self.public = public
        self.windows: Windows = session_windows(session, interval)
        self.spans = session_spans(session, interval)
        self._sizes = np.zeros(len(symbols), dtype=np.int64)  # while all symbols have as many bars, not kept up
        self._room = len(self.windows)
        self._spans_of = np.stack((self.windows.start, self.windows.end))
        size = len(symbols)
        rows = size * self._room
        self._prices, self._spans = np.empty((5, rows)), np.full((2, rows), _NEVER)
        self._by_place = self._prices.reshape(5, self._room, size), self._spans.reshape(2, self._room, size)
        self._counts = np.ones(1 if is_base else rows, dtype=np.int64)
        self._sources = np.zeros(rows, dtype=np.uint8)
        self._tables = {name: np.empty(rows) for name in indicator_names}
        self._level = 0  # how many bars every symbol has; below zero: not all have the same number
        self._columns: dict[str, NDArray[Any]] = dict(zip(PRICE_COLUMNS, map(_fixed, self._prices), strict=True))
        self._columns |= zip(("start", "end"), map(_fixed, self._spans), strict=True)
        counts = _fixed(self._counts)
        self._columns["bar_count"] = np.broadcast_to(counts, rows) if is_base else counts
        self._columns["source"] = _fixed(self._sources)
        self.indicators: Mapping[str, Floats] = {name: _fixed(table) for name, table in self._tables.items()}
        self._columns |= self.indicators

    @property
    def sizes(self) -> Ints:
        """How many bars each symbol has."""
        if self._level >= 0:
            self._sizes[:] = self._level
        return self._sizes

    def __len__(self) -> int:
        return int(self.sizes.sum())

    def fill(self, block: SeriesBlock, sources: Codes) -> None:
        """Begin with the bars of ``block``, which has the same symbols; where each comes from."""
        assert not len(self) and block.symbols == self.symbols, "only an empty block is filled, with its own bars"
        self._sizes = np.diff(block.offsets)
        at = (np.arange(len(block)) - block.offsets[block.owner]) * len(self.symbols) + block.owner
        for table, name in zip(self._prices, PRICE_COLUMNS, strict=True):
            table[at] = getattr(block, name)
        self._write(at, None if self.is_base else block.bar_count, block.indicators, sources)
        self._spans[:, at] = self._spans_of[:, block.window]
        level = int(self._sizes[0]) if len(self._sizes) else 0
        self._level = level if (self._sizes == level).all() else -1

    def append(
        self, owners: Ints, window: int, prices: Floats, counts: Ints | None, indicators: Mapping[str, Floats],
        sources: Codes | None = None,
    ) -> Ints | slice:  # fmt: skip
        """One more bar, that of ``window``, for each of ``owners``, each of which stands there once; where it is.

        ``prices`` has a row for open, high, low, close and volume each; ``counts`` None: one base bar each;
        ``sources`` None: all live.
        """
        if self._level >= 0 and len(owners) == len(self.symbols):
            prices_by_place, spans_by_place = self._by_place
            level, first = self._level, self._level * len(owners)
            together = slice(first, first + len(owners))
            prices_by_place[:, level] = prices
            if counts is not None or sources is not None or indicators:
                self._write(together, counts, indicators, sources)
            spans_by_place[0, level] = self.spans[window].start_us
            self._level = level + 1
            return together
        sizes, self._level = self.sizes, -1
        places = sizes[owners]
        at = owners + places * len(self.symbols)
        for table, column in zip(self._prices, prices, strict=True):
            table[at] = column
        self._write(at, counts, indicators, sources)
        self._spans[0, at] = self._spans_of[0, window]
        sizes[owners] = places + 1
        return at

    def release(self, at: Ints | slice, window: int) -> None:
        """Readers may see the bars of ``window`` that :meth:`append` has put there."""
        self._spans[1, at] = self.spans[window].end_us

    def _write(
        self, at: Ints | slice, counts: Ints | None, indicators: Mapping[str, Floats], sources: Codes | None
    ) -> None:
        if sources is not None:
            self._sources[at] = sources
        if counts is not None:
            self._counts[at] = counts
        for name, values in indicators.items():
            self._tables[name][at] = values

    def sources_at(self, owners: Ints, places: Ints) -> Codes:
        """Where the bars at these places of these symbols come from."""
        found: Codes = self._sources[owners + places * len(self.symbols)]
        return found

    def rows_of(self, owners: Ints) -> tuple[Ints, Ints, Floats, Codes]:
        """The bars of some symbols, by symbol and time: place in ``owners``, start, prices (a row per column),
        source.
        """
        sizes = self.sizes[owners]
        places = np.arange(sizes.sum()) - np.repeat(np.cumsum(sizes) - sizes, sizes)
        at = np.repeat(owners, sizes) + places * len(self.symbols)
        return np.repeat(np.arange(len(owners)), sizes), self._spans[0, at], self._prices[:, at], self._sources[at]

    def newest(self, owners: Ints) -> Ints:
        """The window of the newest bar of each of ``owners``; -1 for a symbol without any."""
        sizes = self.sizes[owners]
        starts = self._spans[0, owners + np.maximum(sizes - 1, 0) * len(self.symbols)]
        found = np.full(len(owners), -1, dtype=np.int64)
        found[sizes > 0] = self.windows.of(starts[sizes > 0])
        return found

    def find(self, owners: Ints, starts: Ints) -> tuple[NDArray[np.bool_], Floats, Ints]:
        """For each of ``owners`` the bar that starts then: is it there, prices (a row per column), bar count."""
        _, spans = self._by_place
        own = spans[0][:, owners]
        places = np.minimum((own < starts).sum(axis=0), self._room - 1)
        at = owners + places * len(self.symbols)
        counts = np.ones(len(at), dtype=np.int64) if self.is_base else self._counts[at]
        return self._spans[0, at] == starts, self._prices[:, at], counts

    def prices_of(self, row: int, starts: Ints) -> Floats:
        """The prices of ``symbols[row]``'s bars that start then, all of which are there: a row per column."""
        at = row + self.column("start", row).searchsorted(starts) * len(self.symbols)
        found: Floats = self._prices[:, at]
        return found

    def column(self, name: str, row: int) -> Floats:
        """A column of ``symbols[row]``: its bars so far."""
        size = self._level if self._level >= 0 else int(self._sizes[row])
        return self._columns[name][row :: len(self.symbols)][:size]

    def series(self, row: int, info: SeriesInfo) -> SeriesColumns:
        """The columns of ``symbols[row]`` with all their room: bars that are still to come never end."""
        rows = slice(row, None, len(self.symbols))
        fixed = self._columns
        return SeriesColumns(
            self.symbols[row], self.interval.label, info, fixed["start"][rows], fixed["end"][rows],
            fixed["open"][rows], fixed["high"][rows], fixed["low"][rows], fixed["close"][rows],
            fixed["volume"][rows], fixed["bar_count"][rows],
            {name: column[rows] for name, column in self.indicators.items()}, fixed["source"][rows],
        )  # fmt: skip


def _fixed(table: NDArray[Any]) -> NDArray[Any]:
    """The same memory, flat, through a read-only buffer: nobody can make a view of it writeable again."""
    buffer = memoryview(table).toreadonly()  # type: ignore[arg-type]  # a NumPy array has a buffer
    return np.frombuffer(buffer, dtype=table.dtype)
