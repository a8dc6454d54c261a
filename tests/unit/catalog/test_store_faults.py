"""The store when the world is against it: missing, damaged, foreign, killed, shared (D01, D03, D05, D06)."""

from __future__ import annotations

import json
import random
import subprocess
import sys
import threading
from collections.abc import Callable
from pathlib import Path

import polars as pl
import pytest
from deltalake import DeltaTable, write_deltalake
from tests.unit.catalog.helpers import DAY_US, OPEN_US, bars, data_files, frame, starts

from mismartera.catalog import DataManager, reader
from mismartera.catalog.delta import ConflictError, DeltaStore
from mismartera.catalog.files import write_file
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
    """D05"""
    log = store.path / "_delta_log" / "00000000000000000001.json"
    log.write_text(text)
    with pytest.raises(StoreError, match=r"cannot be used: its log file .*0001\.json is damaged"):
        read(store.path)


def test_a_log_that_lost_its_beginning_is_no_traceback(store: DataManager) -> None:
    (store.path / "_delta_log" / "00000000000000000000.json").unlink()
    with pytest.raises(StoreError, match="cannot be used"):
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
    fresh = DataManager(store.path)
    if damage is _no_keys and not many:  # no row claims to be A's
        assert starts(fresh.read_block("1m", OPEN_US, OPEN_US + 2 * DAY_US, wanted), "A") == [1440]
        return
    with pytest.raises(StoreError) as caught:
        fresh.read_block("1m", OPEN_US, OPEN_US + 2 * DAY_US, wanted)
    assert f"{broken} (1m bars of 2024-07-02)" in str(caught.value)
    assert starts(fresh.read_block("1m", OPEN_US + DAY_US, OPEN_US + 2 * DAY_US, wanted), "A") == [1440]


def test_flipped_bytes_give_an_error_or_bars_but_no_crash(store: DataManager) -> None:
    """D05: seeded fuzz of a file's bytes."""
    (path,) = data_files(store.path)
    whole = path.read_bytes()
    dice = random.Random(7)
    for _ in range(60):
        changed = bytearray(whole)
        for _ in range(dice.randrange(1, 6)):
            changed[dice.randrange(len(changed))] ^= 1 << dice.randrange(8)
        path.write_bytes(changed)
        try:
            read(store.path)
            DataManager(store.path).symbols()
        except StoreError as error:
            assert str(path) in str(error)  # noqa: PT017  # both outcomes are right


def test_of_two_commits_on_one_file_the_second_fails(store: DataManager) -> None:
    """What guards against writers that do not know our lock."""
    first, second = DeltaStore(store.path), DeltaStore(store.path)
    old = first.snapshot().files
    assert second.snapshot().files == old
    rows = pl.read_parquet(old[0].path, hive_partitioning=False)
    new = [write_file(store.path, "1m", old[0].day, rows) for _ in range(2)]
    first.commit([new[0]], old, "first")
    with pytest.raises(ConflictError):
        second.commit([new[1]], old, "second")
    assert second.refresh().files == first.snapshot().files
    assert read(store.path) == 780


_WRITER = """
import sys
from mismartera.catalog import DataManager
from tests.unit.catalog.helpers import frame
store, prefix, count = DataManager(sys.argv[1]), sys.argv[2], int(sys.argv[3])
print("ready", flush=True)
sys.stdin.readline()
for n in range(count):
    store.write_bars(f"{prefix}{n}", "1m", frame(range(20)))
"""


def test_two_processes_writing_one_day_lose_nothing(tmp_path: Path) -> None:
    """D06: even the creation of the store and of its partition is a race here."""
    path = tmp_path / "store"
    writers = [
        subprocess.Popen(
            [sys.executable, "-c", _WRITER, str(path), prefix, "8"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        for prefix in "PQ"
    ]
    for writer in writers:
        assert writer.stdout is not None
        assert writer.stdout.readline() == "ready\n"
    for writer in writers:
        assert writer.stdin is not None
        writer.stdin.write("go\n")
        writer.stdin.flush()
    for writer in writers:
        writer.communicate(timeout=120)
        assert writer.returncode == 0
    store = DataManager(path)
    assert store.symbols() == tuple(sorted(f"{prefix}{n}" for prefix in "PQ" for n in range(8)))
    assert [row.bars for row in store.listing()] == [20] * 16
    assert len(store.read_block("1m", OPEN_US, OPEN_US + DAY_US, store.symbols())) == 320
    assert store.version == 16


def test_threads_writing_through_one_manager_lose_nothing(tmp_path: Path) -> None:
    store = DataManager(tmp_path / "store")
    threads = [threading.Thread(target=store.write_bars, args=(f"S{n}", "1m", frame(range(5)))) for n in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert [row.bars for row in store.listing()] == [5] * 6


_KILLED = """
import sys
from mismartera.catalog import DataManager
from tests.unit.catalog.helpers import frame
store = DataManager(sys.argv[1])
for n in range(int(sys.argv[2]), 10_000):
    store.write_many((f"S{k}", "1m", frame([*range(200), *range(1440, 1640)], 10.0 + n)) for k in range(8))
    print(n, flush=True)
"""


def test_a_writer_killed_at_any_moment_leaves_one_whole_version(tmp_path: Path) -> None:
    """D01: kill -9 while commits of two partitions go on; what was acknowledged is there, and nothing half."""
    path = tmp_path / "store"
    dice = random.Random(11)
    names = [f"S{k}" for k in range(8)]
    at = 0
    for _ in range(4):
        writer = subprocess.Popen(
            [sys.executable, "-c", _KILLED, str(path), str(at)], stdout=subprocess.PIPE, text=True
        )
        assert writer.stdout is not None
        acknowledged = [int(writer.stdout.readline()) for _ in range(dice.randrange(1, 4))][-1]
        with pytest.raises(subprocess.TimeoutExpired):
            writer.wait(timeout=dice.uniform(0.0, 0.08))
        writer.kill()
        writer.communicate()
        block = DataManager(path).read_block("1m", OPEN_US, OPEN_US + 2 * DAY_US, names)
        assert block.rows_per_symbol.tolist() == [400] * 8
        (price,) = set(block.open.tolist())
        assert price >= 10.0 + acknowledged
        at = int(price - 10.0) + 1
    assert DataManager(path).write_bars("AFTER", "1m", frame([0])).accepted == 1


def test_the_log_tells_what_wrote_it(store: DataManager) -> None:
    store.write_many([("A", "1m", frame([5], 50))], note="a correction")
    log = (store.path / "_delta_log" / "00000000000000000002.json").read_text()
    commits = [json.loads(line)["commitInfo"] for line in log.splitlines() if "commitInfo" in line]
    assert commits[0]["mismartera"] == "a correction"
