"""The interval of rows that do not name it: told by their spacing, or asked for, and never wrong."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import polars as pl
import pytest
from tests.unit.catalog.helpers import MINUTE_US, OPEN_US, frame, real_data

from mismartera.catalog import DataManager, import_files
from mismartera.catalog.spacing import interval_of_spacing
from mismartera.errors import DataError


def told(minutes: Sequence[float], zone: str = "UTC") -> str:
    """The interval of rows so many minutes after the open."""
    us = pl.Series([OPEN_US + round(minute * MINUTE_US) for minute in minutes])
    return interval_of_spacing(pl.repeat("A", len(us), eager=True), us, zone).canonical


@pytest.mark.parametrize(
    ("minutes", "interval"),
    [
        ([0, 1, 2], "1m"), ([0, 1, 5, 6, 9, 30], "1m"), ([0, 1 / 60], "1s"), ([0, 5, 10, 15, 20, 40], "5m"),
        ([0, 30, 60, 90], "30m"), ([0, 60, 120, 180, 1440], "1h"), ([0, 240, 1440, 1680], "4h"),
        ([-570, 870], "1d"), ([0, 1440, 2880, 7200 + 60], "1d"), ([390, 1830, 3270, 4710], "1d"),
    ],
)  # fmt: skip
def test_spacing_that_leaves_no_doubt_tells_the_interval(minutes: list[float], interval: str) -> None:
    assert told(minutes, "America/New_York") == interval


@pytest.mark.parametrize(
    "minutes",
    [
        [0, 168, 336], [101, 269, 330], [0, 5, 10], [0, 1], [0, 2, 4, 6], [0, 7, 14, 21, 28, 35], [0, 60],
        [0, 15, 30, 37], [7, 67, 127, 187, 247], [0, 1440], [0, 1440, 2880, 4500], [0, 7200, 14400], [0, 1, 1.5],
    ],
)  # fmt: skip
def test_spacing_that_leaves_a_doubt_is_refused_with_what_to_give(minutes: list[float]) -> None:
    with pytest.raises(DataError, match=r"is not clear: its .* rows are .* give --interval"):
        told(minutes)


def test_a_row_of_an_impossible_time_does_not_disturb_the_guess() -> None:
    assert told([-1_000_000_000, 0, 1, 2, 3, 1_000_000_000]) == "1m"


@pytest.mark.parametrize("seed", range(40))
def test_minutes_that_trade_seldom_are_never_taken_for_longer_bars(seed: int) -> None:
    random = np.random.default_rng(seed)
    for share in (0.005, 0.02, 0.1, 0.5):
        minutes = np.flatnonzero(random.random(390) < share).tolist()
        try:
            assert told(minutes) == "1m"
        except DataError as error:
            assert "give --interval" in str(error)  # noqa: PT017 - either is right


def test_the_guess_on_every_recorded_day_is_right_or_refused() -> None:
    """Seldom traded minutes among them: three bars on one day of TPL were once taken for bars of 168 minutes."""
    files = sorted((real_data() / "bars").glob("*/*/*.parquet"))
    refused = []
    for path in files:
        rows = pl.read_parquet(path)
        try:
            found = interval_of_spacing(
                pl.repeat("A", rows.height, eager=True), rows["timestamp"].to_physical(), "UTC"
            )
            assert found.canonical == path.parent.name, path
        except DataError:
            refused.append(path.parent.parent.name)
    assert "TPL" in refused
    assert len(refused) < len(files) / 2


def test_a_doubtful_file_loses_no_row_silently_and_no_other_file(tmp_path: Path) -> None:
    (tmp_path / "in").mkdir()
    frame([0, 168, 336]).write_parquet(tmp_path / "in" / "2024-07-02.parquet")
    frame(range(1440, 1500)).write_parquet(tmp_path / "in" / "2024-07-03.parquet")
    store = DataManager(tmp_path / "store")
    report = import_files(store, [tmp_path / "in"], symbol="A")
    assert (report.files, report.accepted, report.rejected) == (1, 60, 0)
    ((path, reason),) = report.failed_files
    assert path.endswith("2024-07-02.parquet")
    assert (
        "its 3 rows are 10080 s apart mostly, 10080 s at least, which bars of several intervals may be" in reason
    )
    assert import_files(store, [path], symbol="A", interval="1m").accepted == 3
