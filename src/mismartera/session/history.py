"""History: trailing windows of sessions before the current one, and the indicators made of them (R7)."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import date
from typing import Any

import numpy as np
from msgspec import Struct

from mismartera.bars import Interval, SeriesInfo, parse_interval
from mismartera.bars.instants import to_datetime
from mismartera.bars.view import SeriesColumns
from mismartera.config import HistoricalConfig, HistoricalIndicator, HistoricalWindow
from mismartera.errors import CalendarError
from mismartera.indicators import IndicatorSpec
from mismartera.session.processor import DataProcessor
from mismartera.session.quality import Quality
from mismartera.session.reader import DayReader
from mismartera.session.series import PRICE_COLUMNS
from mismartera.session.windows import session_windows
from mismartera.timing import TimeManager, TradingSession

_DAILY, _MINUTE = parse_interval("1d"), parse_interval("1m")
MinuteValues = Mapping[int, float]
"""Minute of the exchange's day (0 to 1439) to value."""


class SymbolHistory(Struct, frozen=True, eq=False):
    """What is known of one symbol before the session opens.

    ``series`` (readable), ``for_indicators`` (their warm-up) and ``quality`` by an interval's length,
    ``values`` by the name of a historical indicator.
    """

    series: Mapping[int, SeriesColumns] = {}
    for_indicators: Mapping[int, SeriesColumns] = {}
    values: Mapping[str, float | MinuteValues | None] = {}
    quality: Mapping[int, Quality] = {}


class HistoryLoader:
    """Loads the windows of ``historical.data`` for the symbols of a session; days already read are kept."""

    def __init__(
        self, config: HistoricalConfig, specs: Sequence[IndicatorSpec], reader: DayReader, time: TimeManager,
        *, complete_only: bool, sessions_per_week: int,
    ) -> None:  # fmt: skip
        self._config = config
        self._reader = reader
        self._time = time
        self._indicator_intervals = tuple(dict.fromkeys(parse_interval(spec.interval) for spec in specs))
        self._processors = {flag: DataProcessor(complete_only=flag) for flag in (complete_only, False)}
        self._complete_only = complete_only
        self._sessions_per_week = sessions_per_week
        self._days: dict[tuple[date, Interval, bool], dict[str, SeriesColumns | None]] = {}

    def load(self, symbols: Sequence[str], session: TradingSession) -> dict[str, SymbolHistory]:
        """The history of ``symbols`` before ``session``. Symbols without a window have none."""
        plans: dict[tuple[HistoryPlan, ...], list[str]] = {}
        for symbol in symbols:
            plan = tuple(self._plan(symbol))
            if plan:
                plans.setdefault(plan, []).append(symbol)
        none = SymbolHistory(values=dict.fromkeys(self._config.indicators))
        loaded = dict.fromkeys(symbols, none)
        for plan, members in plans.items():
            loaded |= self._load_plan(plan, tuple(members), session)
        self._forget_before(session)
        return loaded

    def _plan(self, symbol: str) -> list[HistoryPlan]:
        windows = [w for w in self._config.data if w.apply_to == "all" or symbol in w.apply_to]
        plans = [
            HistoryPlan("series", interval, days, self._complete_only)
            for interval, days in _longest(
                (parse_interval(i), w.trailing_days) for w in windows for i in w.intervals
            )
        ]
        plans += [
            HistoryPlan("for_indicators", interval, days, self._complete_only)
            for interval in self._indicator_intervals
            if (days := _days_for(interval, windows))
        ]
        for name, indicator in self._config.indicators.items():
            interval = _DAILY if indicator.granularity == "daily" else _MINUTE
            if known := _days_for(interval, windows):  # a longer period is that of a symbol with a longer window
                days = min(known, indicator.period_sessions(self._sessions_per_week))
                plans.append(HistoryPlan("value", interval, days, complete_only=False, name=name))
        return plans

    def _load_plan(
        self, plan: Sequence[HistoryPlan], symbols: tuple[str, ...], session: TradingSession
    ) -> dict[str, SymbolHistory]:
        kinds: dict[str, dict[str, dict[int, SeriesColumns]]] = {
            "series": {s: {} for s in symbols},
            "for_indicators": {s: {} for s in symbols},
        }
        values: dict[str, dict[str, float | MinuteValues | None]]
        values = {symbol: dict.fromkeys(self._config.indicators) for symbol in symbols}
        quality: dict[str, dict[int, Quality]] = {symbol: {} for symbol in symbols}
        for want in plan:
            dates = self._trailing(session.date, want.days)
            days = [self._day(d, want, symbols) for d in dates]
            expected = self._expected(dates, want) if want.purpose == "series" else 0
            for symbol in symbols:
                parts = [part for day in days if (part := day[symbol]) is not None]
                if want.purpose in kinds:
                    kinds[want.purpose][symbol][want.interval.length_us] = _joined(symbol, want.interval, parts)
                    if expected:
                        present = sum(len(part) for part in parts)
                        quality[symbol][want.interval.length_us] = Quality(want.interval.label, expected, present)
                else:
                    values[symbol][want.name] = _value(self._config.indicators[want.name], parts)
        return {
            s: SymbolHistory(kinds["series"][s], kinds["for_indicators"][s], values[s], quality[s])
            for s in symbols
        }

    def _expected(self, dates: Sequence[date], want: HistoryPlan) -> int:
        """How many bars the calendar expects on ``dates``; 0 if ``enable_quality`` is off."""
        if not self._config.enable_quality:
            return 0
        return sum(len(session_windows(self._time.get_trading_session(d), want.interval).start) for d in dates)

    def _trailing(self, day: date, count: int) -> list[date]:
        """The ``count`` sessions before ``day``, oldest first; fewer where the calendar begins."""
        days: list[date] = []
        for _ in range(count):
            try:
                day = self._time.previous_trading_date(day)
            except CalendarError:
                break
            days.append(day)
        return days[::-1]

    def _day(self, day: date, want: HistoryPlan, symbols: tuple[str, ...]) -> dict[str, SeriesColumns | None]:
        """The bars of ``day`` of at least these ``symbols``, None for one without any; read once per symbol."""
        known = self._days.setdefault((day, want.interval, want.complete_only), {})
        missing = [symbol for symbol in symbols if symbol not in known]
        if missing:
            known |= dict.fromkeys(missing)
            session = self._time.get_trading_session(day)
            info = SeriesInfo(zone=session.zone)
            for group in self._reader.read(dict.fromkeys(missing, (want.interval,)), session).groups:
                block = self._processors[want.complete_only].process(group, lambda *_: None).blocks[-1]
                known |= {
                    symbol: block.series(k, info)
                    for k, symbol in enumerate(block.symbols)
                    if block.offsets[k] < block.offsets[k + 1]
                }
        return known

    def _forget_before(self, session: TradingSession) -> None:
        """Keep what the next session can need: memory does not grow with the number of days."""
        longest = max([w.trailing_days for w in self._config.data], default=0)
        needed = self._trailing(session.date, longest)
        oldest = needed[0] if needed else session.date
        self._days = {key: day for key, day in self._days.items() if key[0] >= oldest}


class HistoryPlan(Struct, frozen=True):
    """One thing to load: ``interval`` over ``days`` sessions.

    ``purpose``: ``series``, ``for_indicators``, or ``value`` of the historical indicator ``name``.
    """

    purpose: str
    interval: Interval
    days: int
    complete_only: bool
    name: str = ""


def _longest(pairs: Iterable[tuple[Interval, int]]) -> list[tuple[Interval, int]]:
    longest: dict[Interval, int] = {}
    for interval, days in pairs:
        longest[interval] = max(days, longest.get(interval, 0))
    return list(longest.items())


def _days_for(interval: Interval, windows: Sequence[HistoricalWindow]) -> int:
    """The longest window that has ``interval`` or one from which it derives; 0 if there is none."""
    return max(
        (w.trailing_days for w in windows if any(interval.derives_from(parse_interval(i)) for i in w.intervals)),
        default=0,
    )


def _joined(symbol: str, interval: Interval, parts: Sequence[SeriesColumns]) -> SeriesColumns:
    names = ("start", "end", *PRICE_COLUMNS, "bar_count")
    if not parts:
        ints, floats = np.empty(0, dtype=np.int64), np.empty(0, dtype=np.float64)
        return SeriesColumns(
            symbol, interval.label, SeriesInfo(), ints, ints, floats, floats, floats, floats, floats, ints
        )
    columns: dict[str, Any] = {}
    for name in names:
        columns[name] = np.concatenate([getattr(part, name) for part in parts])
        columns[name].flags.writeable = False
    return SeriesColumns(symbol, interval.label, parts[0].info, **columns)


def _value(indicator: HistoricalIndicator, parts: Sequence[SeriesColumns]) -> float | MinuteValues | None:
    """The indicator over the sessions that have bars (``parts``, oldest first)."""
    columns = [getattr(part, indicator.field) for part in parts]
    if indicator.granularity == "daily":
        return _summary(indicator.type, [float(column[0]) for column in columns]) if columns else None
    by_minute: dict[int, list[float]] = {}
    for part, column in zip(parts, columns, strict=True):
        for minute, value in zip(_minutes_of_day(part), column.tolist(), strict=True):
            by_minute.setdefault(minute, []).append(value)
    return {minute: _summary(indicator.type, by_minute[minute]) for minute in sorted(by_minute)}


def _minutes_of_day(part: SeriesColumns) -> list[int]:
    """The minute of the exchange's day in which each bar starts; the clock may be set back in mid-session."""
    starts = (to_datetime(us, part.info.zone) for us in part.start.tolist())
    return [moment.hour * 60 + moment.minute for moment in starts]


def _summary(kind: str, values: Sequence[float]) -> float:
    if kind == "trailing_max":
        return max(values)
    if kind == "trailing_min":
        return min(values)
    total = 0.0
    for value in values:  # from left to right, as all sums here
        total += value
    return total / len(values)
