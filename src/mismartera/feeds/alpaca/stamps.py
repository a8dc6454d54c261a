"""Alpaca's timestamps: RFC 3339 with nanoseconds as text, or msgpack's own timestamp type, to microseconds.

They are read from the undecoded value, so that nothing is rounded up into the next minute, and so that a wrong
one is told with what it looks like.
"""

from __future__ import annotations

import re
import struct
from datetime import UTC, datetime

import msgspec

from mismartera.bars.instants import SECOND_US, to_us

_RFC3339 = re.compile(
    r"(\d{4}-\d{2}-\d{2})[Tt ](\d{2}:\d{2}:\d{2})(?:\.(\d{1,9}))?([Zz]|[+-]\d{2}:\d{2})?", re.ASCII
)
_FIRST_SECOND = 631_152_000
_LAST_SECOND = 4_102_444_800
"""From 1990 to 2100: what lies outside was meant in another unit."""
_UNITS = (("milliseconds", 1_000), ("microseconds", 1_000_000), ("nanoseconds", 1_000_000_000))


class StampError(ValueError):
    """A timestamp that cannot be used; ``rule`` is its reason as a short name."""

    def __init__(self, text: str, rule: str = "bad_timestamp") -> None:
        self.rule = rule
        super().__init__(text)


def parse_text(text: str) -> int:
    """Microseconds since the epoch of an RFC 3339 date and time; finer digits are cut off. Or StampError."""
    match = _RFC3339.fullmatch(text)
    if match is None:
        raise StampError(f"{text[:40]!r} is no RFC 3339 date and time{_hint_of(text)}")
    day, time_of_day, fraction, zone = match.groups()
    if zone is None:
        raise StampError(f"{text!r} has no time zone: a Z or an offset is missing")
    if time_of_day.endswith(":60"):
        raise StampError(f"{text!r} is a leap second, which no bar starts in")
    try:
        moment = datetime.fromisoformat(f"{day}T{time_of_day}{'+00:00' if zone in 'Zz' else zone}")
        seconds = to_us(moment) // SECOND_US
    except (ValueError, OverflowError):
        raise StampError(f"{text!r} is no date and time of the calendar") from None
    return _plausible(seconds, int((fraction or "").ljust(9, "0")[:6] or 0))


def parse_json(raw: bytes) -> int:
    """The instant of a timestamp in JSON."""
    value = msgspec.json.decode(raw)
    if isinstance(value, str):
        return parse_text(value)
    raise StampError(f"{value!r:.40} is no text in the form of RFC 3339{_hint_of(value)}")


def parse_msgpack(raw: bytes) -> int:
    """The instant of a timestamp in msgpack: its extension type -1, or text."""
    if raw[:2] == b"\xd6\xff" and len(raw) == 6:
        return _plausible(struct.unpack(">I", raw[2:])[0], 0)
    if raw[:2] == b"\xd7\xff" and len(raw) == 10:
        packed: int = struct.unpack(">Q", raw[2:])[0]
        return _plausible(packed & (2**34 - 1), (packed >> 34) // 1000)
    if raw[:3] == b"\xc7\x0c\xff" and len(raw) == 15:
        nanoseconds, seconds = struct.unpack(">Iq", raw[3:])
        return _plausible(seconds, nanoseconds // 1000)
    value = msgspec.msgpack.decode(raw)
    if isinstance(value, str):
        return parse_text(value)
    raise StampError(f"{value!r:.40} is no timestamp{_hint_of(value)}")


def format_us(us: int) -> str:
    """RFC 3339 in UTC, as Alpaca's REST service takes it; with microseconds where there are any."""
    moment = datetime.fromtimestamp(us // SECOND_US, UTC)
    fraction = f".{us % SECOND_US:06d}" if us % SECOND_US else ""
    return f"{moment:%Y-%m-%dT%H:%M:%S}{fraction}Z"


def _plausible(seconds: int, microseconds: int) -> int:
    if not _FIRST_SECOND <= seconds < _LAST_SECOND:
        raise StampError(f"{seconds} s since 1970 is no time of a bar{_hint(seconds)}", "implausible_time")
    return seconds * SECOND_US + microseconds


def _hint_of(value: object) -> str:
    try:
        return _hint(int(value)) if isinstance(value, str | int | float) else ""
    except (ValueError, OverflowError):
        return ""


def _hint(seconds: int) -> str:
    """What a number of seconds outside the plausible range, or a bare number, was probably meant to be."""
    if _FIRST_SECOND <= seconds < _LAST_SECOND:
        return ": it looks like seconds since 1970"
    for name, per_second in _UNITS:
        if _FIRST_SECOND <= seconds // per_second < _LAST_SECOND:
            return f": it looks like {name} since 1970"
        if _FIRST_SECOND <= seconds * per_second < _LAST_SECOND:
            return f": it looks like seconds that were taken for {name}"
    return ""
