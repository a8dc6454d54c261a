"""TimeManager: the one owner of time in a run: the clock, the calendar, the trading hours."""

from __future__ import annotations

import time
from collections.abc import Callable
from datetime import date, datetime
from pathlib import Path
from zoneinfo import ZoneInfo

from mismartera.bars.instants import to_datetime, to_us
from mismartera.errors import CalendarError
from mismartera.timing.calendar import ExchangeCalendar
from mismartera.timing.clock import Clock, SteppedClock
from mismartera.timing.local_time import (
    instant_at,
    local_date,
    next_time_of_day,
    parse_instant,
    parse_time_of_day,
)
from mismartera.timing.session import TradingSession


class TimeManager:
    """Knows what time it is and when the exchange is open. Instants are microseconds since the epoch, UTC.

    ``calendar``: code of the exchange's calendar (:class:`ExchangeCalendar`). ``hours``: exchange times, say
    ``("04:00", "20:00")``, that replace the regular hours of each session day, half days included: one
    continuous part; ``"24:00"`` is the next midnight. ``clock``: a stepped one by default. ``cache_dir``: a
    folder that keeps timetables between runs (:func:`user_cache_dir`), or None. Raises CalendarError for an
    unknown calendar, ValueError for bad hours.

    Exchange time follows one rule at the changes of the clocks: a time that is skipped counts with the offset
    before the change, and one that occurs twice is its first occurrence.
    """

    def __init__(
        self,
        calendar: str = "XNYS",
        *,
        hours: tuple[str, str] | None = None,
        clock: Clock | None = None,
        cache_dir: Path | None = None,
        monotonic: Callable[[], float] = time.monotonic,  # noqa: TID251 (this package's task)
    ) -> None:
        self._hours = _parse_hours(hours) if hours else None
        self._calendar = ExchangeCalendar(calendar, cache_dir=cache_dir)
        self._clock: Clock = SteppedClock() if clock is None else clock
        self._monotonic = monotonic
        self._sessions: dict[date, TradingSession] = {}

    @property
    def calendar(self) -> ExchangeCalendar:
        """The exchange's calendar, with its regular hours."""
        return self._calendar

    @property
    def zone(self) -> ZoneInfo:
        """The exchange's time zone."""
        return self._calendar.zone

    @property
    def clock(self) -> Clock:
        """The run's clock."""
        return self._clock

    def now_us(self) -> int:
        """The present instant."""
        return self._clock.now_us()

    def get_current_time(self) -> datetime:
        """The present instant as an aware datetime in the exchange's zone."""
        return to_datetime(self._clock.now_us(), self.zone)

    def set_backtest_time(self, moment: datetime) -> None:
        """Put the clock at ``moment`` (a paced one runs on from there).

        ValueError for a naive datetime and for a moment before the present one: time never goes back.
        """
        us, now = to_us(moment), self._clock.now_us()
        if us < now:
            shown = to_datetime(now, self.zone).isoformat()
            raise ValueError(f"time never goes back: it is {shown}, found {moment.isoformat()}")
        self._clock.start_at(us)

    def get_trading_session(self, day: date) -> TradingSession:
        """The session of ``day``; looked up once per date. CalendarError names the nearest ones if it has none."""
        session = self._sessions.get(day)
        if session is None:
            session = self._sessions[day] = self._look_up(day)
        return session

    def is_trading_date(self, day: date) -> bool:
        """True if ``day`` has a session."""
        return self._calendar.is_session(day)

    def trading_dates(self, start: date, end: date) -> tuple[date, ...]:
        """The dates with a session from ``start`` to ``end``, both inclusive; empty if there are none."""
        return self._calendar.dates(start, end)

    def first_trading_date(self, start: date, end: date) -> date:
        """The first session's date from ``start`` to ``end``, both inclusive; CalendarError if there is none."""
        found = self.trading_dates(start, end)
        if not found:
            raise CalendarError(f"{self._calendar.code} has no session from {start} to {end}")
        return found[0]

    def next_trading_date(self, day: date, n: int = 1) -> date:
        """The date of the ``n``-th session after ``day``, which need not have one itself."""
        return self._calendar.after(day, n)

    def previous_trading_date(self, day: date, n: int = 1) -> date:
        """The date of the ``n``-th session before ``day``, which need not have one itself."""
        return self._calendar.before(day, n)

    def session_of(self, us: int) -> date:
        """The date of the session whose [open, close) holds ``us``, otherwise the exchange's date at ``us``."""
        if self._hours:  # such a session lies within its own date
            return local_date(us, self.zone)
        return self._calendar.date_at(us) or local_date(us, self.zone)

    def next_time_of_day_us(self, after_us: int, time_of_day: str) -> int:
        """The first instant after ``after_us`` at which it is ``time_of_day`` ("HH:MM[:SS]") at the exchange."""
        return next_time_of_day(after_us, parse_time_of_day(time_of_day), self.zone)

    def parse_time(self, text: str) -> int:
        """The instant of an ISO 8601 date and time; one without an offset is in exchange time. Or ValueError."""
        return parse_instant(text, self.zone)

    def monotonic(self) -> float:
        """Wall seconds since some moment, for durations of work; never market time."""
        return self._monotonic()

    def _look_up(self, day: date) -> TradingSession:
        regular = self._calendar.session(day)
        if self._hours is None:
            return regular
        opens, closes = (instant_at(day, time_of_day, self.zone) for time_of_day in self._hours)
        if opens >= closes:
            raise CalendarError(f"the clocks of {self.zone} skip the trading hours on {day}")
        return TradingSession(day, opens, closes, ((opens, closes),), self.zone, regular.is_half_day)


def _parse_hours(hours: tuple[str, str]) -> tuple[int, int]:
    opens, closes = parse_time_of_day(hours[0]), parse_time_of_day(hours[1], allow_24=True)
    if opens >= closes:
        raise ValueError(f"trading hours open before they close: found {hours[0]} to {hours[1]}")
    return opens, closes
