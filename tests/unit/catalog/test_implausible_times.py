"""Times that cannot be meant: a wrong unit, and dates where a bar is shorter than a day."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import polars as pl

from mismartera.catalog import DataManager, import_files

START = datetime(2024, 7, 2, 13, 30, tzinfo=UTC)


def table(times: list[datetime] | list[date]) -> pl.DataFrame:
    prices = [100.0] * len(times)
    return pl.DataFrame({"timestamp": times, **dict.fromkeys(("open", "high", "low", "close", "volume"), prices)})


def test_a_time_of_early_1970_is_refused_with_a_hint_and_the_others_are_imported(tmp_path: Path) -> None:
    times = [START + timedelta(minutes=k) for k in range(5)]
    misread = datetime(1970, 1, 1, tzinfo=UTC) + timedelta(minutes=28_665)  # milliseconds taken for microseconds
    table([misread, *times]).write_parquet(tmp_path / "A.parquet")
    report = import_files(DataManager(tmp_path / "store"), [tmp_path / "A.parquet"], symbol="A", interval="1m")
    assert (report.accepted, report.reasons) == (5, {"implausible_time": 1})
    assert any("milliseconds" in example for example in report.examples)


def test_daily_bars_of_1970_are_imported(tmp_path: Path) -> None:
    table([date(1970, 1, 2), date(1970, 1, 5)]).write_parquet(tmp_path / "A.parquet")
    report = import_files(DataManager(tmp_path / "store"), [tmp_path / "A.parquet"], symbol="A", interval="1d")
    assert (report.accepted, report.rejected) == (2, 0)


def test_dates_without_a_time_are_no_starts_of_minute_bars(tmp_path: Path) -> None:
    table([date(2024, 7, 2)] * 3).write_parquet(tmp_path / "A.parquet")
    report = import_files(DataManager(tmp_path / "store"), [tmp_path / "A.parquet"], symbol="A", interval="1m")
    assert report.accepted == 0
    assert "dates without a time of day" in report.failed_files[0][1]
