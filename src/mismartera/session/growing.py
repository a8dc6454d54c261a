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
        self.sizes = np.zeros(len(symbols), dtype=np.int64)
        self._room = len(session_windows(session, interval))
        self._tables: dict[str, NDArray[Any]] = {}
        self._fixed: dict[str, NDArray[Any]] = {}
        for name in (*PRICE_COLUMNS, *indicator_names):
            self._add_table(name, np.full(len(symbols) * self._room, np.nan))
        for name in ("start", "bar_count", "end"):
            self._add_table(name, np.full(len(symbols) * self._room, _NEVER, dtype=np.int64))
        self.indicators: Mapping[str, Floats] = {name: self._fixed[name] for name in indicator_names}

    def __len__(self) -> int:
        return int(self.sizes.sum())

    @property
    def windows(self) -> Windows:
        """The interval's windows of the session."""
        return session_windows(self.session, self.interval)

    def append(self, owners: Ints, window: int, columns: Mapping[str, NDArray[Any]]) -> None:
        """One more bar, that of ``window``, for each of ``owners``: prices, volume, ``bar_count``, indicators."""
        at = owners * self._room + self.sizes[owners]
        for name, values in columns.items():
            self._tables[name][at] = values
        self._tables["start"][at] = self.windows.start[window]
        self._tables["end"][at] = self.windows.end[window]
        self.sizes[owners] += 1

    def column(self, name: str, row: int) -> Floats:
        """A column of ``symbols[row]``: its bars so far."""
        first = row * self._room
        return self._fixed[name][first : first + int(self.sizes[row])]

    def series(self, row: int, info: SeriesInfo) -> SeriesColumns:
        """The columns of ``symbols[row]`` with all their room: bars that are still to come never end."""
        rows = slice(row * self._room, (row + 1) * self._room)
        fixed = self._fixed
        return SeriesColumns(
            self.symbols[row], self.interval.label, info, fixed["start"][rows], fixed["end"][rows],
            fixed["open"][rows], fixed["high"][rows], fixed["low"][rows], fixed["close"][rows],
            fixed["volume"][rows], fixed["bar_count"][rows],
            {name: column[rows] for name, column in self.indicators.items()},
        )  # fmt: skip

    def _add_table(self, name: str, table: NDArray[Any]) -> None:
        self._tables[name] = table
        # Through a read-only buffer nobody can make a view writeable again.
        buffer = memoryview(table).toreadonly()  # type: ignore[arg-type]  # a NumPy array has a buffer
        self._fixed[name] = np.frombuffer(buffer, dtype=table.dtype)
