"""GrowingBlock: the bars of one interval for a batch of symbols while they arrive, with room for a session."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mismartera.bars import Interval, SeriesInfo
from mismartera.bars.view import SeriesColumns
from mismartera.session.series import PRICE_COLUMNS
from mismartera.session.windows import Windows, session_windows
from mismartera.timing import TradingSession

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
_NEVER = np.iinfo(np.int64).max


class GrowingBlock:
    """What :class:`SeriesBlock` is for a day that is known: row ``k`` of each table belongs to ``symbols[k]``.

    Append-only: a row's end is written last, and until then lies beyond all time, so that a reader on another
    thread sees a bar whole or not at all. Views handed out are read-only for good; ``sizes`` says how many bars
    there are.
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
        self.sizes = np.zeros(len(symbols), dtype=np.int64)
        self._room = len(self.windows)
        self._spans_of = np.stack((self.windows.start, self.windows.end))
        rows = len(symbols) * self._room
        self._prices, self._spans = np.full((5, rows), np.nan), np.full((2, rows), _NEVER)
        self._counts = np.ones(rows, dtype=np.int64)
        self._tables = {name: np.full(rows, np.nan) for name in indicator_names}
        size = len(symbols)
        self._by_symbol = self._prices.reshape(5, size, -1), self._spans.reshape(2, size, -1)
        self._level = 0  # how many bars every symbol has; below zero: not all have the same number
        tables = [self._spans, self._prices, self._counts, *self._tables.values()]
        spans, prices, counts, *indicators = map(_fixed, tables)
        self._columns: dict[str, NDArray[Any]] = dict(zip(PRICE_COLUMNS, prices.reshape(5, rows), strict=True))
        self._columns |= zip(("start", "end"), spans.reshape(2, rows), strict=True)
        self._columns["bar_count"] = counts
        self.indicators: Mapping[str, Floats] = dict(zip(indicator_names, indicators, strict=True))
        self._columns |= self.indicators

    def __len__(self) -> int:
        return int(self.sizes.sum())

    def append(
        self, owners: Ints, window: int, prices: Floats, counts: Ints | None, indicators: Mapping[str, Floats]
    ) -> None:
        """One more bar, that of ``window``, for each of ``owners``.

        ``prices`` has a row for open, high, low, close and volume each; ``counts`` None: one base bar each.
        """
        if self._level >= 0 and len(owners) == len(self.symbols):
            prices_by_symbol, spans_by_symbol = self._by_symbol
            at: Any = slice(self._level, None, self._room)
            prices_by_symbol[:, :, self._level] = prices
            self._write(at, counts, indicators)
            spans_by_symbol[:, :, self._level] = self._spans_of[:, window : window + 1]
            self._level += 1
            self.sizes += 1
            return
        self._level = -1
        at = owners * self._room + self.sizes[owners]
        self._prices[:, at] = prices
        self._write(at, counts, indicators)
        self._spans[:, at] = self._spans_of[:, window : window + 1]
        self.sizes[owners] += 1

    def _write(self, at: Ints | slice, counts: Ints | None, indicators: Mapping[str, Floats]) -> None:
        if counts is not None:
            self._counts[at] = counts
        for name, values in indicators.items():
            self._tables[name][at] = values

    def column(self, name: str, row: int) -> Floats:
        """A column of ``symbols[row]``: its bars so far."""
        first = row * self._room
        return self._columns[name][first : first + int(self.sizes[row])]

    def series(self, row: int, info: SeriesInfo) -> SeriesColumns:
        """The columns of ``symbols[row]`` with all their room: bars that are still to come never end."""
        rows = slice(row * self._room, (row + 1) * self._room)
        fixed = self._columns
        return SeriesColumns(
            self.symbols[row], self.interval.label, info, fixed["start"][rows], fixed["end"][rows],
            fixed["open"][rows], fixed["high"][rows], fixed["low"][rows], fixed["close"][rows],
            fixed["volume"][rows], fixed["bar_count"][rows],
            {name: column[rows] for name, column in self.indicators.items()},
        )  # fmt: skip


def _fixed(table: NDArray[Any]) -> NDArray[Any]:
    """The same memory, flat, through a read-only buffer: nobody can make a view of it writeable again."""
    buffer = memoryview(table).toreadonly()  # type: ignore[arg-type]  # a NumPy array has a buffer
    return np.frombuffer(buffer, dtype=table.dtype)
