"""The times that people give a live session: where its clock starts, how fast it runs, and when it ends."""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import date, datetime
from typing import Final, NamedTuple

from mismartera.bars.instants import MINUTE_US, to_datetime
from mismartera.config import HoursConfig, SessionConfig
from mismartera.errors import CalendarError, ConfigError
from mismartera.timing import RehearsalClock, SystemClock, TimeManager, TradingSession, WallClock, user_cache_dir

PRE_OPEN_US: Final = 5 * MINUTE_US
_SPEED_MIN, _SPEED_MAX = 0.001, 1_000_000.0
_TIME_OF_DAY = re.compile(r"[0-9]{2}:[0-9]{2}(:[0-9]{2})?")
_NUMBER = re.compile(r"[0-9]{1,9}(\.[0-9]{1,9})?")


class ClockStart(NamedTuple):
    """A rehearsal: its clock stands at ``start_us`` until the vendor is reached, and then runs ``speed`` times as
    fast as the wall.
    """

    start_us: int
    speed: float = 1.0


def make_session_time(config: SessionConfig, environ: Mapping[str, str]) -> TimeManager:
    """The exchange's calendar and hours, for what is read before a run begins; ConfigError if there is no such
    calendar.
    """
    hours = config.session_data_config.hours
    try:
        return TimeManager(
            config.calendar_code,
            hours=(hours.open, hours.close) if isinstance(hours, HoursConfig) else None,
            cache_dir=user_cache_dir(environ),
        )
    except CalendarError as error:
        raise ConfigError([f"calendar: {error}"]) from error


def moment_on(text: str, day: date, time: TimeManager) -> int:
    """The instant of ``HH:MM[:SS]`` on ``day`` in exchange time, or of a date and time; ValueError for others."""
    is_time_of_day = isinstance(text, str) and _TIME_OF_DAY.fullmatch(text)
    try:
        us = time.parse_time(f"{day}T{text}" if is_time_of_day else text)
        to_datetime(us, time.zone)
    except (ValueError, TypeError, OverflowError) as error:
        example = f"{day}T10:00"
        raise ValueError(
            f"found {text!r}; allowed: a time of day HH:MM, or a date and time such as {example}, both in "
            f"exchange time ({time.zone}), or with an offset such as {example}-04:00"
        ) from error
    return us


def read_clock(text: str, time: TimeManager) -> ClockStart:
    """``START[@SPEED]``: a date and time, in exchange time unless it has an offset, and a speed, 1 by default.

    ValueError for other text and for days that the calendar does not know.
    """
    start, at, speed_text = text.partition("@")
    try:
        us = time.parse_time(start)
        day = to_datetime(us, time.zone).date()
    except (ValueError, OverflowError) as error:
        raise ValueError(
            f"found {text!r}; allowed: START or START@SPEED with a date and time such as 2024-07-03T12:30@60 "
            f"(exchange time, {time.zone}) or 2024-07-03T12:30:00-04:00@60"
        ) from error
    try:
        time.is_trading_date(day)
        time.next_trading_date(day)
    except CalendarError as error:
        raise ValueError(f"found {text!r}: {error}") from error
    speed = float(speed_text) if _NUMBER.fullmatch(speed_text) else 0.0
    if at and not _SPEED_MIN <= speed <= _SPEED_MAX:
        raise ValueError(
            f"found the speed {speed_text!r}; allowed: a number from {_SPEED_MIN:g} to {_SPEED_MAX:.0f}, "
            "1 is real time, 60 sixty times as fast"
        )
    return ClockStart(us, speed if at else 1.0)


def pre_open(session: TradingSession, time: TimeManager, speed: float = 1.0) -> ClockStart:
    """Some minutes before the open of ``session``, but not in the session before it."""
    return ClockStart(max(session.open_us - PRE_OPEN_US, _previous_close_us(session, time)), speed)


def make_wall(start: ClockStart | None) -> WallClock:
    """The clock of a rehearsal, or (None) that of the machine."""
    return SystemClock() if start is None else RehearsalClock(start.start_us, start.speed)


def check_start(start: ClockStart, session: TradingSession, time: TimeManager) -> None:
    """ValueError unless the clock of a replay of ``session`` starts before its close and after the one before."""
    first_us = _previous_close_us(session, time)
    if not first_us <= start.start_us < session.close_us:
        found, first = (to_datetime(us, time.zone) for us in (start.start_us, first_us))
        raise ValueError(
            f"found {found:%Y-%m-%dT%H:%M:%S%z}, outside the replayed day; allowed: from the close before it, "
            f"{first:%Y-%m-%dT%H:%M}, to before its own, {session.close:%Y-%m-%dT%H:%M} ({time.zone})"
        )


def read_until(text: str, start_us: int, time: TimeManager) -> datetime:
    """When a run that starts at ``start_us`` is to end: a date and time, or a time of day.

    A time of day is that of the day of the session that is open then or comes next. ValueError for other text and
    for what does not lie after the start.
    """
    us = moment_on(text, _session_from(start_us, time).date, time)
    if us <= start_us:
        started, found = (to_datetime(moment, time.zone) for moment in (start_us, us))
        raise ValueError(
            f"found {text!r} ({found:%Y-%m-%d %H:%M:%S %Z}), and the clock starts at "
            f"{started:%Y-%m-%d %H:%M:%S %Z}; allowed: a later time"
        )
    return to_datetime(us, time.zone)


def _session_from(us: int, time: TimeManager) -> TradingSession:
    """The first session that closes after ``us``."""
    day = time.session_of(us)
    if time.is_trading_date(day):
        session = time.get_trading_session(day)
        if us < session.close_us:
            return session
    return time.get_trading_session(time.next_trading_date(day))


def _previous_close_us(session: TradingSession, time: TimeManager) -> int:
    try:
        return time.get_trading_session(time.previous_trading_date(session.date)).close_us
    except CalendarError:  # the first session that the calendar knows
        return session.open_us - PRE_OPEN_US
