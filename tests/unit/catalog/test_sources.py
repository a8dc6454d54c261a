"""Paths: which files are read, and what a layout makes of their names."""

from __future__ import annotations

from datetime import date
from pathlib import Path

import pytest

from mismartera.catalog.sources import Layout, PathFacts, facts_of, find_files
from mismartera.errors import DataError


@pytest.mark.parametrize(
    ("pattern", "path", "facts"),
    [
        ("{symbol}/{interval}/{date}.parquet", "x/AAPL/1m/2024-07-02.parquet", ("AAPL", "1m", date(2024, 7, 2))),
        ("{symbol}/{interval}/{date}", "x/BTC%2FUSD/60s/20240702.csv.gz", ("BTC/USD", "1m", date(2024, 7, 2))),
        ("{symbol}.csv", "x/BRK.B.csv", ("BRK.B", None, None)),
        ("{symbol}_2024_excerpt.csv", "x/AZO_2024_excerpt.csv", ("AZO", None, None)),
        ("{interval}/{symbol}-*.csv", "5m/MSFT-anything.csv", ("MSFT", "5m", None)),
        ("{date}/{symbol}", "2024-07-02/AAPL.parquet", ("AAPL", None, date(2024, 7, 2))),
        ("{symbol}/{interval}/{date}", "AAPL/1m/whole-year.csv", ("AAPL", "1m", None)),
    ],
)  # fmt: skip
def test_a_layout_reads_a_path(pattern: str, path: str, facts: tuple[str | None, str | None, date | None]) -> None:
    assert Layout(pattern).match(Path("/data") / path) == PathFacts(*facts)


def test_a_layout_that_does_not_fit() -> None:
    assert Layout("{symbol}/{interval}/{date}.parquet").match(Path("/x/AAPL/1m/2024.csv")) is None
    with pytest.raises(DataError, match=r"does not fit the layout '\{symbol\}-\{interval\}.csv'"):
        facts_of(Path("/x/AAPL.csv"), Layout("{symbol}-{interval}.csv"))
    with pytest.raises(DataError, match="interval 'never' is not supported"):
        Layout("{symbol}/{interval}").match(Path("/x/AAPL/never.csv"))


@pytest.mark.parametrize("pattern", ["", "plain.csv", "{ticker}.csv", "{symbol}{symbol}.csv", "{symbol}{.csv"])
def test_a_layout_without_meaning_is_refused(pattern: str) -> None:
    with pytest.raises(DataError, match=r"is not allowed: it needs some of \{symbol\}"):
        Layout(pattern)


def test_the_usual_layout_is_seen_without_being_told() -> None:
    assert facts_of(Path("/x/AAPL/1m/2024-07-02.parquet"), None).symbol == "AAPL"
    assert facts_of(Path("/x/downloads/files/2024-07-02.parquet"), None) == PathFacts()


def test_folders_are_searched_and_bad_paths_named(tmp_path: Path) -> None:
    for name in ("b/2.csv", "a/1.parquet", "a/.hidden.csv", "_tmp/3.csv", "notes.txt", "c.CSV.GZ"):
        path = tmp_path / "in" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch()
    (tmp_path / "empty").mkdir()
    (tmp_path / "table" / "_delta_log").mkdir(parents=True)
    folder = tmp_path / "in"
    asked = [
        folder,
        folder / "b" / "2.csv",
        tmp_path / "no",
        tmp_path / "empty",
        tmp_path / "table",
        folder / "notes.txt",
    ]
    found, failed = find_files(asked)
    assert [path.relative_to(folder).as_posix() for path in found] == ["a/1.parquet", "b/2.csv", "c.CSV.GZ"]
    assert [(Path(path).name, reason.split(",")[0]) for path, reason in failed] == [
        ("no", "there is no such file or folder"),
        ("empty", "the folder holds no file that ends with .parquet"),
        ("table", "it is a Delta table"),
        ("notes.txt", "its name must end with one of .parquet"),
    ]
