"""TimeManager: current time, sessions, hours of one's own, exchange time."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mismartera.bars.instants import DAY_US, HOUR_US, SECOND_US, to_datetime, to_us
from mismartera.errors import CalendarError
from mismartera.timing import PacedClock, SteppedClock, TimeManager
from mismartera.timing.local_time import instant_at, parse_time_of_day

NEW_YORK = ZoneInfo("America/New_York")


@pytest.fixture(scope="module")
def manager() -> TimeManager:
    """For questions that do not touch the clock."""
    return TimeManager("XNYS")


def at(text: str) -> int:
    """Microseconds of a New York time."""
    return to_us(datetime.fromisoformat(text).replace(tzinfo=NEW_YORK))


def test_the_current_time_is_the_clocks_in_the_exchanges_zone() -> None:
    clock = SteppedClock()
    manager = TimeManager("XNYS", clock=clock)
    clock.start_at(at("2024-07-02T09:30"))
    assert manager.clock is clock
    assert manager.now_us() == at("2024-07-02T09:30")
    assert manager.get_current_time().isoformat() == "2024-07-02T09:30:00-04:00"
    assert manager.get_current_time().tzinfo is manager.zone


def test_backtest_time_moves_forward_only() -> None:
    manager = TimeManager("XNYS")
    manager.set_backtest_time(datetime(2024, 7, 2, 13, 30, tzinfo=UTC))
    manager.set_backtest_time(datetime(2024, 7, 2, 9, 30, tzinfo=NEW_YORK))
    assert manager.now_us() == at("2024-07-02T09:30")
    with pytest.raises(ValueError, match="time never goes back: it is 2024-07-02T09:30:00-04:00"):
        manager.set_backtest_time(datetime(2024, 7, 2, 9, 29, tzinfo=NEW_YORK))
    with pytest.raises(ValueError, match="has no time zone"):
        manager.set_backtest_time(datetime(2024, 7, 3, 9, 30))  # noqa: DTZ001 (the point of the test)
    assert manager.now_us() == at("2024-07-02T09:30")


def test_a_paced_clock_runs_on_from_the_backtest_time() -> None:
    seconds = [5.0]
    manager = TimeManager("XNYS", clock=PacedClock(60, lambda: seconds[0]))
    manager.set_backtest_time(datetime(2024, 7, 2, 9, 30, tzinfo=NEW_YORK))
    seconds[0] += 1
    assert manager.get_current_time().isoformat() == "2024-07-02T09:31:00-04:00"


def test_a_session_is_looked_up_once(manager: TimeManager) -> None:
    session = manager.get_trading_session(date(2024, 7, 3))
    assert manager.get_trading_session(date(2024, 7, 3)) is session
    assert session.is_half_day
    assert session.zone is manager.zone


def test_a_day_without_a_session_names_its_neighbours(manager: TimeManager) -> None:
    for _ in range(2):
        with pytest.raises(CalendarError) as error:
            manager.get_trading_session(date(2025, 1, 9))
        assert str(error.value) == (
            "2025-01-09 is not a trading day of XNYS: the session before it is 2025-01-08, the next is 2025-01-10"
        )


def test_trading_dates_go_by_the_calendar(manager: TimeManager) -> None:
    assert manager.is_trading_date(date(2024, 7, 3))
    assert not manager.is_trading_date(date(2024, 7, 4))
    assert manager.trading_dates(date(2024, 7, 2), date(2024, 7, 8)) == (
        date(2024, 7, 2), date(2024, 7, 3), date(2024, 7, 5), date(2024, 7, 8),
    )  # fmt: skip
    assert manager.first_trading_date(date(2024, 7, 4), date(2024, 7, 31)) == date(2024, 7, 5)
    assert manager.next_trading_date(date(2024, 7, 3)) == date(2024, 7, 5)
    assert manager.next_trading_date(date(2024, 7, 3), 2) == date(2024, 7, 8)
    assert manager.previous_trading_date(date(2024, 7, 8)) == date(2024, 7, 5)
    assert manager.previous_trading_date(date(2024, 7, 8), n=3) == date(2024, 7, 2)
    with pytest.raises(CalendarError, match="XNYS has no session from 2024-07-06 to 2024-07-07"):
        manager.first_trading_date(date(2024, 7, 6), date(2024, 7, 7))


@pytest.mark.parametrize(
    ("calendar", "moment", "day"),
    [
        ("XNYS", "2024-07-02T13:30:00Z", date(2024, 7, 2)),
        ("XNYS", "2024-07-03T00:30:00Z", date(2024, 7, 2)),  # in the evening: the local date
        ("XNYS", "2024-07-06T15:00:00Z", date(2024, 7, 6)),
        ("XNYS", "1980-07-01T02:00:00Z", date(1980, 6, 30)),
        ("XHKG", "2024-07-02T04:30:00Z", date(2024, 7, 2)),
        ("XHKG", "2024-07-01T17:00:00Z", date(2024, 7, 2)),
        ("CMES", "2024-07-01T22:30:00Z", date(2024, 7, 2)),  # 17:30 in Chicago: the next day's session
        ("CMES", "2024-07-01T21:30:00Z", date(2024, 7, 1)),
        ("24/7", "2024-07-01T23:59:59Z", date(2024, 7, 1)),
        ("24/7", "2024-07-02T00:00:00Z", date(2024, 7, 2)),
    ],
)
def test_an_instant_belongs_to_its_session_otherwise_to_its_local_date(
    calendar: str, moment: str, day: date
) -> None:
    assert TimeManager(calendar).session_of(to_us(datetime.fromisoformat(moment))) == day


@pytest.mark.parametrize(
    ("day", "opens", "closes"),
    [
        (date(2024, 3, 8), "2024-03-08T04:00:00-05:00", "2024-03-08T20:00:00-05:00"),
        (date(2024, 3, 11), "2024-03-11T04:00:00-04:00", "2024-03-11T20:00:00-04:00"),
        (date(2024, 7, 3), "2024-07-03T04:00:00-04:00", "2024-07-03T20:00:00-04:00"),
        (date(2024, 11, 4), "2024-11-04T04:00:00-05:00", "2024-11-04T20:00:00-05:00"),
    ],
)
def test_hours_of_ones_own_replace_the_regular_ones(day: date, opens: str, closes: str) -> None:
    session = TimeManager("XNYS", hours=("04:00", "20:00")).get_trading_session(day)
    assert (session.open.isoformat(), session.close.isoformat()) == (opens, closes)
    assert session.parts == ((session.open_us, session.close_us),)
    assert session.is_half_day == (day == date(2024, 7, 3))


def test_hours_of_ones_own_have_no_lunch_and_keep_the_holidays() -> None:
    manager = TimeManager("XHKG", hours=("09:00", "16:10"))
    assert manager.get_trading_session(date(2024, 7, 2)).breaks == ()
    with pytest.raises(CalendarError, match="2024-07-01 is not a trading day"):
        manager.get_trading_session(date(2024, 7, 1))


@pytest.mark.parametrize(
    ("day", "length_hours"), [(date(2024, 3, 31), 23), (date(2024, 10, 27), 25), (date(2024, 4, 1), 24)]
)
def test_a_whole_day_has_23_or_25_hours_when_the_clocks_change(day: date, length_hours: int) -> None:
    midnight = parse_time_of_day("24:00", allow_24=True)
    london = ZoneInfo("Europe/London")
    assert instant_at(day, midnight, london) - instant_at(day, 0, london) == length_hours * HOUR_US


def test_with_hours_of_ones_own_the_local_date_is_the_session() -> None:
    manager = TimeManager("CMES", hours=("00:00", "24:00"))
    session = manager.get_trading_session(date(2024, 7, 2))
    assert session.close_us - session.open_us == DAY_US
    assert manager.session_of(session.open_us) == date(2024, 7, 2)
    assert manager.session_of(session.close_us - 1) == date(2024, 7, 2)
    assert manager.session_of(session.close_us) == date(2024, 7, 3)


@pytest.mark.parametrize(
    ("hours", "message"),
    [
        (("20:00", "04:00"), "trading hours open before they close: found 20:00 to 04:00"),
        (("09:30", "09:30"), "trading hours open before they close"),
        (("9:30", "16:00"), "'9:30' is not a time of day: write HH:MM or HH:MM:SS"),
        (("24:00", "24:00"), "'24:00' is not a time of day"),
        (("09:30", "24:01"), "'24:01' is not a time of day: write HH:MM or HH:MM:SS, from 00:00 to 24:00"),
        (("09:60", "16:00"), "'09:60' is not a time of day"),
        (("09:30", "16:00:60"), "'16:00:60' is not a time of day"),
    ],
)
def test_impossible_hours_are_refused(hours: tuple[str, str], message: str) -> None:
    with pytest.raises(ValueError) as error:  # noqa: PT011 (the message is checked below)
        TimeManager("XNYS", hours=hours)
    assert message in str(error.value)


@pytest.mark.parametrize(
    ("after", "time_of_day", "expected"),
    [
        ("2024-07-02T09:30", "10:00", "2024-07-02T10:00:00-04:00"),
        ("2024-07-02T10:00", "10:00", "2024-07-03T10:00:00-04:00"),
        ("2024-07-02T09:59:59.999999", "10:00:00", "2024-07-02T10:00:00-04:00"),
        ("2024-03-09T12:00", "10:00", "2024-03-10T10:00:00-04:00"),
        ("2024-03-09T12:00", "02:30", "2024-03-10T03:30:00-04:00"),  # skipped: the offset before the change
        ("2024-11-02T12:00", "01:30", "2024-11-03T01:30:00-04:00"),  # twice: the first one
        ("2024-11-03T01:30", "01:30", "2024-11-04T01:30:00-05:00"),
        ("2024-12-31T23:59", "00:00", "2025-01-01T00:00:00-05:00"),
    ],
)
def test_the_next_time_of_day(manager: TimeManager, after: str, time_of_day: str, expected: str) -> None:
    found = manager.next_time_of_day_us(at(after), time_of_day)
    assert to_datetime(found, NEW_YORK).isoformat() == expected


@given(
    after=st.datetimes(datetime(1990, 1, 1), datetime(2027, 1, 1), timezones=st.just(UTC)),  # noqa: DTZ001
    seconds=st.integers(0, 86_399),
)
def test_the_next_time_of_day_is_later_and_within_a_day(after: datetime, seconds: int) -> None:
    manager = TimeManager("XNYS")
    text = f"{seconds // 3600:02}:{seconds // 60 % 60:02}:{seconds % 60:02}"
    found = manager.next_time_of_day_us(to_us(after), text)
    assert 0 < found - to_us(after) <= DAY_US + HOUR_US
    shown = to_datetime(found, NEW_YORK)
    if not (shown.hour == 3 and shown.utcoffset() != (shown - timedelta(hours=1)).utcoffset()):
        assert shown.strftime("%H:%M:%S") == text
    assert found % SECOND_US == 0


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("2024-07-02T10:00", "2024-07-02T14:00:00+00:00"),
        ("2024-07-02 10:00:30", "2024-07-02T14:00:30+00:00"),
        ("2024-07-02T10:00:00.000001", "2024-07-02T14:00:00.000001+00:00"),
        ("2024-12-02T10:00", "2024-12-02T15:00:00+00:00"),
        ("2024-07-02T10:00Z", "2024-07-02T10:00:00+00:00"),
        ("2024-07-02T10:00+08:00", "2024-07-02T02:00:00+00:00"),
        ("2024-03-10T02:30", "2024-03-10T07:30:00+00:00"),  # skipped: the offset before the change
        ("2024-11-03T01:30", "2024-11-03T05:30:00+00:00"),  # twice: the first one
        ("2024-11-03T01:30-05:00", "2024-11-03T06:30:00+00:00"),
    ],
)
def test_times_without_an_offset_are_exchange_times(manager: TimeManager, text: str, expected: str) -> None:
    assert to_datetime(manager.parse_time(text)).isoformat() == expected


@pytest.mark.parametrize(
    "text",
    ["", "10:00", "2024-07-02", "2024-07-02T10", "2024-02-30T10:00", "2024-07-02T23:59:60", "noon", None, 5],
)
def test_other_text_is_no_time(manager: TimeManager, text: str) -> None:
    with pytest.raises(ValueError, match=r"is not a date and time: write for example 2024-07-02T10:00 \(America"):
        manager.parse_time(text)


def test_wall_durations_come_from_the_given_source() -> None:
    assert TimeManager("24/7", monotonic=lambda: 42.5).monotonic() == 42.5
    manager = TimeManager("24/7")
    assert manager.monotonic() <= manager.monotonic()
