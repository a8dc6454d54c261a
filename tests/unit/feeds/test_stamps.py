"""Alpaca's timestamps: exact, with a zone, plausible; what is wrong is told with what it looks like."""

from __future__ import annotations

import struct
from datetime import UTC, datetime, timedelta

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mismartera.bars.instants import to_us
from mismartera.feeds.alpaca.stamps import StampError, format_us, parse_json, parse_msgpack, parse_text

EXACT = [
    ("2024-07-02T13:30:00Z", datetime(2024, 7, 2, 13, 30, tzinfo=UTC)),
    ("2024-07-02t13:30:00z", datetime(2024, 7, 2, 13, 30, tzinfo=UTC)),
    ("2024-07-02T09:30:00-04:00", datetime(2024, 7, 2, 13, 30, tzinfo=UTC)),
    ("2021-01-27T10:35:34.82840127Z", datetime(2021, 1, 27, 10, 35, 34, 828401, tzinfo=UTC)),
    ("2024-07-02T13:30:59.999999999Z", datetime(2024, 7, 2, 13, 30, 59, 999999, tzinfo=UTC)),
    ("2024-02-29T00:00:00Z", datetime(2024, 2, 29, tzinfo=UTC)),
    ("2023-12-31T23:59:59Z", datetime(2023, 12, 31, 23, 59, 59, tzinfo=UTC)),
]


@pytest.mark.parametrize(("text", "moment"), EXACT)
def test_a_timestamp_is_read_to_the_microsecond_and_never_rounded_up(text: str, moment: datetime) -> None:
    """C06: the leap day, the turn of the year; nanoseconds are cut off."""
    assert parse_text(text) == to_us(moment)
    assert parse_json(msgspec.json.encode(text)) == to_us(moment)
    assert parse_msgpack(msgspec.msgpack.encode(text)) == to_us(moment)


WRONG = [
    ("2024-07-02T13:30:00", "no time zone"),
    ("2023-02-29T00:00:00Z", "no date and time of the calendar"),
    ("2024-07-02T24:30:00Z", "no date and time of the calendar"),
    ("2016-12-31T23:59:60Z", "leap second"),
    ("2024-07-02", "no RFC 3339"),
    ("2024-07-02T13:30:00.Z", "no RFC 3339"),
    ("2024-07-02T13:30:00.0123456789Z", "no RFC 3339"),
    ("٢٠٢٤-07-02T13:30:00Z", "no RFC 3339"),
    ("1719927000000", "looks like milliseconds since 1970"),
    ("1970-01-20T21:45:27Z", "looks like seconds that were taken for milliseconds"),
    ("", "no RFC 3339"),
]


@pytest.mark.parametrize(("text", "reason"), WRONG)
def test_a_text_that_is_no_timestamp_is_refused_with_the_reason(text: str, reason: str) -> None:
    """F14, C06."""
    with pytest.raises(StampError, match=reason):
        parse_text(text)


@pytest.mark.parametrize(
    ("number", "unit"),
    [
        (1_719_927_000, "seconds"),
        (1_719_927_000_000, "milliseconds"),
        (1_719_927_000_000_000, "microseconds"),
        (1_719_927_000_000_000_000, "nanoseconds"),
    ],
)
def test_a_number_is_refused_with_its_probable_unit(number: int, unit: str) -> None:
    """F14."""
    for parse, encode in ((parse_json, msgspec.json.encode), (parse_msgpack, msgspec.msgpack.encode)):
        with pytest.raises(StampError, match=f"looks like {unit} since 1970"):
            parse(encode(number))


def test_the_three_forms_of_msgpacks_timestamp() -> None:
    seconds = 1_719_927_000
    assert parse_msgpack(b"\xd6\xff" + struct.pack(">I", seconds)) == seconds * 10**6
    last_of_second = struct.pack(">Q", 999_999_999 << 34 | seconds)
    assert parse_msgpack(b"\xd7\xff" + last_of_second) == seconds * 10**6 + 999_999
    assert parse_msgpack(b"\xc7\x0c\xff" + struct.pack(">Iq", 123_456_789, seconds)) == seconds * 10**6 + 123_456


def test_milliseconds_in_msgpacks_timestamp_are_told() -> None:
    """F14: ms as s."""
    with pytest.raises(StampError, match="looks like milliseconds") as raised:
        parse_msgpack(b"\xc7\x0c\xff" + struct.pack(">Iq", 0, 1_719_927_000_000))
    assert raised.value.rule == "implausible_time"


@given(st.integers(0, 109 * 365 * 86_400 * 10**6), st.integers(-14 * 60, 14 * 60))
def test_what_is_written_is_read_back(after_1990_us: int, offset: int) -> None:
    moment = datetime(1990, 1, 1, tzinfo=UTC) + timedelta(microseconds=after_1990_us)
    us = to_us(moment)
    assert parse_text(format_us(us)) == us
    assert parse_msgpack(msgspec.msgpack.encode(moment)) == us
    zone = f"{'-' if offset < 0 else '+'}{abs(offset) // 60:02d}:{abs(offset) % 60:02d}"
    local = moment + timedelta(minutes=offset)
    assert parse_text(f"{local.replace(tzinfo=None).isoformat()}{zone}") == us
