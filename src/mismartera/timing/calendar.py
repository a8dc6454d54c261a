"""ExchangeCalendar: the sessions of one exchange, looked up by date or instant."""

from __future__ import annotations

from bisect import bisect_right
from datetime import date, datetime
from pathlib import Path
from zoneinfo import ZoneInfo

from mismartera.errors import CalendarError
from mismartera.timing.session import TradingSession
from mismartera.timing.timetable import NO_BREAK, Timetable, compute_timetable, load_timetable


class ExchangeCalendar:
    """Sessions, holidays, half days, breaks and special closures of calendar ``code``, from exchange_calendars.

    ``code`` is an ISO 10383 code (``XNYS``, ``XHKG``) or another name of exchange_calendars (``24/7``). Known are
    the sessions from 1990 (or the calendar's own beginning) to about a year ahead; a date outside raises
    CalendarError. ``cache_dir`` is a folder that keeps timetables between runs (None: none is kept).
    """

    def __init__(self, code: str, *, cache_dir: Path | None = None) -> None:
        self.code = code
        self._cache_dir = cache_dir
        self._table: Timetable = load_timetable(code, cache_dir)
        self.zone = ZoneInfo(self._table.zone)

    @property
    def first_date(self) -> date:
        """The first date of which the calendar knows whether it has a session."""
        return self._table.first

    @property
    def last_date(self) -> date:
        """The last such date."""
        return self._table.last

    def is_session(self, day: date) -> bool:
        """True if ``day`` has a session."""
        table = self._knowing(day)
        row = table.row(day)
        return row < len(table.ordinal) and table.ordinal[row] == day.toordinal()

    def session(self, day: date) -> TradingSession:
        """The session of ``day``; CalendarError names the nearest ones if there is none."""
        if not self.is_session(day):
            raise CalendarError(f"{day} is not a trading day of {self.code}: {self._neighbours(day)}")
        table = self._table
        row = table.row(day)
        opens, closes, pause = table.open_us[row], table.close_us[row], table.break_start_us[row]
        parts = ((opens, closes),) if pause == NO_BREAK else ((opens, pause), (table.break_end_us[row], closes))
        return TradingSession(day, opens, closes, parts, self.zone, bool(table.half_day[row]))

    def dates(self, start: date, end: date) -> tuple[date, ...]:
        """The dates with a session from ``start`` to ``end``, both inclusive."""
        self._knowing(start)
        table = self._knowing(end)
        first, last = table.row(start), bisect_right(table.ordinal, end.toordinal())
        return tuple(map(date.fromordinal, table.ordinal[first:last]))

    def after(self, day: date, count: int = 1) -> date:
        """The ``count``-th session's date after ``day``, which need not have one itself."""
        assert count >= 1, f"count sessions from 1, not {count}"
        table = self._knowing(day)
        row = bisect_right(table.ordinal, day.toordinal()) + count - 1
        if row >= len(table.ordinal) and table.is_stored:
            table = self._refresh()
            row = bisect_right(table.ordinal, day.toordinal()) + count - 1
        if row >= len(table.ordinal):
            raise CalendarError(f"{self.code} has no {count} sessions after {day}: {self._range()}")
        return date.fromordinal(table.ordinal[row])

    def before(self, day: date, count: int = 1) -> date:
        """The ``count``-th session's date before ``day``, which need not have one itself."""
        assert count >= 1, f"count sessions from 1, not {count}"
        table = self._knowing(day)
        row = table.row(day) - count
        if row < 0:
            raise CalendarError(f"{self.code} has no {count} sessions before {day}: {self._range()}")
        return date.fromordinal(table.ordinal[row])

    def date_at(self, us: int) -> date | None:
        """The date of the session whose ``[open, close)`` holds ``us`` (its breaks too), or None."""
        table = self._table
        if table.is_stored and us >= table.close_us[-1]:
            table = self._refresh()
        row = bisect_right(table.open_us, us) - 1
        return date.fromordinal(table.ordinal[row]) if row >= 0 and us < table.close_us[row] else None

    def _knowing(self, day: date) -> Timetable:
        """The timetable, if it reaches to ``day``."""
        if isinstance(day, datetime) or not isinstance(day, date):
            raise TypeError(f"a trading day is a datetime.date, not {day!r}")
        if day > self._table.last and self._table.is_stored:
            self._refresh()
        if not self._table.first <= day <= self._table.last:
            raise CalendarError(f"{day} is beyond the calendar: {self._range()}")
        return self._table

    def _refresh(self) -> Timetable:
        """Replace a stored timetable by today's, which may reach further."""
        self._table = compute_timetable(self.code, self._cache_dir)
        return self._table

    def _range(self) -> str:
        return (
            f"{self.code} is known from {self.first_date} to {self.last_date} "
            "(a newer exchange_calendars may know more)"
        )

    def _neighbours(self, day: date) -> str:
        table = self._table
        row = table.row(day)
        near = []
        if row > 0:
            near.append(f"the session before it is {date.fromordinal(table.ordinal[row - 1])}")
        if row < len(table.ordinal):
            near.append(f"the next is {date.fromordinal(table.ordinal[row])}")
        return ", ".join(near)
