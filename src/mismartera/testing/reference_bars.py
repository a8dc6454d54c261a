"""The bars half of the reference model: which stored rows are a session's bars, and what derives from them.

Slow and obvious on purpose: plain lists, loops and floats, one bar at a time. It shares no code with the engine
beyond the names of things (intervals, instants, TA-Lib itself), so that the two can be held against each other.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta, tzinfo
from typing import NamedTuple

import numpy as np

from mismartera.bars.instants import DAY_US, MINUTE_US, to_datetime, to_us
from mismartera.bars.interval import BASE_INTERVALS, Interval, parse_interval
from mismartera.config import SessionConfig
from mismartera.indicators import IndicatorSpec
from mismartera.timing import TimeManager


class RefBar(NamedTuple):
    """A stored bar: ``start_us`` in microseconds since the epoch, UTC; prices and volume as stored."""

    start_us: int
    open: float
    high: float
    low: float
    close: float
    volume: float


Store = Mapping[tuple[str, str], Sequence[RefBar]]
"""Stored bars by (symbol, base interval: ``1s``, ``1m`` or ``1d``): unique by start, in any order."""


class ShownBar(NamedTuple):
    """A bar of SessionData: covers ``[start_us, end_us)`` and holds ``bar_count`` base bars."""

    start_us: int
    end_us: int
    open: float
    high: float
    low: float
    close: float
    volume: float
    bar_count: int


class Row(NamedTuple):
    """A stored row of a session: how it counts (R1), when it ended, and its bar if it was accepted."""

    kind: str
    end_us: int
    bar: ShownBar | None


@dataclass(frozen=True)
class Day:
    """One session: date, hours and continuous parts (UTC microseconds), and the hours of the dates beside it."""

    date: date
    open_us: int
    close_us: int
    parts: tuple[tuple[int, int], ...]
    zone: tzinfo
    neighbours: tuple[tuple[int, int], ...] = ()


def make_day(config: SessionConfig, time_manager: TimeManager, on: date) -> Day:
    """The session of ``on`` with the configuration's hours (R3); ``on`` must be a trading date."""
    day = _hours_of(config, time_manager, on)
    beside = time_manager.trading_dates(on - timedelta(days=1), on + timedelta(days=1))
    spans = [_hours_of(config, time_manager, other) for other in beside if other != on]
    neighbours = tuple((other.open_us, other.close_us) for other in spans)
    return Day(day.date, day.open_us, day.close_us, day.parts, day.zone, neighbours)


def classify(rows: Sequence[RefBar], interval: Interval, day: Day) -> list[Row]:
    """The stored rows of base ``interval`` that belong to ``day``, in time order, each with its kind of count."""
    result: list[Row] = []
    taken: set[tuple[int, int]] = set()
    for row in sorted(rows):
        if not _belongs(row.start_us, interval, day):
            continue
        window = window_of(row.start_us, interval, day)
        end_us = day.close_us if interval.is_daily else row.start_us + interval.length_us
        if not _is_valid(row, interval):
            result.append(Row("rejected", end_us, None))
        elif window is None:
            result.append(Row("out_of_hours", end_us, None))
        elif window in taken:
            result.append(Row("duplicate", end_us, None))  # only two daily rows of one date can get here
        else:
            taken.add(window)
            result.append(Row("accepted", end_us, ShownBar(*window, *row[1:], 1)))
    return result


def accepted_bars(store: Store, symbol: str, interval: Interval, day: Day) -> list[ShownBar]:
    """The valid bars in hours of ``day``, in time order."""
    rows = classify(store.get((symbol, interval.label), ()), interval, day)
    return [row.bar for row in rows if row.bar is not None]


def choose_base(store: Store, symbol: str, streams: Sequence[Interval], day: Day) -> Interval | None:
    """The base interval of ``symbol`` on ``day`` (R7); None if nothing stored can make the ``streams``."""
    candidates = [base for base in BASE_INTERVALS if all(stream.derives_from(base) for stream in streams)]
    for base in candidates:
        if accepted_bars(store, symbol, base, day):
            return base
    for base in candidates:
        if store.get((symbol, base.label)):
            return base
    return None


def windows(interval: Interval, day: Day) -> list[tuple[int, int]]:
    """The grid of ``interval``: anchored at each part's open, cut at its end; ``1d`` spans the session."""
    if interval.is_daily:
        return [(day.open_us, day.close_us)]
    result = []
    for first, last in day.parts:
        start = first
        while start < last:
            result.append((start, min(start + interval.length_us, last)))
            start += interval.length_us
    return result


def window_of(start_us: int, interval: Interval, day: Day) -> tuple[int, int] | None:
    """The window of :func:`windows` that holds ``start_us``; None out of hours. ``1d``: the session's, always."""
    if interval.is_daily:
        return day.open_us, day.close_us
    for first, last in day.parts:
        if first <= start_us < last:
            start = start_us - (start_us - first) % interval.length_us
            return start, min(start + interval.length_us, last)
    return None


def derive(
    bars: Sequence[ShownBar], base: Interval, interval: Interval, day: Day, *, complete: bool
) -> list[ShownBar]:
    """The bars of ``interval`` made of the base ``bars``; ``complete``: only windows with every slot present."""
    if interval == base:
        return list(bars)
    slots = _grouped([start for start, _ in windows(base, day)], interval, day)
    present = _grouped([bar.start_us for bar in bars], interval, day)
    result = []
    for window in windows(interval, day):
        inside = [bars[at] for at in present.get(window, [])]
        if inside and not (complete and len(inside) < len(slots[window])):
            result.append(_merged(window, inside))
    return result


def indicator_rows(
    specs: Sequence[IndicatorSpec], history: Sequence[ShownBar], bars: Sequence[ShownBar]
) -> list[dict[str, float | None]]:
    """For each of ``bars`` the values of all ``specs`` on ``history`` and the bars up to it; None until warm."""
    result: list[dict[str, float | None]] = []
    columns = [np.array([bar[at] for bar in [*history, *bars]], dtype=np.float64) for at in range(2, 7)]
    for count in range(len(history) + 1, len(history) + len(bars) + 1):
        row: dict[str, float | None] = {}
        for spec in specs:
            known = spec.compute(*(column[:count] for column in columns))
            for name, values in zip(spec.columns, known, strict=True):
                row[name] = None if math.isnan(values[-1]) else float(values[-1])
        result.append(row)
    return result


def history_bars(
    config: SessionConfig, store: Store, time_manager: TimeManager, symbol: str, interval: Interval, day: Day
) -> list[ShownBar]:
    """The bars of ``interval`` in the longest history window that applies (R7), oldest first, before ``day``."""
    settings = config.session_data_config
    days = 0
    for window in settings.historical.data:
        applies = window.apply_to == "all" or symbol in window.apply_to
        if applies and any(interval.derives_from(parse_interval(label)) for label in window.intervals):
            days = max(days, window.trailing_days)
    result: list[ShownBar] = []
    for back in range(days, 0, -1):
        past = make_day(config, time_manager, time_manager.previous_trading_date(day.date, back))
        base = choose_base(store, symbol, [interval], past)
        if base is not None:
            bars = accepted_bars(store, symbol, base, past)
            result += derive(bars, base, interval, past, complete=settings.derived_bars == "complete")
    return result


def _hours_of(config: SessionConfig, time_manager: TimeManager, on: date) -> Day:
    session = time_manager.get_trading_session(on)
    hours = config.session_data_config.hours
    if hours == "regular":
        return Day(on, session.open_us, session.close_us, tuple(session.parts), session.zone)
    midnight = datetime.combine(on, time())
    first, last = (
        to_us((midnight + timedelta(minutes=minutes)).replace(tzinfo=session.zone))
        for minutes in (hours.open_minutes, hours.close_minutes)
    )
    return Day(on, first, last, ((first, last),), session.zone)


def _belongs(start_us: int, interval: Interval, day: Day) -> bool:
    if interval.is_daily:
        zone = UTC if start_us % DAY_US == 0 else day.zone  # daily files are often stamped with midnight UTC
        return to_datetime(start_us, zone).date() == day.date
    if day.open_us <= start_us < day.close_us:
        return True
    if any(first <= start_us < last for first, last in day.neighbours):
        return False
    return to_datetime(start_us, day.zone).date() == day.date


def _is_valid(row: RefBar, interval: Interval) -> bool:
    if not all(math.isfinite(value) for value in row[1:]):
        return False
    if min(row.open, row.high, row.low, row.close) <= 0 or row.volume < 0:
        return False
    if not (row.low <= row.open <= row.high and row.low <= row.close <= row.high):
        return False
    return row.start_us % (MINUTE_US if interval.is_daily else interval.length_us) == 0


def _grouped(starts: Sequence[int], interval: Interval, day: Day) -> dict[tuple[int, int], list[int]]:
    """Positions of ``starts`` by the window of ``interval`` that holds them."""
    groups: dict[tuple[int, int], list[int]] = {}
    for at, start in enumerate(starts):
        window = window_of(start, interval, day)
        assert window is not None, "only bars in hours are grouped"
        groups.setdefault(window, []).append(at)
    return groups


def _merged(window: tuple[int, int], bars: Sequence[ShownBar]) -> ShownBar:
    high, low, volume = bars[0].high, bars[0].low, 0.0
    for bar in bars:
        high = max(high, bar.high)
        low = min(low, bar.low)
        volume = volume + bar.volume
    return ShownBar(*window, bars[0].open, high, low, bars[-1].close, volume, len(bars))
