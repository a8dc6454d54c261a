"""Timestamps of every common form."""

from __future__ import annotations

from datetime import UTC, date, datetime
from typing import Any
from zoneinfo import ZoneInfo

import polars as pl
import pytest

from mismartera.bars.instants import to_iso
from mismartera.catalog.stamps import Stamps, check_zone, to_instants
from mismartera.errors import DataError

MOMENT = "2024-07-02T13:30:00+00:00"


def instants(values: list[Any] | pl.Series, zone: str = "America/New_York") -> Stamps:
    return to_instants(values if isinstance(values, pl.Series) else pl.Series("time", values), zone)


def shown(stamps: Stamps) -> list[str | None]:
    return [None if us is None else to_iso(us) for us in stamps.us.to_list()]


@pytest.mark.parametrize(
    "text",
    [
        "2024-07-02 09:30:00", "2024-07-02T09:30:00", "2024-07-02 09:30", "2024-07-02T09:30",
        "2024-07-02 09:30:00.000",
        "2024/07/02 09:30:00", "2024/07/02 09:30", "20240702 093000", "20240702 09:30:00", "20240702 09:30",
        "20240702093000", "7/2/2024 9:30", "07/02/2024 09:30:00", "7/2/2024 9:30 AM", "02.07.2024 09:30",
        "02.07.2024 09:30:00",
        "2024-07-02 09:30:00-04:00", "2024-07-02 09:30:00-0400", "2024-07-02T13:30:00Z",
        "2024-07-02T13:30:00.000Z",
        "2024-07-02 13:30:00+00:00", "2024-07-02T15:30+02:00", "2024-07-02 13:30:00 UTC", " 2024-07-02 09:30:00 ",
        "Tue, 02 Jul 2024 13:30:00 GMT", "1719927000", "1719927000000", "1719927000000000", "1719927000000000000",
        "1719927000.0",
    ],
)  # fmt: skip
def test_text_of_many_forms_is_one_moment(text: str) -> None:
    stamps = instants([text, text])
    assert shown(stamps) == [MOMENT, MOMENT]
    assert not stamps.refused


@pytest.mark.parametrize(
    ("values", "form", "first"),
    [
        ([20240702], "%Y%m%d", "2024-07-02T04:00:00+00:00"),
        ([202407020930, 202407021600], "%Y%m%d%H%M", MOMENT),
        ([20240702093000], "%Y%m%d%H%M%S", MOMENT),
        ([202402020000, 202402050000, None], "%Y%m%d%H%M", "2024-02-02T05:00:00+00:00"),
    ],
)
def test_dates_that_are_written_as_numbers_are_read_as_dates(
    values: list[int | None], form: str, first: str
) -> None:
    for column in (pl.Series("time", values), pl.Series("time", values).cast(pl.String)):
        stamps = instants(column)
        assert shown(stamps)[0] == first
        assert stamps.notes == [f"numbers in 'time' were read as {form}"]


def test_milliseconds_of_1976_are_not_taken_for_dates() -> None:
    days = [datetime(1976, 4, day, tzinfo=UTC) for day in range(1, 29)]
    stamps = instants([round(day.timestamp() * 1000) for day in days])
    assert stamps.us.to_list() == [round(day.timestamp() * 1_000_000) for day in days]
    assert stamps.notes == ["numbers in 'time' were read as milliseconds since 1970"]


@pytest.mark.parametrize(
    ("value", "unit"),
    [
        (1_719_927_000, "seconds"), (1_719_927_000_000, "milliseconds"), (1_719_927_000_000_000, "microseconds"),
        (1_719_927_000_000_000_000, "nanoseconds"), (1_719_927_000.0, "seconds"), (1_719_927_000_000.0,
        "milliseconds"),
    ],
)  # fmt: skip
def test_the_unit_of_numbers_is_told_by_their_size_and_said(value: float, unit: str) -> None:
    """F14: seconds that look like milliseconds are not taken for them."""
    stamps = instants([value])
    assert shown(stamps) == [MOMENT]
    assert stamps.notes == [f"numbers in 'time' were read as {unit} since 1970"]


def test_numbers_that_spell_a_date_are_dates() -> None:
    assert shown(instants([20240702093000])) == [MOMENT]
    assert shown(instants([20240702])) == ["2024-07-02T04:00:00+00:00"]
    assert instants([20240702]).notes == ["numbers in 'time' were read as %Y%m%d"]


@pytest.mark.parametrize("unit", ["ms", "us", "ns"])
def test_typed_columns(unit: Any) -> None:
    naive = pl.Series("time", [datetime(2024, 7, 2, 9, 30)], dtype=pl.Datetime(unit))  # noqa: DTZ001
    assert shown(instants(naive)) == [MOMENT]
    zoned = pl.Series("time", [datetime(2024, 7, 2, 13, 30, tzinfo=UTC)]).dt.cast_time_unit(unit)
    assert shown(instants(zoned.dt.convert_time_zone("Asia/Tokyo"))) == [MOMENT]
    assert shown(instants(pl.Series("time", [date(2024, 7, 2)]))) == ["2024-07-02T04:00:00+00:00"]


def test_naive_time_follows_the_zone_through_the_year() -> None:
    assert shown(instants(["2024-01-02 09:30", "2024-07-02 09:30"])) == ["2024-01-02T14:30:00+00:00", MOMENT]
    assert shown(instants(["2024-07-02 09:30"], "UTC")) == ["2024-07-02T09:30:00+00:00"]


@pytest.mark.parametrize("kind", [str, datetime.fromisoformat])
def test_local_times_that_occur_twice_or_never_are_refused(kind: Any) -> None:
    times = ["2024-11-03 00:59:00", "2024-11-03 01:30:00", "2024-11-03 02:00:00", "2024-03-10 02:30:00"]
    stamps = instants([kind(text) for text in times])
    assert shown(stamps) == ["2024-11-03T04:59:00+00:00", None, "2024-11-03T07:00:00+00:00", None]
    assert {rule: mask.to_list() for rule, mask in stamps.refused.items()} == {
        "ambiguous_time": [False, True, False, False],
        "nonexistent_time": [False, False, False, True],
    }


def test_what_is_no_time_is_refused_row_by_row() -> None:
    stamps = instants(["2024-07-02 09:30", "yesterday", "", None, "2024-13-01 09:30", "2024-07-02T13:30:00Z"])
    assert shown(stamps) == [MOMENT, None, None, None, None, MOMENT]
    assert stamps.refused["bad_timestamp"].to_list() == [False, True, True, True, True, False]


@pytest.mark.parametrize(
    "text",
    ["2024-07-02 09:30:60", "2024-07-02T13:30:60Z", "2024-07-02 09:30:60.5", "2024-07-02 09:30:60-04:00",
     "20240702 093060", "20240702093060", "20240702 09:30:60", "7/2/2024 9:30:60", "7/2/2024 9:30:60 AM",
     "02.07.2024 09:30:60", "Tue, 02 Jul 2024 13:30:60 GMT", "2016-12-31T23:59:60Z"],
)  # fmt: skip
def test_second_60_is_not_the_next_minute(text: str) -> None:
    after = text.replace("60", "00")
    stamps = instants([text, after, after])
    assert [us is None for us in stamps.us] == [True, False, False]
    assert stamps.refused["bad_timestamp"].to_list() == [True, False, False]


def test_slashed_dates_are_month_first_unless_that_cannot_be() -> None:
    both = instants(["3/2/2024 09:30", "2/3/2024 09:30"])
    assert shown(both) == ["2024-03-02T14:30:00+00:00", "2024-02-03T14:30:00+00:00"]
    assert both.notes == ["dates in 'time' were read as month/day/year"]
    day_first = instants(["3/2/2024 09:30", "25/3/2024 09:30"])
    assert shown(day_first) == ["2024-02-03T14:30:00+00:00", "2024-03-25T13:30:00+00:00"]
    assert day_first.notes == ["dates in 'time' were read as day/month/year"]


def test_a_column_without_time_is_refused() -> None:
    with pytest.raises(DataError, match="column 'time' is Boolean"):
        instants([True])


def test_zones() -> None:
    assert ZoneInfo(check_zone("Asia/Hong_Kong"))
    for wrong in ("Mars/Olympus", "", "../etc/passwd", "New York"):
        with pytest.raises(DataError, match="is no time zone: allowed are IANA names"):
            check_zone(wrong)
