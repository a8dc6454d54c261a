"""The dump of a session, read back."""

from __future__ import annotations

from datetime import date
from pathlib import Path

import polars as pl
import pytest
from tests.unit.report.sessions import config, run, store

from mismartera import Bars
from mismartera.errors import RunFailedError, UsageError
from mismartera.report.dump import SessionDump

BASE_COLUMNS = ["timestamp", "open", "high", "low", "close", "volume", "bar_count"]
SMA = {"name": "SMA", "interval": "5m", "params": {"timeperiod": 2}}


def test_a_session_is_dumped_by_date_symbol_and_interval(tmp_path: Path) -> None:
    data = store(tmp_path / "data", {"BTC/USD": range(12), "QUIET": [400]})
    run(data, config(["BTC/USD", "QUIET"], indicators=[SMA]), recorders=[SessionDump(tmp_path / "dump")])
    files = sorted(str(file.relative_to(tmp_path / "dump")) for file in (tmp_path / "dump").rglob("*.*"))
    assert files == [
        "2024-07-02/BTC%2FUSD/1m.parquet",
        "2024-07-02/BTC%2FUSD/5m.parquet",
        "2024-07-02/QUIET/1m.parquet",
        "2024-07-02/QUIET/5m.parquet",
    ]


def test_the_columns_are_those_of_the_session_data(tmp_path: Path) -> None:
    data = store(tmp_path / "data", {"A": range(12)})
    system = run(data, config(["A"], indicators=[SMA]), recorders=[SessionDump(tmp_path)])
    frame = pl.read_parquet(tmp_path / "2024-07-02" / "A" / "5m.parquet")
    assert dict(frame.schema) == {
        "timestamp": pl.Datetime("us", "UTC"),
        **dict.fromkeys(["open", "high", "low", "close", "volume"], pl.Float64),
        "bar_count": pl.Int64,
        "SMA_2": pl.Float64,
    }
    # Windows of minutes 0-4, 5-9 and 10-11: first open, highest high, lowest low, last close, sum of volumes.
    assert frame["timestamp"].dt.strftime("%H:%M").to_list() == ["13:30", "13:35", "13:40"]
    assert frame["open"].to_list() == [100.0, 105.0, 110.0]
    assert frame["high"].to_list() == [105.0, 110.0, 112.0]
    assert frame["low"].to_list() == [99.0, 104.0, 109.0]
    assert frame["close"].to_list() == [104.5, 109.5, 111.5]
    assert frame["volume"].to_list() == [60.0, 85.0, 41.0]
    assert frame["bar_count"].to_list() == [5, 5, 2]
    assert frame["SMA_2"].to_list() == [None, 107.0, 110.5]
    held = system.session_data.get_bars("A", "1m")
    assert held is not None
    assert pl.read_parquet(tmp_path / "2024-07-02" / "A" / "1m.parquet").equals(held.to_polars())


def test_a_symbol_without_bars_gives_files_without_rows_but_all_columns(tmp_path: Path) -> None:
    data = store(tmp_path / "data", {"A": [0], "QUIET": [400]})
    run(data, config(["A", "QUIET"], indicators=[SMA]), recorders=[SessionDump(tmp_path)])
    frame = pl.read_parquet(tmp_path / "2024-07-02" / "QUIET" / "5m.parquet")
    assert frame.height == 0
    assert frame.schema == pl.read_parquet(tmp_path / "2024-07-02" / "A" / "5m.parquet").schema
    assert frame.columns == [*BASE_COLUMNS, "SMA_2"]


def test_a_symbol_that_was_removed_is_not_dumped(tmp_path: Path) -> None:
    data = store(tmp_path / "data", {"A": range(5), "B": range(5)})
    settings = config(["A", "B"]) | {"schedule": [{"at": "2024-07-02T10:00", "remove": "B"}]}
    run(data, settings, recorders=[SessionDump(tmp_path / "dump")])
    assert [folder.name for folder in (tmp_path / "dump" / "2024-07-02").iterdir()] == ["A"]


def test_a_second_dump_replaces_the_files_of_the_first(tmp_path: Path) -> None:
    dump = SessionDump(tmp_path / "dump")
    assert not dump.prepare()
    for minutes in (range(5), range(7)):
        data = store(tmp_path / "data", {"A": minutes})
        run(data, config(["A"]), recorders=[dump])
    assert pl.read_parquet(tmp_path / "dump" / "2024-07-02" / "A" / "1m.parquet").height == 7
    assert dump.prepare()


def test_a_folder_that_cannot_be_made_is_refused(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(UsageError, match=r"file/dump: Not a directory"):
        SessionDump(tmp_path / "file" / "dump").prepare()


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="no device here is always full")
def test_a_disk_that_is_full_is_named_with_the_folder_and_no_half_file_is_left(tmp_path: Path) -> None:
    data = store(tmp_path / "data", {"A": range(12)})
    folder = tmp_path / "dump" / "2024-07-02" / "A"
    folder.mkdir(parents=True)
    (folder / ".1m.parquet.partial").symlink_to("/dev/full")
    with pytest.raises(RunFailedError, match=r"dump of 2024-07-02 cannot be written to .*dump: No space left"):
        run(data, config(["A"]), recorders=[SessionDump(tmp_path / "dump")])
    assert list(folder.iterdir()) == []


def test_a_write_that_fails_ends_the_run_and_leaves_no_half_file(tmp_path: Path) -> None:
    data = store(tmp_path / "data", {"A": range(5)})
    dump = SessionDump(tmp_path / "dump")
    dump.prepare()
    (tmp_path / "dump" / "2024-07-02").touch()
    with pytest.raises(RunFailedError, match="the dump of 2024-07-02 cannot be written"):
        run(data, config(["A"]), recorders=[dump])
    assert not list((tmp_path / "dump").rglob("*.parquet*"))


class Gone:
    """Reads of a session whose symbol was removed, on another thread, since its close."""

    def get_bars(self, symbol: str, interval: str, internal: bool = False) -> Bars | None:
        return None


def test_a_symbol_that_was_removed_since_the_close_is_not_in_the_dump(tmp_path: Path) -> None:
    dump = SessionDump(tmp_path / "dump")
    dump.prepare()
    dump.record(date(2024, 7, 2), ["A"], {"A": ["1m"]}, Gone())
    assert list((tmp_path / "dump").rglob("*.parquet")) == []
