"""SessionState: the market data of the current session, as its single writer leaves it.

Readers on other threads take a reference and look: columns never change in place, and what is visible of them
follows from ``watermark_us``, one integer that only grows during a session.
"""

from __future__ import annotations

import threading
from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import Any

import numpy as np
from msgspec.structs import replace

from mismartera.bars import Bar, Interval, SeriesInfo, parse_interval
from mismartera.bars.view import NewestValue, SeriesColumns
from mismartera.session.growing import GrowingBlock
from mismartera.session.history import SymbolHistory
from mismartera.session.series import PRICE_COLUMNS, SeriesBlock

Block = SeriesBlock | GrowingBlock
_NO_BLOCKS: Mapping[int, Block] = MappingProxyType({})
_NO_HISTORY = SymbolHistory()


class SymbolData:
    """One member's bars in this session: row ``row`` of the symbols of each of ``blocks``, by interval length.

    ``newest_values``: what :meth:`keep_newest_value` has kept, by name and label of the interval.
    """

    __slots__ = ("_row", "_series", "blocks", "history", "info", "loaded", "newest_values")

    def __init__(
        self,
        info: SeriesInfo,
        blocks: Mapping[int, Block] = _NO_BLOCKS,
        row: int = 0,
        history: SymbolHistory = _NO_HISTORY,
        *,
        loaded: bool = False,
    ) -> None:
        self.info = info
        self.blocks = blocks
        self.history = history
        self.loaded = loaded
        self._row = row
        self._series: dict[int, SeriesColumns] = {}
        self.newest_values: dict[tuple[str, str | None], NewestValue] = {}

    def series(self, interval: Interval) -> SeriesColumns | None:
        """The columns of ``interval``, cut out of the batch when first asked for."""
        found = self._series.get(interval.length_us)
        if found is None and interval.length_us in self.blocks:
            found = self.blocks[interval.length_us].series(self._row, self.info)
            self._series[interval.length_us] = found
        return found

    def derived_by(self, end_us: int) -> int:
        """How many derived bars there are that end by ``end_us``."""
        found = [self.series(block.interval) for block in self.blocks.values() if not block.is_base]
        return sum(columns.visible(end_us) for columns in found if columns is not None)

    def is_public(self, interval: Interval) -> bool:
        """True if ``interval`` was requested for this symbol."""
        block = self.blocks.get(interval.length_us)
        return interval.length_us in self._series if block is None else block.public

    def keep_newest_value(self, name: str, label: str | None, columns: SeriesColumns) -> NewestValue:
        """A reader of the newest value of the indicator ``name`` of ``columns``, kept for the next time."""
        found = self.newest_values[name, label] = NewestValue(columns.end, columns.indicators[name])
        return found

    def put(self, symbol: str, interval: Interval, bar: Bar) -> None:
        """Insert or replace one bar: a new version of the columns, so that views handed out stay as they are."""
        columns = self.series(interval) or _no_bars(symbol, interval, self.info)
        at = int(columns.start.searchsorted(bar.start_us))
        after = at + int(at < len(columns) and columns.start[at] == bar.start_us)
        values = {"start": bar.start_us, "end": bar.end_us, "bar_count": bar.bar_count}
        values |= {name: getattr(bar, name) for name in PRICE_COLUMNS}
        changed: dict[str, Any] = {}
        for name, value in values.items():
            column = getattr(columns, name)
            changed[name] = np.concatenate((column[:at], np.array([value], dtype=column.dtype), column[after:]))
            changed[name].flags.writeable = False
        self._series[interval.length_us] = replace(columns, indicators={}, **changed)
        self.newest_values = {}


class SessionState:
    """What the coordinator writes and everybody reads.

    ``active``: strategies are notified. ``readable``: external reads are answered. ``behind_us``: symbols that
    are being shown their backlog are visible only this far. ``paused_us``: where the clock stands in a pause.
    ``is_shut``: reads were shut underneath a callback that keeps the engine, and ``shuts`` counts how often.
    ``inactive``: symbols withheld by ``catchup_scope: "symbol"``. ``intervals``: the session's streams, and
    ``own_streams`` what was asked for symbols of their own, kept after they left.
    """

    def __init__(self) -> None:
        self.lock = threading.RLock()
        self.active = False
        self.readable = False
        self.history_readable = True
        self.is_shut = False
        self.shuts = 0
        self.watermark_us = 0
        self.behind_us: dict[str, int] = {}
        self.paused_us: int | None = None
        self.inactive: frozenset[str] = frozenset()
        self.symbols: dict[str, SymbolData] = {}
        self.intervals: tuple[Interval, ...] = ()
        self.own_streams: dict[str, tuple[Interval, ...]] = {}

    def clear(self, watermark_us: int) -> None:
        """Forget the session's bars; the next one begins at ``watermark_us``, and is not readable until active."""
        with self.lock:
            self.readable = False
            self.symbols = {}
            self.behind_us = {}
            self.inactive = frozenset()
            self.watermark_us = watermark_us

    def reveal(self, until_us: int) -> None:
        """All that ends by ``until_us`` is visible, shown or not: no symbol is behind any more."""
        with self.lock:
            self.behind_us = {}
            self.watermark_us = max(self.watermark_us, until_us)

    def pin(self, end_us: int) -> None:
        """Joining symbols are visible up to ``end_us``: their backlog is shown end by end."""
        with self.lock:  # a removal on another thread takes symbols out
            for symbol, until_us in self.behind_us.items():
                self.behind_us[symbol] = max(until_us, end_us)

    def fill_in(self, end_us: int, head_us: int | None) -> None:
        """A bar that ends then was filled in, and is never shown: it is visible, with all that ended by then.

        Of symbols that join, what waits to be shown, from ``head_us`` on, is not.
        """
        self.pin(end_us if head_us is None else min(end_us, head_us - 1))
        self.watermark_us = max(self.watermark_us, end_us)

    def shut(self) -> None:
        """Answer no more reads until the engine has the word again."""
        with self.lock:
            self.active = self.readable = self.history_readable = False
            self.is_shut = True
            self.shuts += 1

    def open(self) -> None:
        """Strategies are notified, and reads are answered."""
        with self.lock:  # whoever watches the engine may be shutting the reads just now
            self.active = self.readable = self.history_readable = True
            self.is_shut = False

    def close(self, *, readable: bool) -> None:
        """Strategies are notified no more; are reads answered?"""
        with self.lock:
            self.active = self.is_shut = False
            self.readable = self.history_readable = readable

    def put(self, found: Mapping[str, SymbolData]) -> None:
        """Let the symbols of ``found`` have their data."""
        with self.lock:
            self.symbols |= found

    def drop(self, symbol: str) -> SymbolData | None:
        """Forget ``symbol``; what was there of it, or None. Takes effect for every read that begins after it."""
        with self.lock:
            self.behind_us.pop(symbol, None)
            self.inactive -= {symbol}
            return self.symbols.pop(symbol, None)

    def withhold(self, symbol: str) -> int | None:
        """Answer no more reads of ``symbol``; its generation, or None if it is withheld already or gone."""
        with self.lock:
            data = self.symbols.get(symbol)
            if data is None or symbol in self.inactive:
                return None
            self.inactive |= {symbol}
            return data.info.generation

    def release(self, symbol: str) -> None:
        """Answer reads of ``symbol`` again."""
        with self.lock:
            self.inactive -= {symbol}

    def labels(self, symbols: Sequence[str], *, derived: bool) -> dict[str, list[str]]:
        """Per symbol the requested intervals that are derived, or those that are not."""
        found = {symbol: data for symbol in symbols if (data := self.symbols.get(symbol)) is not None}
        return {
            symbol: [b.interval.label for b in data.blocks.values() if b.public and b.is_base is not derived]
            for symbol, data in found.items()
        }

    def visible_us(self, symbol: str) -> int:
        """Bars of ``symbol`` that end by this instant are visible.

        While the run is paused, all of a joining symbol's bars up to the clock are.
        """
        behind_us = self.behind_us.get(symbol)
        if behind_us is None:
            return self.watermark_us
        return behind_us if self.paused_us is None else self.paused_us

    def interval(self, symbol: str, label: str) -> Interval:
        """The interval named ``label``; ValueError if it was requested neither for ``symbol`` nor for the
        session.
        """
        interval = parse_interval(label)
        data = self.symbols.get(symbol)
        asked = (*self.intervals, *self.own_streams.get(symbol, ()))
        if not (data.is_public(interval) if data else not asked or interval in asked):
            own = self.own_streams.get(symbol, ())
            whose = "its own streams are" if own else "the session's streams are"
            raise ValueError(
                f"{label} bars of {symbol} were not requested; {whose} "
                f"{', '.join(map(str, own or self.intervals)) or 'none'}"
            )
        return interval


def _no_bars(symbol: str, interval: Interval, info: SeriesInfo) -> SeriesColumns:
    ints, floats = np.empty(0, dtype=np.int64), np.empty(0, dtype=np.float64)
    return SeriesColumns(symbol, interval.label, info, ints, ints, floats, floats, floats, floats, floats, ints)
