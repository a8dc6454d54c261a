"""Instants: int64 microseconds since the epoch, UTC, inside; timezone-aware datetimes at the edge."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, tzinfo

SECOND_US = 1_000_000
MINUTE_US = 60 * SECOND_US
HOUR_US = 60 * MINUTE_US
DAY_US = 24 * HOUR_US

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)
_WANTED = (
    "give a timezone-aware datetime, for example datetime(2024, 7, 2, 9, 30, tzinfo=ZoneInfo('America/New_York'))"
)


def to_us(moment: datetime) -> int:
    """Microseconds since the epoch of an aware ``moment``; a naive one is refused (ValueError), and what is no
    datetime (TypeError).
    """
    try:
        is_naive = moment.tzinfo is None or moment.utcoffset() is None
    except AttributeError as error:  # asked for afterwards, for it is called often, and with another type never
        raise TypeError(f"{moment!r} is of type {type(moment).__name__}: {_WANTED}") from error
    if is_naive:
        raise ValueError(f"{moment.isoformat()} has no time zone: {_WANTED}")
    return (moment - _EPOCH) // _MICROSECOND


def to_datetime(us: int, zone: tzinfo = UTC) -> datetime:
    """The aware datetime in ``zone`` of ``us`` microseconds since the epoch."""
    return (_EPOCH + timedelta(microseconds=us)).astimezone(zone)


def to_iso(us: int) -> str:
    """ISO 8601 in UTC, for people and logs: ``2024-07-02T13:30:00+00:00``."""
    return to_datetime(us).isoformat()
