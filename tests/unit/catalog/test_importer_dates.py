"""The day that a file's path names is held against the bars in it."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta
from pathlib import Path
from typing import Literal

import pytest
from tests.unit.catalog.helpers import OPEN, frame

from mismartera.bars.instants import to_datetime
from mismartera.catalog import DataManager, ImportReport, import_files

MIDNIGHT = 14 * 60 + 30
"""Minutes from the open of 07-02 to the midnight after it, in New York."""


def imported(tmp_path: Path, name: str, minutes: Sequence[int], tz: str = "UTC") -> ImportReport:
    path = tmp_path / name
    path.parent.mkdir(parents=True, exist_ok=True)
    frame(minutes).write_parquet(path)
    layout = "{symbol}/{interval}/{date}"
    return import_files(DataManager(tmp_path / "store"), [path], layout=layout, tz=tz)


@pytest.mark.parametrize(
    ("day", "minutes", "held"),
    [
        ("2024-07-03", range(390), "2024-07-02"),
        ("2024-07-01", range(390), "2024-07-02"),
        ("2024-06-01", [0, 1440], "2024-07-02 to 2024-07-03"),
        ("2024-07-03", [0, 2880], "2024-07-02 to 2024-07-04"),
    ],
)
def test_a_file_that_holds_no_bar_of_the_day_it_names_is_remarked(
    tmp_path: Path, day: str, minutes: Sequence[int], held: str
) -> None:
    report = imported(tmp_path, f"AAPL/1m/{day}.parquet", minutes)
    assert report.accepted == len(minutes)
    assert report.notes == (
        f"{tmp_path}/AAPL/1m/{day}.parquet: the path names {day}, but its bars are of {held} (UTC): "
        "is it the right file?",
    )


@pytest.mark.parametrize(
    ("day", "minutes", "tz"),
    [
        ("2024-07-02", range(390), "UTC"),
        ("2024-07-02", range(MIDNIGHT - 360, MIDNIGHT), "UTC"),
        ("2024-07-02", range(MIDNIGHT - 240, MIDNIGHT - 100), "America/New_York"),
        ("2024-07-03", range(390), "Asia/Tokyo"),
        ("2024-07-01", [-1440, 0, 1440], "UTC"),
        ("20240702", range(3), "UTC"),
        ("whole-year", range(3), "UTC"),
    ],
)
def test_a_file_with_a_bar_of_the_day_it_names_is_imported_without_a_word(
    tmp_path: Path, day: str, minutes: Sequence[int], tz: str
) -> None:
    report = imported(tmp_path, f"AAPL/1m/{day}.parquet", minutes, tz)
    assert (report.accepted, report.notes) == (len(minutes), ())


def test_rows_of_an_impossible_time_do_not_count_for_the_day(tmp_path: Path) -> None:
    report = imported(tmp_path, "AAPL/1m/2024-07-03.parquet", [-(10**9), 0, 10**9])
    assert (report.accepted, report.reasons) == (1, {"out_of_range": 2})
    assert "the path names 2024-07-03, but its bars are of 2024-07-02 (UTC)" in report.notes[0]


def daily(folder: Path, labels: list[str]) -> Path:
    file = folder / "daily.csv"
    file.write_text("date,open,high,low,close,volume\n" + "".join(f"{label},10,11,9,10,1\n" for label in labels))
    return file


@pytest.mark.parametrize("timestamps", ["start", "end"])
@pytest.mark.parametrize("tz", ["UTC", "America/New_York", "Asia/Tokyo"])
@pytest.mark.parametrize("form", ["{}-{:02}-{:02}", "{}{:02}{:02}", "{1}/{2}/{0}", "{2:02}.{1:02}.{0}"])
def test_dates_without_a_time_name_the_same_sessions_whatever_is_said_of_labels_and_zone(
    tmp_path: Path, timestamps: Literal["start", "end"], tz: str, form: str
) -> None:
    """R9: a date is no end of the day before, whose bar would be shown a session too early."""
    store, days = DataManager(tmp_path / "store"), (2, 3, 5, 8, 31)
    file = daily(tmp_path, [form.format(2024, 7, day) for day in days])
    report = import_files(store, [file], symbol="AAPL", interval="1d", timestamps=timestamps, tz=tz)
    assert report.accepted == len(days)
    view = store.get_bars("AAPL", "1d", OPEN - timedelta(days=9), OPEN + timedelta(days=90))
    assert [to_datetime(one.start_us).isoformat()[5:16] for one in view] == [f"07-{day:02}T00:00" for day in days]


def test_daily_end_labels_that_may_be_dates_are_remarked(tmp_path: Path) -> None:
    store, file = DataManager(tmp_path / "store"), daily(tmp_path, ["2024-07-02 00:00", "2024-07-03 00:00"])
    ends = import_files(store, [file], symbol="AAPL", interval="1d", timestamps="end", tz="America/New_York")
    assert any("taken for the end of the day before: are they dates?" in note for note in ends.notes)
    assert not import_files(store, [file], symbol="AAPL", interval="1d", tz="America/New_York").notes
