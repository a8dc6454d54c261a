"""Checking the store against the calendar: what is expected, what is there, what is missing."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import date, timedelta

import numpy as np
import polars as pl
from msgspec import Struct
from numpy.typing import NDArray

from mismartera.bars import BarBlock, Interval, parse_interval
from mismartera.bars.instants import DAY_US, to_datetime
from mismartera.catalog.manager import DataManager
from mismartera.timing import TimeManager, TradingSession

Ints = NDArray[np.int64]

_CHUNK_SESSIONS = 5
"""So many sessions are read at once: bounds the memory."""


class CheckRow(Struct, frozen=True):
    """One symbol, interval and date. ``percent`` is ``present / expected``, 0 to 100; None where none is expected.

    ``gaps`` are ranges of missing bars, ``(from, to, missing)``, half-open, microseconds since the epoch, UTC.
    ``closed`` raises an alarm: there are bars, but the calendar has no session on that date.
    """

    symbol: str
    interval: str
    date: date
    expected: int
    present: int
    out_of_hours: int
    gaps: tuple[tuple[int, int, int], ...] = ()
    closed: bool = False

    @property
    def percent(self) -> float | None:
        """Present of expected, in percent."""
        return 100.0 * self.present / self.expected if self.expected else None


class StoreCheck(Struct, frozen=True):
    """``rows``: a symbol's dates with bars, by symbol, interval and date. ``missing_days``: the sessions between a
    symbol's first and last bar on which it has none at all.
    """

    rows: tuple[CheckRow, ...]
    missing_days: dict[tuple[str, str], tuple[date, ...]]

    @property
    def alarms(self) -> tuple[CheckRow, ...]:
        """The rows of days on which the exchange was closed."""
        return tuple(row for row in self.rows if row.closed)


def check_store(
    data_manager: DataManager,
    time_manager: TimeManager,
    symbols: Sequence[str] | None = None,
    *,
    start: date | None = None,
    end: date | None = None,
) -> StoreCheck:
    """Hold the bars (of ``symbols``, default all; from ``start`` to ``end``, inclusive) against the calendar.

    A bar belongs to the session whose [open, close) holds its start, otherwise to its local date. Derived
    intervals that are stored are checked too: their slots are anchored at the open of each part of the session.
    """
    listing = [row for row in data_manager.listing() if symbols is None or row.symbol in symbols]
    rows: list[CheckRow] = []
    missing: dict[tuple[str, str], tuple[date, ...]] = {}
    for label in sorted({row.interval for row in listing}, key=lambda name: parse_interval(name).length_us):
        spans = [row for row in listing if row.interval == label]
        first = to_datetime(min(row.first_us for row in spans), time_manager.zone).date() - timedelta(days=1)
        last = to_datetime(max(row.last_us for row in spans), time_manager.zone).date() + timedelta(days=1)
        dates = time_manager.trading_dates(max(first, start or first), min(last, end or last))
        sessions = [time_manager.get_trading_session(day) for day in dates]
        check = _IntervalCheck(parse_interval(label), tuple(row.symbol for row in spans), sessions)
        for block, inside in _blocks(data_manager, check, time_manager, first, last):
            check.take(block, inside, time_manager)
        found = [row for row in check.rows() if (start or row.date) <= row.date <= (end or row.date)]
        rows += found
        missing |= _missing(found, dates)
    rows.sort(key=lambda row: (row.symbol, parse_interval(row.interval).length_us, row.date))
    return StoreCheck(tuple(rows), dict(sorted(missing.items())))


def _blocks(
    data_manager: DataManager, check: _IntervalCheck, time_manager: TimeManager, first: date, last: date
) -> Iterator[tuple[BarBlock, list[TradingSession]]]:
    """The bars in stretches that cut no session, each with its sessions."""
    begin, finish = (_midnight(day, time_manager) for day in (first, last + timedelta(days=1)))
    sessions = check.sessions
    chunks = [sessions[k : k + _CHUNK_SESSIONS] for k in range(0, len(sessions), _CHUNK_SESSIONS)] or [[]]
    borders = [begin, *(chunk[0].open_us for chunk in chunks[1:]), finish]
    for chunk, low, high in zip(chunks, borders, borders[1:], strict=False):
        block = data_manager.read_block(check.interval.canonical, low, high, check.symbols)
        if len(block):
            yield block, list(chunk)


def _midnight(day: date, time_manager: TimeManager) -> int:
    return time_manager.parse_time(f"{day.isoformat()}T00:00:00")


class _IntervalCheck:
    """Collects what there is of one interval."""

    def __init__(self, interval: Interval, symbols: tuple[str, ...], sessions: list[TradingSession]) -> None:
        self.interval = interval
        self.symbols = symbols
        self.sessions = sessions
        self._inside: dict[tuple[str, date], Ints] = {}
        self._outside: dict[tuple[str, date], int] = {}

    def take(self, block: BarBlock, sessions: list[TradingSession], time_manager: TimeManager) -> None:
        """Count the bars of ``block`` by session, or by local date where they are in none."""
        outside = np.ones(len(block), dtype=bool)
        for k, symbol in enumerate(block.symbols):
            low, high = int(block.offsets[k]), int(block.offsets[k + 1])
            start = block.start[low:high]
            for session in sessions:
                first, last = np.searchsorted(start, [session.open_us, session.close_us])
                if last > first:
                    outside[low + first : low + last] = False
                    self._inside[symbol, session.date] = start[first:last]
        starts = pl.Series(block.start[outside]).cast(pl.Datetime("us")).dt.replace_time_zone("UTC")
        days = starts.dt.convert_time_zone(time_manager.zone.key).dt.date()
        if self.interval.is_daily:  # as in a session: midnight UTC names the UTC date
            days = starts.dt.date().zip_with(starts.to_physical() % DAY_US == 0, days)
        for owner, day in zip(block.row_symbols()[outside].tolist(), days.to_list(), strict=True):
            key = (block.symbols[owner], day)
            self._outside[key] = self._outside.get(key, 0) + 1

    def rows(self) -> Iterator[CheckRow]:
        """A row for each symbol and date with bars."""
        sessions = {session.date: session for session in self.sessions}
        label = self.interval.canonical
        for symbol, day in sorted(self._inside.keys() | self._outside.keys()):
            outside = self._outside.get((symbol, day), 0)
            if day not in sessions:
                yield CheckRow(symbol, label, day, 0, 0, outside, closed=True)
            elif self.interval.is_daily:  # its start may lie anywhere on its date
                yield CheckRow(symbol, label, day, 1, 1, 0)
            else:
                yield self._row(symbol, sessions[day], self._inside.get((symbol, day)), outside)

    def _row(self, symbol: str, session: TradingSession, start: Ints | None, outside: int) -> CheckRow:
        starts = np.empty(0, dtype=np.int64) if start is None else start
        length = self.interval.length_us
        expected = present = in_hours = 0
        gaps: list[tuple[int, int, int]] = []
        for opens, closes in session.parts:
            slots = -(-(closes - opens) // length)
            here = starts[(starts >= opens) & (starts < closes)]
            filled = np.zeros(slots, dtype=bool)
            filled[(here - opens) // length] = True
            expected, present, in_hours = expected + slots, present + int(filled.sum()), in_hours + len(here)
            gaps += [
                (opens + first * length, min(opens + last * length, closes), last - first)
                for first, last in _false_runs(filled)
            ]
        outside += len(starts) - in_hours
        return CheckRow(
            symbol, self.interval.canonical, session.date, expected, present, outside, gaps=tuple(gaps)
        )


def _false_runs(filled: NDArray[np.bool_]) -> list[tuple[int, int]]:
    edges = np.flatnonzero(np.diff(np.concatenate(([True], filled, [True])).astype(np.int8)))
    return [(int(first), int(last)) for first, last in edges.reshape(-1, 2)]


def _missing(rows: Sequence[CheckRow], dates: Sequence[date]) -> dict[tuple[str, str], tuple[date, ...]]:
    held: dict[tuple[str, str], set[date]] = {}
    for row in rows:
        held.setdefault((row.symbol, row.interval), set()).add(row.date)
    found: dict[tuple[str, str], tuple[date, ...]] = {}
    for key, days in held.items():
        lost = tuple(day for day in dates if min(days) < day < max(days) and day not in days)
        if lost:
            found[key] = lost
    return found
