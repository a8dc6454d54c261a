"""The edges of a run in memory: a source of bars, a sink of events and a recorder of sessions.

With them a coordinator runs without a store and without files: in tests, in examples and in the user's own checks.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from datetime import date
from typing import Any

import numpy as np

from mismartera.bars import Bar, BarBlock, parse_interval
from mismartera.bars.instants import SECOND_US, to_iso
from mismartera.session.ports import Field, Reads
from mismartera.timing import TimeManager

StoredRow = tuple[int, float, float, float, float, float]
"""Start in microseconds since the epoch (UTC), open, high, low, close, volume."""
DumpKey = tuple[str, str, str]
"""ISO date of the session, symbol, interval."""


class MemoryBars:
    """A source of bars (:class:`~mismartera.session.ports.BarSource`) over plain lists.

    ``rows`` maps (symbol, interval: ``"1m"``) to the rows of that series, in any order. Nothing is checked and
    nothing is merged: rows of one start stay side by side, in their order, as a source of others might have them.
    A series without rows is unknown. What ``rows`` holds later does not show.
    """

    def __init__(self, rows: Mapping[tuple[str, str], Sequence[StoredRow]], *, version: int = 1) -> None:
        self._version = version
        self._columns = {
            (symbol, parse_interval(label).length_us): np.array(sorted(series, key=_start), dtype=np.float64).T
            for (symbol, label), series in rows.items()
            if series
        }
        self._starts = {
            (symbol, parse_interval(label).length_us): np.array(sorted(map(_start, series)), dtype=np.int64)
            for (symbol, label), series in rows.items()
            if series
        }
        self._known: dict[str, frozenset[str]] = {}
        for (symbol, label), series in rows.items():
            if series:
                name = parse_interval(label).canonical
                self._known[symbol] = self._known.get(symbol, frozenset()) | {name}

    @classmethod
    def of(cls, bars: Iterable[Bar]) -> MemoryBars:
        """A source of these bars."""
        rows: dict[tuple[str, str], list[StoredRow]] = {}
        for bar in bars:
            row = (bar.start_us, bar.open, bar.high, bar.low, bar.close, bar.volume)
            rows.setdefault((bar.symbol, bar.interval), []).append(row)
        return cls(rows)

    @property
    def version(self) -> int:
        """The version that was given."""
        return self._version

    def read_block(self, interval: str, start_us: int, end_us: int, symbols: Sequence[str]) -> BarBlock:
        """Rows with ``start_us <= start < end_us`` in the order of ``symbols``, sorted by time within each."""
        length = parse_interval(interval).length_us
        counts, starts, columns = [0], [_NO_STARTS], [_NO_COLUMNS]
        for symbol in symbols:
            series = self._starts.get((symbol, length), _NO_STARTS)
            first, last = series.searchsorted([start_us, end_us]).tolist()
            counts.append(max(last - first, 0))
            if first < last:
                starts.append(series[first:last])
                columns.append(self._columns[symbol, length][1:, first:last])
        return BarBlock(
            tuple(symbols),
            np.cumsum(counts),
            np.concatenate(starts),
            *map(np.copy, np.concatenate(columns, axis=1)),
        )

    def known_intervals(self, symbols: Sequence[str]) -> dict[str, frozenset[str]]:
        """The intervals of those of ``symbols`` that have rows."""
        return {symbol: self._known[symbol] for symbol in symbols if symbol in self._known}

    def damage_to(self, symbol: str) -> str | None:  # noqa: ARG002
        """None: nothing can be damaged here."""
        return None


class EventLog:
    """A sink (:class:`~mismartera.session.ports.EventSink`) that keeps the lines of ``--events``, without ``seq``.

    ``lines`` is a list of dicts in order. Bars are stamped with the clock of ``time``.
    """

    wants_bars = wants_gaps = True

    def __init__(self, time: TimeManager) -> None:
        self.lines: list[dict[str, Any]] = []
        self._time = time

    def event(self, name: str, now_us: int, fields: Mapping[str, Field]) -> None:
        """Keep an event."""
        self.lines.append({"time": to_iso(now_us), "event": name, **fields})

    def bar(self, bar: Bar) -> None:
        """Keep a bar that was released."""
        now_us = self._time.now_us()
        assert now_us == bar.end_us + round(bar.lag_seconds * SECOND_US), f"the clock stands at {bar}'s end + lag"
        self.lines.append({
            "time": to_iso(now_us), "event": "bar", "symbol": bar.symbol, "interval": bar.interval,
            "start": to_iso(bar.start_us), "end": to_iso(bar.end_us), "open": bar.open, "high": bar.high,
            "low": bar.low, "close": bar.close, "volume": bar.volume, "bar_count": bar.bar_count,
            "lag_seconds": bar.lag_seconds, "generation": bar.generation,
        })  # fmt: skip


class MemoryDumps:
    """A recorder (:class:`~mismartera.session.ports.SessionRecorder`) that keeps the rows of ``--dump``.

    ``tables`` maps (ISO date, symbol, interval) to rows: dicts of the dump's columns, ``timestamp`` in
    microseconds of UTC, None where an indicator is not warm.
    """

    def __init__(self) -> None:
        self.tables: dict[DumpKey, list[dict[str, Any]]] = {}

    def record(
        self, day: date, symbols: Sequence[str], intervals: Mapping[str, Sequence[str]], data: Reads
    ) -> None:
        """Keep what ``data`` holds of a finished session."""
        for symbol in symbols:
            for label in intervals[symbol]:
                self.tables[day.isoformat(), symbol, label] = table_of(data, symbol, label)


def table_of(data: Reads, symbol: str, interval: str) -> list[dict[str, Any]]:
    """The visible bars of a series with their indicators, as the rows of a dump."""
    bars = data.get_bars(symbol, interval, internal=True)
    assert bars is not None, f"{symbol} is loaded with {interval}"
    columns = {
        "timestamp": bars.start_us, "open": bars.open, "high": bars.high, "low": bars.low, "close": bars.close,
        "volume": bars.volume, "bar_count": bars.bar_count,
    } | {name: bars.indicator(name) for name in bars.indicator_names}  # fmt: skip
    lists = {name: [_or_none(value) for value in column.tolist()] for name, column in columns.items()}
    return [dict(zip(lists, row, strict=True)) for row in zip(*lists.values(), strict=True)]


def _or_none(value: float) -> float | None:
    return None if math.isnan(value) else value


def _start(row: StoredRow) -> int:
    return row[0]


_NO_STARTS = np.empty(0, dtype=np.int64)
_NO_COLUMNS = np.empty((5, 0), dtype=np.float64)
