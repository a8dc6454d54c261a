"""What a time that people write means in a run."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date, datetime

from mismartera.bars.instants import to_us
from mismartera.timing import TimeManager


def moment_us(what: str | datetime, time: TimeManager, dates: Sequence[date]) -> int:
    """The instant of ``what``: an aware datetime, a date-time as text (in exchange time), or a time of day.

    A time of day is the next one inside a session of ``dates``; where none has it, the next one of the clock.
    ValueError for a naive datetime or a text that is none of these, TypeError for what is neither.
    """
    if isinstance(what, datetime):
        return to_us(what)
    if not isinstance(what, str):
        raise TypeError(
            f"a time is a text ('10:00', '2024-07-02T10:00') or an aware datetime, not {type(what).__name__}"
        )
    if "T" in what or "-" in what:
        return time.parse_time(what)
    now_us = time.now_us()
    for session in map(time.get_trading_session, dates):
        if session.close_us > now_us:
            at_us = time.next_time_of_day_us(max(now_us, session.open_us - 1), what)
            if at_us <= session.close_us:
                return at_us
    first_us = time.get_trading_session(dates[0]).open_us
    return time.next_time_of_day_us(max(now_us, first_us - 1), what)
