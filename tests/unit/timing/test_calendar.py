"""ExchangeCalendar against exchange_calendars itself, and against days that everybody knows."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from functools import lru_cache
from typing import Any

import exchange_calendars
import pandas as pd
import pytest

from mismartera.bars.instants import DAY_US, HOUR_US, MINUTE_US, to_us
from mismartera.errors import CalendarError
from mismartera.timing import ExchangeCalendar

# The library itself uses what newer versions of pandas deprecate.
pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning")
CODES = ("XNYS", "XHKG", "24/7", "XLON")
LAST_COMPARED = date(2026, 12, 31)


@lru_cache(maxsize=8)
def oracle(code: str) -> Any:
    """The same calendar as the library gives it, not by way of our columns."""
    return exchange_calendars.get_calendar(code, start="1990-01-01")


def micros(stamp: pd.Timestamp) -> int:
    nanos = stamp.as_unit("ns").value
    assert nanos % 1000 == 0
    return int(nanos) // 1000


@pytest.mark.parametrize("code", CODES)
def test_every_session_equals_that_of_exchange_calendars(code: str) -> None:
    calendar, truth = ExchangeCalendar(code), oracle(code)
    early = set(truth.early_closes)
    rows = [row for row in truth.schedule.itertuples() if row.Index.date() <= LAST_COMPARED]
    assert len(rows) > 9000
    assert calendar.dates(date(1990, 1, 1), LAST_COMPARED) == tuple(row.Index.date() for row in rows)
    for row in rows:
        session = calendar.session(row.Index.date())
        assert session.date == row.Index.date()
        assert session.open_us == micros(row.open)
        assert session.close_us == micros(row.close)
        assert session.is_half_day == (row.Index in early)
        if pd.isna(row.break_start):
            assert session.parts == ((session.open_us, session.close_us),)
        else:
            breaks = (micros(row.break_start), micros(row.break_end))
            assert session.parts == ((session.open_us, breaks[0]), (breaks[1], session.close_us))


@pytest.mark.parametrize("code", CODES)
def test_every_minute_of_two_years_is_open_or_closed_as_exchange_calendars_says(code: str) -> None:
    calendar, truth = ExchangeCalendar(code), oracle(code)
    for year in (2024, 2025):  # a leap year, and the year of an unscheduled closure
        found: list[int] = []
        for day in calendar.dates(date(year, 1, 2), date(year, 12, 31)):
            for start, end in calendar.session(day).parts:
                found += range(start, end, MINUTE_US)
        minutes = truth.sessions_minutes(f"{year}-01-02", f"{year}-12-31")
        assert found == [nanos // 1000 for nanos in minutes.as_unit("ns").asi8.tolist()]


@pytest.mark.parametrize("code", CODES)
def test_every_date_is_a_session_or_not_as_exchange_calendars_says(code: str) -> None:
    calendar, truth = ExchangeCalendar(code), oracle(code)
    dates = {stamp.date() for stamp in truth.sessions}
    day = date(1990, 1, 1)
    while day <= LAST_COMPARED:
        assert calendar.is_session(day) == (day in dates), day
        day += timedelta(days=1)


@pytest.mark.parametrize("code", [*CODES, "CMES"])
def test_an_instant_belongs_to_the_session_that_holds_it(code: str) -> None:
    calendar = ExchangeCalendar(code)
    for day in calendar.dates(date(2024, 1, 1), date(2024, 12, 31)):
        session = calendar.session(day)
        for us in (session.open_us, session.parts[0][1] - 1, session.parts[-1][0], session.close_us - 1):
            assert calendar.date_at(us) == day
        following = calendar.session(calendar.after(day))
        assert calendar.date_at(session.close_us) == (
            following.date if following.open_us == session.close_us else None
        )


def test_the_lunch_break_belongs_to_the_session_but_is_not_open() -> None:
    session = ExchangeCalendar("XHKG").session(date(2024, 7, 2))
    ((start, end),) = session.breaks
    assert (start.hour, end.hour) == (12, 13)
    assert session.contains(to_us(start) - 1)
    assert not session.contains(to_us(start))
    assert not session.contains(to_us(end) - 1)
    assert session.contains(to_us(end))
    assert ExchangeCalendar("XHKG").date_at(to_us(start)) == date(2024, 7, 2)


def test_a_half_day_in_hong_kong_has_no_afternoon() -> None:
    session = ExchangeCalendar("XHKG").session(date(2024, 12, 24))
    assert session.is_half_day
    assert session.breaks == ()
    assert (session.close.hour, session.close.minute) == (12, 0)


def test_the_day_before_independence_day_closes_at_one() -> None:
    session = ExchangeCalendar("XNYS").session(date(2024, 7, 3))
    assert session.is_half_day
    assert session.open.isoformat() == "2024-07-03T09:30:00-04:00"
    assert session.close.isoformat() == "2024-07-03T13:00:00-04:00"
    assert not session.contains(session.close_us)
    assert session.contains(session.close_us - 1)
    assert not session.contains(session.open_us - 1)


@pytest.mark.parametrize(
    "closure",
    [
        date(2025, 1, 9),
        date(2018, 12, 5),
        date(2012, 10, 29),
        date(2012, 10, 30),
        date(2001, 9, 11),
        date(2007, 1, 2),
    ],
)
def test_unscheduled_closures_are_no_trading_days(closure: date) -> None:
    calendar = ExchangeCalendar("XNYS")
    assert not calendar.is_session(closure)
    with pytest.raises(CalendarError, match=f"{closure} is not a trading day of XNYS: the session before it is "):
        calendar.session(closure)


@pytest.mark.parametrize(
    ("code", "day", "opens_utc"),
    [
        ("XNYS", date(2024, 3, 8), "14:30"), ("XNYS", date(2024, 3, 11), "13:30"),
        ("XLON", date(2024, 3, 11), "08:00"), ("XLON", date(2024, 3, 28), "08:00"),
        ("XLON", date(2024, 4, 2), "07:00"), ("XLON", date(2024, 10, 25), "07:00"),
        ("XLON", date(2024, 10, 28), "08:00"), ("XNYS", date(2024, 10, 28), "13:30"),
        ("XNYS", date(2024, 11, 1), "13:30"), ("XNYS", date(2024, 11, 4), "14:30"),
        ("XHKG", date(2024, 3, 11), "01:30"), ("XHKG", date(2024, 11, 4), "01:30"),
    ],
)  # fmt: skip
def test_summer_time_moves_the_open_in_utc(code: str, day: date, opens_utc: str) -> None:
    session = ExchangeCalendar(code).session(day)
    assert session.open.astimezone(UTC).strftime("%H:%M") == opens_utc


def test_a_market_that_never_closes_has_a_session_a_day() -> None:
    calendar = ExchangeCalendar("24/7")
    session = calendar.session(date(2024, 2, 29))
    assert session.open == datetime(2024, 2, 29, tzinfo=UTC)
    assert session.close_us - session.open_us == DAY_US
    assert calendar.after(date(2024, 12, 31)) == date(2025, 1, 1)


def test_an_overnight_session_has_the_date_of_its_morning() -> None:
    calendar = ExchangeCalendar("CMES")
    session = calendar.session(date(2024, 7, 2))
    assert session.open.isoformat() == "2024-07-01T17:00:00-05:00"
    assert calendar.date_at(session.open_us + HOUR_US) == date(2024, 7, 2)


def test_sessions_are_counted_from_any_date() -> None:
    calendar = ExchangeCalendar("XNYS")
    assert calendar.after(date(2024, 7, 3)) == date(2024, 7, 5)
    assert calendar.after(date(2024, 7, 4)) == date(2024, 7, 5)
    assert calendar.after(date(2024, 7, 4), 2) == date(2024, 7, 8)
    assert calendar.before(date(2024, 7, 5)) == date(2024, 7, 3)
    assert calendar.before(date(2024, 7, 7)) == date(2024, 7, 5)
    assert calendar.before(date(2024, 7, 7), 3) == date(2024, 7, 2)
    assert calendar.dates(date(2024, 7, 3), date(2024, 7, 5)) == (date(2024, 7, 3), date(2024, 7, 5))
    assert calendar.dates(date(2024, 7, 4), date(2024, 7, 4)) == ()
    assert calendar.dates(date(2024, 7, 5), date(2024, 7, 3)) == ()


def test_dates_beyond_the_calendar_are_refused_with_its_range() -> None:
    calendar = ExchangeCalendar("XNYS")
    known = f"XNYS is known from 1990-01-01 to {calendar.last_date}"
    assert not calendar.is_session(date(1990, 1, 1))
    for day in (date(1989, 12, 31), calendar.last_date + timedelta(days=1)):
        with pytest.raises(CalendarError, match=known):
            calendar.is_session(day)
        with pytest.raises(CalendarError, match=known):
            calendar.session(day)
        with pytest.raises(CalendarError, match=known):
            calendar.dates(day, day)
    with pytest.raises(CalendarError, match=known):
        calendar.before(date(1990, 1, 2))
    with pytest.raises(CalendarError, match=known):
        calendar.after(calendar.last_date)
    assert calendar.date_at(to_us(datetime(1980, 1, 2, 15, tzinfo=UTC))) is None


def test_a_calendar_that_begins_later_says_so() -> None:
    calendar = ExchangeCalendar("XTKS")
    assert calendar.first_date == date(1997, 1, 1)
    with pytest.raises(CalendarError, match="XTKS is known from 1997-01-01"):
        calendar.is_session(date(1996, 12, 30))


@pytest.mark.parametrize(
    ("code", "hint"),
    [("XNYSE", "did you mean XNYS"), ("xnys", "did you mean XNYS"), ("24-7", "24/7"), ("??", "for example XNYS")],
)
def test_an_unknown_calendar_is_refused_with_close_names(code: str, hint: str) -> None:
    with pytest.raises(CalendarError) as error:
        ExchangeCalendar(code)
    assert f"calendar {code!r} does not exist" in str(error.value)
    assert hint in str(error.value)


def test_an_unfinished_calendar_of_the_library_is_refused() -> None:
    with pytest.raises(CalendarError, match="calendar 'ASEX' cannot be used"):
        ExchangeCalendar("ASEX")


def test_a_moment_is_no_trading_day() -> None:
    with pytest.raises(TypeError, match=r"is a datetime\.date"):
        ExchangeCalendar("XNYS").session(datetime(2024, 7, 3, tzinfo=UTC))
