"""The store when the world is against it: missing, damaged, foreign, killed, shared (D01, D03, D05, D06)."""

from __future__ import annotations

import json
import random
import shutil
from collections.abc import Callable
from pathlib import Path

import polars as pl
import pytest
from deltalake import DeltaTable, write_deltalake
from tests.unit.catalog.helpers import DAY_US, OPEN_US, bars, block, data_files, frame, starts

from mismartera.catalog import DataManager, examine, reader, repair, vacuum
from mismartera.catalog.layout import FORMAT_KEY
from mismartera.errors import StoreError


@pytest.fixture
def store(tmp_path: Path) -> DataManager:
    manager = DataManager(tmp_path / "store")
    manager.write_many((name, "1m", frame(range(390))) for name in ("A", "B"))
    return manager


def read(path: Path) -> int:
    """Rows of a fresh look at a day of the store."""
    return len(DataManager(path).read_block("1m", OPEN_US, OPEN_US + DAY_US, ["A", "B"]))


def test_a_missing_store_says_how_to_make_one(tmp_path: Path) -> None:
    for path in (tmp_path / "nothing", tmp_path):
        with pytest.raises(StoreError, match=r"run `mismartera data import PATH`.* or `mismartera data sample`"):
            read(path)


def test_a_file_is_no_store(tmp_path: Path) -> None:
    path = tmp_path / "file"
    path.write_text("x")
    with pytest.raises(StoreError, match="is a file: a store is a folder"):
        read(path)
    with pytest.raises(StoreError, match="is a file: a store is a folder"):
        DataManager(path).write_bars("A", "1m", bars("A", [0]))


def test_a_place_that_cannot_be_written_is_named(tmp_path: Path) -> None:
    """D03"""
    (tmp_path / "file").write_text("x")
    with pytest.raises(StoreError, match=r"cannot be written: .*file"):
        DataManager(tmp_path / "file" / "store").write_bars("A", "1m", bars("A", [0]))


def test_a_partition_that_cannot_be_written_leaves_the_store_whole(store: DataManager) -> None:
    """D03: nothing of the failed write stays, neither rows nor files."""
    before = data_files(store.path)
    (store.path / "interval=1m" / "date=2024-07-04").write_text("in the way")
    with pytest.raises(StoreError, match="cannot be written"):
        store.write_many([("A", "1m", frame([1000, 1440, 2880]))])
    assert data_files(store.path) == before
    assert read(store.path) == 780
    assert not list(store.path.rglob("*.tmp"))


def test_a_foreign_table_is_refused(tmp_path: Path) -> None:
    write_deltalake(tmp_path / "t", pl.DataFrame({"symbol": ["A"], "price": [1.0]}))
    with pytest.raises(StoreError, match="is no bar store: its column 'interval' is nothing, needed is string"):
        read(tmp_path / "t")


def test_a_table_with_other_partitions_is_refused(tmp_path: Path) -> None:
    rows = frame([0]).with_columns(
        symbol=pl.lit("A"), interval=pl.lit("1m"), date=pl.lit("2024-07-02").str.to_date()
    )
    write_deltalake(tmp_path / "t", rows, partition_by=["symbol"])
    with pytest.raises(StoreError, match=r"partitioned by \['symbol'\]"):
        read(tmp_path / "t")


def test_a_newer_format_is_refused(store: DataManager) -> None:
    DeltaTable(store.path).alter.set_column_metadata("symbol", {FORMAT_KEY: "2"})
    with pytest.raises(StoreError, match="has format 2, this version of mismartera reads up to 1"):
        read(store.path)
    with pytest.raises(StoreError, match="has format 2"):
        DataManager(store.path).write_bars("A", "1m", bars("A", [0]))


def test_an_absent_version_names_those_that_exist(store: DataManager) -> None:
    for version in (7, -1):
        with pytest.raises(StoreError, match=rf"has no version {version}: allowed are 0 to 1"):
            DataManager(store.path, version=version).symbols()


def test_a_store_at_a_version_is_not_written(store: DataManager) -> None:
    with pytest.raises(StoreError, match="is open at version 1: open it without one to write"):
        DataManager(store.path, version=1).write_bars("A", "1m", bars("A", [0]))


@pytest.mark.parametrize("text", ["", "not json\n", '{"add": \n', "\x00\x01"])
def test_a_damaged_log_is_named(store: DataManager, text: str) -> None:
    """D05: what comes before it can be read, and the next write restores the bars that it had added."""
    log = store.path / "_delta_log" / "00000000000000000001.json"
    log.write_text(text)
    told: list[str] = []
    fresh = DataManager(store.path, warn=told.append)
    assert (fresh.symbols(), fresh.version) == ((), 0)
    assert len(told) == 1
    assert f"log file {log} is damaged: " in told[0]
    assert "data check --repair" in told[0]
    assert fresh.write_bars("C", "1m", frame([0])).accepted == 1
    assert read(store.path) == 780
    assert (store.path / "_quarantine" / log.name).read_text() == text


def test_a_log_whose_beginning_is_damaged_is_named(store: DataManager) -> None:
    """D05: without it there is no table."""
    log = store.path / "_delta_log" / "00000000000000000000.json"
    log.write_text("{")
    with pytest.raises(StoreError, match=r"cannot be used: its log file .*0000\.json is damaged"):
        read(store.path)


def _first_entry(store: DataManager) -> None:
    (store.path / "_delta_log" / "00000000000000000000.json").unlink()


def _first_entries(store: DataManager) -> None:
    _first_entry(store)
    (store.path / "_delta_log" / "00000000000000000001.json").unlink()


def _whole_log(store: DataManager) -> None:
    shutil.rmtree(store.path / "_delta_log")


def _vacuumed_beginning(store: DataManager) -> None:
    """The checkpoints are lost that stand for the entries which a vacuum removed."""
    for minute in range(3):
        vacuum(store.path, retention_seconds=0)
        store.write_bars("V", "1m", frame([minute]))
    log = store.path / "_delta_log"
    assert not (log / "00000000000000000000.json").exists()
    for path in log.glob("*.checkpoint.parquet"):
        path.unlink()


@pytest.mark.parametrize(
    ("lose", "text"),
    [
        (_first_entry, r"the beginning of its log: .*_delta_log starts with version 1, and there is no"),
        (
            _first_entries,
            r"the beginning of its log: .*_delta_log starts with version 2, and there is no",
        ),
        (
            _whole_log,
            r"its log: there are files of bars, and no entry in .*_delta_log; nothing was changed",
        ),
        (_vacuumed_beginning, r"the beginning of its log: .*_delta_log starts with version \d+, and"),
    ],
)
def test_a_log_that_lost_its_beginning_is_named_and_nothing_is_removed(
    store: DataManager, lose: Callable[[DataManager], None], text: str
) -> None:
    """D05: neither a repair nor a vacuum nor a write takes what no entry names any more for waste."""
    store.write_bars("C", "1m", frame([0]))
    lose(store)
    before = {path: path.read_bytes() for path in store.path.rglob("*") if path.is_file()}
    for use in (
        lambda: read(store.path),
        lambda: examine(store.path),
        lambda: repair(store.path, pytest.fail),
        lambda: vacuum(store.path, retention_seconds=0),
        lambda: DataManager(store.path).write_bars("A", "1m", frame([0])),
        lambda: DataManager(store.path).write_block("1m", block({"A": [0]})),
        DataManager(store.path).compact,
    ):
        with pytest.raises(StoreError, match="has lost " + text):
            use()
    assert {path: path.read_bytes() for path in store.path.rglob("*") if path.is_file()} == before


def test_a_log_whose_checkpoints_are_damaged_names_them_and_not_what_a_vacuum_removed(store: DataManager) -> None:
    for minute in range(3):
        vacuum(store.path, retention_seconds=0)
        store.write_bars("C", "1m", frame([minute]))
    for path in (store.path / "_delta_log").glob("*.checkpoint.parquet"):
        path.write_bytes(b"PAR1")
    with pytest.raises(StoreError, match=r"cannot be used: its log file .*\.checkpoint\.parquet is damaged"):
        read(store.path)


def _truncate(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:-100])


def _empty(path: Path) -> None:
    path.write_bytes(b"")


def _replace(path: Path) -> None:
    path.write_text("timestamp,open\n")


def _half(path: Path) -> None:
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])


def _other_columns(path: Path) -> None:
    pl.DataFrame({"symbol": ["A"], "price": [1.0]}).write_parquet(path)


def _other_types(path: Path) -> None:
    rows = pl.read_parquet(path, hive_partitioning=False)
    rows.with_columns(pl.col("open").cast(pl.String)).write_parquet(path)


def _naive(path: Path) -> None:
    rows = pl.read_parquet(path, hive_partitioning=False)
    rows.with_columns(pl.col("timestamp").dt.replace_time_zone(None)).write_parquet(path)


def _no_keys(path: Path) -> None:
    rows = pl.read_parquet(path, hive_partitioning=False)
    rows.with_columns(symbol=pl.lit(None, dtype=pl.String)).write_parquet(path)


DAMAGES = [_truncate, _empty, _replace, _half, _other_columns, _other_types, _naive, _no_keys, Path.unlink]


@pytest.mark.parametrize("damage", DAMAGES, ids=lambda damage: damage.__name__)
@pytest.mark.parametrize("many", [False, True], ids=["by statistics", "whole"])
def test_a_damaged_file_is_named_and_the_others_can_be_read(
    store: DataManager, damage: Callable[[Path], None], many: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    """D05"""
    monkeypatch.setattr(reader, "WHOLE_ROWS_MAX", 0)
    store.write_bars("A", "1m", frame([1440]))
    (broken,) = [path for path in data_files(store.path) if "07-02" in path.parent.name]
    damage(broken)
    wanted = ["A", *(f"S{n}" for n in range(30 if many else 0))]
    told: list[str] = []
    fresh = DataManager(store.path, warn=told.append)
    for _ in range(2):
        assert starts(fresh.read_block("1m", OPEN_US, OPEN_US + 2 * DAY_US, wanted), "A") == [1440]
    assert len(told) == 1, "once"
    assert f"{broken} (1m bars of 2024-07-02, symbols A to B) is damaged: " in told[0]
    assert "data check --repair" in told[0]
    assert "import" in told[0]
    assert [damage.file.path for damage in fresh.damages()] == [str(broken)]


def test_flipped_bytes_are_named_or_give_bars_and_the_check_finds_every_one(store: DataManager) -> None:
    """D05: seeded fuzz of a file's bytes."""
    (path,) = data_files(store.path)
    whole = path.read_bytes()
    dice = random.Random(7)
    for _ in range(60):
        changed = bytearray(whole)
        for _ in range(dice.randrange(1, 6)):
            changed[dice.randrange(len(changed))] ^= 1 << dice.randrange(8)
        path.write_bytes(changed)
        told: list[str] = []
        fresh = DataManager(store.path, warn=told.append)
        read_ = len(fresh.read_block("1m", OPEN_US, OPEN_US + DAY_US, ["A", "B"]))
        fresh.symbols()
        assert all(str(path) in text for text in told)
        assert read_ in ({0} if told else {780})
        if changed != whole:
            (damage,) = examine(store.path).damages
            assert damage.file.path == str(path), "the full check finds every flip"


def test_the_log_tells_what_wrote_it(store: DataManager) -> None:
    store.write_many([("A", "1m", frame([5], 50))], note="a correction")
    log = (store.path / "_delta_log" / "00000000000000000002.json").read_text()
    commits = [json.loads(line)["commitInfo"] for line in log.splitlines() if "commitInfo" in line]
    assert commits[0]["mismartera"] == "a correction"
