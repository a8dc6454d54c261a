"""Exchange time: from what people write ("09:30", "2024-07-02T10:00") to instants.

The rule for the two odd hours of a year, wherever exchange time is read: a time that the change to summer time
skips counts with the offset before the change (02:30 is the instant that is called 03:30), and one that occurs
twice in autumn is its first occurrence.
"""

from __future__ import annotations

import re
from datetime import date, datetime, timedelta, tzinfo

from mismartera.bars.instants import DAY_US, HOUR_US, MINUTE_US, SECOND_US, to_datetime, to_us

_TIME_OF_DAY = re.compile(r"([0-9]{2}):([0-9]{2})(?::([0-9]{2}))?")
_MICROSECOND = timedelta(microseconds=1)


def parse_time_of_day(text: str, *, allow_24: bool = False) -> int:
    """``"HH:MM"`` or ``"HH:MM:SS"`` as microseconds on the wall since midnight; ``"24:00"`` only if allowed."""
    match = _TIME_OF_DAY.fullmatch(text) if isinstance(text, str) else None
    if match:
        hour, minute, second = (int(part or 0) for part in match.groups())
        us = hour * HOUR_US + minute * MINUTE_US + second * SECOND_US
        if minute < 60 and second < 60 and (us < DAY_US or (allow_24 and us == DAY_US)):
            return us
    last = "24:00" if allow_24 else "23:59:59"
    raise ValueError(f"{text!r} is not a time of day: write HH:MM or HH:MM:SS, from 00:00 to {last}")


def instant_at(day: date, time_of_day_us: int, zone: tzinfo) -> int:
    """The instant at which the clocks of ``zone`` show ``time_of_day_us`` after midnight of ``day``."""
    shown = datetime(day.year, day.month, day.day) + time_of_day_us * _MICROSECOND  # noqa: DTZ001 (gets its zone below)
    return to_us(shown.replace(tzinfo=zone))


def local_date(us: int, zone: tzinfo) -> date:
    """The date that the calendars of ``zone`` show at ``us``."""
    return to_datetime(us, zone).date()


def next_time_of_day(after_us: int, time_of_day_us: int, zone: tzinfo) -> int:
    """The first instant after ``after_us`` at which the clocks of ``zone`` show ``time_of_day_us``."""
    day = local_date(after_us, zone)
    while (us := instant_at(day, time_of_day_us, zone)) <= after_us:
        day += timedelta(days=1)
    return us


def parse_instant(text: str, zone: tzinfo) -> int:
    """The instant of an ISO 8601 date and time (in ``zone`` if it has no offset); ValueError for other text."""
    try:
        shown = datetime.fromisoformat(text) if ":" in text else None
    except (TypeError, ValueError):
        shown = None
    if shown is None:
        raise ValueError(
            f"{text!r} is not a date and time: write for example 2024-07-02T10:00 ({zone}), "
            "or with an offset 2024-07-02T10:00-04:00"
        )
    return to_us(shown if shown.tzinfo else shown.replace(tzinfo=zone))
