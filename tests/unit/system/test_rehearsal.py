"""The times that people give a live session: start and speed of its clock, and its end."""

from __future__ import annotations

from datetime import date, datetime

import pytest
from tests.unit.config.configs import live

from mismartera import SessionConfig, TimeManager
from mismartera.bars.instants import HOUR_US, MINUTE_US, to_datetime
from mismartera.errors import ConfigError
from mismartera.system.rehearsal import (
    ClockStart,
    check_start,
    make_session_time,
    make_wall,
    moment_on,
    pre_open,
    read_clock,
    read_until,
)
from mismartera.timing import RehearsalClock, SystemClock

TIME = TimeManager("XNYS")
HALF_DAY = date(2024, 7, 3)
NOON_US = TIME.parse_time("2024-07-03T12:00")


def us(text: str) -> int:
    return TIME.parse_time(text)


@pytest.mark.parametrize(
    ("text", "start", "speed"),
    [
        ("2024-07-03T12:30:00-04:00@60", "2024-07-03T12:30", 60.0),
        ("2024-07-03T12:30@60", "2024-07-03T12:30", 60.0),
        ("2024-07-03T12:30", "2024-07-03T12:30", 1.0),
        ("2024-07-03T16:30:00Z@0.5", "2024-07-03T12:30", 0.5),
        ("2024-07-03T12:30:15@1000000", "2024-07-03T12:30:15", 1e6),
        ("2024-07-06T12:30", "2024-07-06T12:30", 1.0),  # a Saturday: the session waits
        ("2024-03-10T02:30", "2024-03-10T03:30", 1.0),  # a time that the clocks skip
    ],
)
def test_a_clock_is_a_start_in_exchange_time_or_with_an_offset_and_a_speed(
    text: str, start: str, speed: float
) -> None:
    assert read_clock(text, TIME) == ClockStart(us(start), speed)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "found ''; allowed: START"),
        ("now", "found 'now'; allowed: START"),
        ("12:30", "found '12:30'; allowed: START"),
        ("2024-07-03", "found '2024-07-03'; allowed: START"),
        ("2024-07-03T25:00", "allowed: START"),
        ("2024-13-03T12:00@60", "allowed: START"),
        ("0001-01-01T00:00+14:00", "allowed: START"),
        ("9999-12-31T23:59-14:00", "allowed: START"),
        ("1800-01-02T12:00", "XNYS is known from"),
        ("2399-01-02T12:00", "XNYS is known from"),
        *((f"2024-07-03T12:30@{speed}", f"the speed '{speed}'; allowed: a number from 0.001 to 1000000")
          for speed in ("", "0", "-1", "nan", "inf", "1e3", "0.0001", "1000001", "60x", "60@60", " 60", "1_0")),
    ],
)  # fmt: skip
def test_a_clock_that_is_none_is_refused_with_what_is_allowed(text: str, message: str) -> None:
    with pytest.raises(ValueError, match=r"allowed|known") as caught:
        read_clock(text, TIME)
    assert message in str(caught.value)


def test_a_rehearsal_stands_at_its_start_and_without_one_the_clock_is_the_machine_s() -> None:
    wall = make_wall(ClockStart(NOON_US, 60.0))
    assert isinstance(wall, RehearsalClock)
    assert (wall.now_us(), wall.speed, wall.wall_seconds(90.0)) == (NOON_US, 60.0, 1.5)
    assert isinstance(make_wall(None), SystemClock)


def test_pre_open_is_five_minutes_before_the_open_and_never_in_the_session_before() -> None:
    session = TIME.get_trading_session(HALF_DAY)
    assert pre_open(session, TIME, 60.0) == ClockStart(session.open_us - 5 * MINUTE_US, 60.0)
    always = TimeManager("24/7")
    session = always.get_trading_session(HALF_DAY)
    assert pre_open(session, always) == ClockStart(session.open_us, 1.0)
    check_start(pre_open(session, always), session, always)


def test_pre_open_of_the_first_session_that_is_known_has_none_before_it() -> None:
    first = TIME.trading_dates(date(1990, 1, 1), date(1990, 1, 10))[0]
    session = TIME.get_trading_session(first)
    assert pre_open(session, TIME).start_us == session.open_us - 5 * MINUTE_US


@pytest.mark.parametrize("start", ["2024-07-02T16:00", "2024-07-03T09:30", "2024-07-03T12:59:59"])
def test_a_replay_may_start_from_the_close_before_to_its_own(start: str) -> None:
    check_start(ClockStart(us(start)), TIME.get_trading_session(HALF_DAY), TIME)
    assert us(start) < TIME.get_trading_session(HALF_DAY).close_us


@pytest.mark.parametrize("start", ["2024-07-02T15:59", "2024-07-03T13:00", "2024-07-05T10:00"])
def test_a_replay_does_not_start_on_another_day(start: str) -> None:
    with pytest.raises(ValueError, match="from the close before it, 2024-07-02T16:00, to before its own, 2024-07"):
        check_start(ClockStart(us(start)), TIME.get_trading_session(HALF_DAY), TIME)


@pytest.mark.parametrize(
    ("text", "start", "end"),
    [
        ("12:45", "2024-07-03T12:00", "2024-07-03T12:45"),
        ("12:45:30", "2024-07-03T12:00", "2024-07-03T12:45:30"),
        ("18:00", "2024-07-03T12:00", "2024-07-03T18:00"),
        ("10:00", "2024-07-03T13:00", "2024-07-05T10:00"),  # after the close: of the next session
        ("10:00", "2024-07-06T20:00", "2024-07-08T10:00"),
        ("09:31", "2024-07-03T03:00", "2024-07-03T09:31"),
        ("2024-07-05T10:00", "2024-07-03T12:00", "2024-07-05T10:00"),
        ("2024-07-05T14:00Z", "2024-07-03T12:00", "2024-07-05T10:00"),
    ],
)
def test_the_end_is_a_moment_or_a_time_of_the_session_that_is_open_or_next(
    text: str, start: str, end: str
) -> None:
    until = read_until(text, us(start), TIME)
    assert until == to_datetime(us(end))
    assert until.tzinfo is TIME.zone


@pytest.mark.parametrize("text", ["11:59", "12:00", "2024-07-02T15:00", "2024-07-03T16:00Z"])
def test_an_end_that_is_not_after_the_start_is_refused_with_both(text: str) -> None:
    with pytest.raises(ValueError, match=r"the clock starts at 2024-07-03 12:00:00 EDT; allowed: a later time"):
        read_until(text, NOON_US, TIME)


@pytest.mark.parametrize(
    "text", ["", "noon", "25:00", "12:60", "24:00", "9:30", "2024-07-03", "12:30@60", "²²:00"]
)
def test_an_end_that_is_no_time_is_refused_with_what_is_allowed(text: str) -> None:
    with pytest.raises(
        ValueError, match="allowed: a time of day HH:MM, or a date and time such as 2024-07-03T10:00"
    ):
        read_until(text, NOON_US, TIME)


def test_a_time_on_a_day_is_in_exchange_time() -> None:
    hong_kong = TimeManager("XHKG")
    moment = to_datetime(moment_on("10:00", HALF_DAY, hong_kong), hong_kong.zone)
    assert moment == datetime.fromisoformat("2024-07-03T10:00:00+08:00")
    with pytest.raises(ValueError, match="found 5; allowed"):
        moment_on(5, HALF_DAY, hong_kong)  # type: ignore[arg-type]


def test_the_time_of_a_session_has_its_calendar_and_hours() -> None:
    settings = live(type="replay", date="2024-07-03")
    settings["session_data_config"]["hours"] = {"open": "04:00", "close": "20:00"}
    session = make_session_time(SessionConfig.from_dict(settings), {}).get_trading_session(HALF_DAY)
    assert session.close_us - session.open_us == 16 * HOUR_US
    with pytest.raises(ConfigError) as caught:
        make_session_time(SessionConfig.from_dict(settings | {"calendar": "NOPE"}), {})
    assert caught.value.problems[0].startswith("calendar: ")
