"""Adding to the store minute by minute: what is written anew, what is read, and a disk that fails."""

from __future__ import annotations

import errno
import os
from pathlib import Path

import numpy as np
import polars as pl
import pytest
from deltalake import DeltaTable, write_deltalake
from tests.unit.catalog.helpers import DAY_US, MINUTE_US, OPEN_US, block, data_files, frame, held
from tests.unit.catalog.test_read import foreign_rows

from mismartera.bars import BarBlock
from mismartera.catalog import DataManager, append, delta, files, inventory
from mismartera.errors import StoreError, SymbolError
from mismartera.files.durable import write_new

NAMES = ("A", "B", "C")


@pytest.fixture
def store(tmp_path: Path) -> DataManager:
    return DataManager(tmp_path / "store")


@pytest.fixture
def no_joining(monkeypatch: pytest.MonkeyPatch) -> None:
    """Each new minute has a file of its own, until there are many."""
    monkeypatch.setattr(append, "TINY_ROWS_MAX", 0)


def minute(number: int, price: float = 10.0) -> BarBlock:
    return block({name: [number] for name in NAMES}, price)


def day(store: DataManager) -> dict[tuple[str, int], float]:
    return held(store.read_block("1m", OPEN_US, OPEN_US + DAY_US, store.symbols()))


def live_files(store: DataManager) -> set[str]:
    return set(DeltaTable(store.path).file_uris())


def test_a_block_is_judged_and_counted_like_other_writes(store: DataManager) -> None:
    report = store.write_block("1m", block({"B": [0, 1], "A": [1, 1440]}))
    assert (report.rows, report.accepted, report.version) == (4, 4, 1)
    store.write_block("1m", block({"A": [1], "D": [0]}, 20))
    report = store.write_block("1m", block({"A": [1, 2], "B": [1]}, 20))
    assert (report.accepted, report.duplicate, report.revised, report.version) == (1, 1, 1, 3)
    assert day(store) == {("A", 1): 20, ("A", 2): 20, ("B", 0): 10, ("B", 1): 20, ("D", 0): 20}
    assert store.availability("A")["1m"].rows == 3


def test_a_block_that_changes_nothing_commits_nothing(store: DataManager) -> None:
    first = store.write_block("1m", minute(0))
    again = store.write_block("1m", minute(0))
    assert (again.duplicate, again.version) == (3, first.version)
    assert store.write_block("1m", BarBlock.empty(NAMES)).version == first.version


def test_broken_bars_of_a_block_are_rejected(store: DataManager) -> None:
    whole = block({"A": [0, 1]})
    high = np.array([11.0, 1.0])
    broken = BarBlock(whole.symbols, whole.offsets, whole.start, whole.open, high, *whole.columns[2:])
    report = store.write_block("1m", broken)
    assert (report.accepted, report.reasons) == (1, {"high_low_order": 1})
    with pytest.raises(SymbolError):
        store.write_block("1m", block({"../x": [0]}))
    with pytest.raises(ValueError, match="not supported"):
        store.write_block("quotes", block({"A": [0]}))


@pytest.mark.usefixtures("no_joining")
def test_a_new_minute_leaves_all_files_alone(store: DataManager) -> None:
    store.write_block("1m", minute(0))
    before = live_files(store)
    store.write_block("1m", minute(1))
    assert live_files(store) > before
    assert len(live_files(store)) == 2


@pytest.mark.usefixtures("no_joining")
def test_a_revision_rewrites_only_the_file_that_holds_it(store: DataManager) -> None:
    for number in range(4):
        store.write_block("1m", minute(number))
    before = live_files(store)
    store.write_block("1m", block({"A": [1, 4], "B": [1]}, 20))
    assert len(live_files(store) - before) == 2, "the revised minute, and the new key"
    assert len(before - live_files(store)) == 1
    assert {key for key, price in day(store).items() if price == 20} == {("A", 1), ("A", 4), ("B", 1)}


@pytest.mark.usefixtures("no_joining")
def test_files_never_become_many(store: DataManager, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(append, "FULL_ROWS_MIN", 20)
    for number in range(40):
        store.write_block("1m", minute(number))
        assert len(live_files(store)) <= append.OPEN_FILES_MAX + number * 3 // 20
    assert len(day(store)) == 120


def test_what_is_split_and_what_is_compacted_reads_the_same(
    store: DataManager, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(append, "TINY_ROWS_MAX", 5)
    for number in (0, 2, 1, 9, 3):
        store.write_block("1m", block({"C": [number], "A": [number, number + 10]}, number + 5.0))
    split = store.read_block("1m", OPEN_US, OPEN_US + DAY_US, NAMES)
    assert store.compact() == 1
    assert store.compact() == 0
    assert len(live_files(store)) == 1
    whole = store.read_block("1m", OPEN_US, OPEN_US + DAY_US, NAMES)
    assert split.offsets.tolist() == whole.offsets.tolist() == [0, 10, 10, 15]
    assert split.start.tolist() == whole.start.tolist()
    assert [column.tolist() for column in split.columns] == [column.tolist() for column in whole.columns]


@pytest.mark.usefixtures("no_joining")
def test_any_reader_of_delta_tables_finds_each_key_once(store: DataManager) -> None:
    for number in range(5):
        store.write_block("1m", block({"A": [number, number + 1], "B": [2]}, number + 5.0))
    rows = pl.read_delta(str(store.path))
    assert rows.height == 7
    assert not rows.select(pl.struct("symbol", "timestamp").is_duplicated().any()).item()


@pytest.mark.usefixtures("no_joining")
def test_keys_that_another_tool_wrote_twice_are_mended_by_a_write_that_meets_them(store: DataManager) -> None:
    store.write_block("1m", minute(0))
    write_deltalake(store.path, foreign_rows(["A", "A", "B"], [1, 1, 5], 7.0), mode="append")
    store.write_block("1m", minute(2))
    assert len(store.read_block("1m", OPEN_US, OPEN_US + DAY_US, ["A"])) == 4, "not met"
    store.write_block("1m", minute(1))
    assert day(store) == {(name, n): 10.0 for name in NAMES for n in range(3)} | {("B", 5): 7.0}


def test_other_writes_and_blocks_may_alternate(store: DataManager) -> None:
    store.write_block("1m", minute(0))
    store.write_bars("A", "1m", frame([0, 1], 20))
    store.write_block("1m", minute(1, 30))
    assert DataManager(store.path).write_bars("B", "1m", frame([1], 40)).revised == 1
    store.write_block("1m", minute(2))
    prices = {"A": [20, 30, 10], "B": [10, 40, 10], "C": [10, 30, 10]}
    assert day(store) == {(name, n): price for name, own in prices.items() for n, price in enumerate(own)}


def test_the_version_after_a_commit_is_the_one_that_is_read_anew(store: DataManager) -> None:
    for number in range(12):
        store.write_block("1m", block({"Z/Z": [number], "A": [number, number + 1440]}, number + 5.0))
        assert store._store.snapshot() == DataManager(store.path)._store.snapshot()


def _no_space(*_: object) -> None:
    raise OSError(errno.ENOSPC, "No space left on device")


def test_a_full_disk_leaves_the_last_version_and_no_files(
    store: DataManager, monkeypatch: pytest.MonkeyPatch
) -> None:
    """D03"""
    store.write_block("1m", minute(0))
    before = data_files(store.path)
    with monkeypatch.context() as patch:
        patch.setattr(os, "fsync", _no_space)
        with pytest.raises(StoreError, match="No space left on device"):
            store.write_block("1m", minute(1))
    assert data_files(store.path) == before
    assert not list(store.path.rglob("*.tmp"))
    assert store.write_block("1m", minute(1)).accepted == 3


def test_a_compaction_on_a_full_disk_leaves_all_as_it_was(
    store: DataManager, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(append, "TINY_ROWS_MAX", 0)
    for number in (0, 1, 1440, 1441):
        store.write_block("1m", minute(number))
    before = data_files(store.path)
    room = [None]  # for the first partition's file

    def fill(path: Path, content: bytes) -> None:
        if not room:
            _no_space()
        room.pop()
        write_new(path, content)

    with monkeypatch.context() as patch:
        patch.setattr(files, "write_new", fill)
        with pytest.raises(StoreError, match="No space left on device"):
            store.compact()
    assert data_files(store.path) == before
    assert store.compact() == 2


def test_a_commit_that_fails_takes_its_files_away(store: DataManager, monkeypatch: pytest.MonkeyPatch) -> None:
    store.write_block("1m", minute(0))
    before = data_files(store.path)

    def fail(*_: object, **__: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr(delta, "write_once", fail)
        with pytest.raises(StoreError, match=r"a commit to the store .* failed: .*No space left on device"):
            store.write_block("1m", minute(1))
    assert data_files(store.path) == before
    assert store.write_block("1m", minute(1)).accepted == 3


def test_a_commit_whose_fsync_failed_is_written_anew_before_it_counts(
    store: DataManager, monkeypatch: pytest.MonkeyPatch
) -> None:
    """D04: readers see the commit, but only a second file of the log is proof that it stays."""
    store.write_block("1m", minute(0))
    with monkeypatch.context() as patch:
        patch.setattr(delta, "sync_folder", _no_space)
        with pytest.raises(StoreError, match="may not survive a power loss"):
            store.write_block("1m", minute(1))
        patch.setattr(delta, "rewrite", _no_space)
        with pytest.raises(StoreError, match="may not survive a power loss"):
            store.write_block("1m", minute(1))
    log = store.path / "_delta_log" / "00000000000000000002.json"
    doubtful, text = log.stat().st_ino, log.read_text()
    report = store.write_block("1m", minute(1))
    assert (report.duplicate, report.version) == (3, 2)
    assert log.stat().st_ino != doubtful
    assert log.read_text() == text
    assert len(day(DataManager(store.path))) == 6


def test_a_commit_that_was_lost_after_its_fsync_failed_is_told(
    store: DataManager, monkeypatch: pytest.MonkeyPatch
) -> None:
    store.write_block("1m", minute(0))
    with monkeypatch.context() as patch:
        patch.setattr(delta, "sync_folder", _no_space)
        with pytest.raises(StoreError, match="may not survive"):
            store.write_block("1m", minute(1))
    (store.path / "_delta_log" / "00000000000000000002.json").write_bytes(b"\0" * 100)
    with pytest.raises(StoreError, match=r"log file .*2\.json is damaged"):
        store.write_block("1m", minute(1))


def test_the_reads_of_a_split_day_are_cut_by_time_and_symbol(store: DataManager) -> None:
    for number in range(6):
        store.write_block("1m", minute(number, number + 5.0))
    part = store.read_block("1m", OPEN_US + 2 * MINUTE_US, OPEN_US + 4 * MINUTE_US, ["B", "NONE"])
    assert held(part) == {("B", 2): 7.0, ("B", 3): 8.0}


def test_what_is_known_of_replaced_files_is_forgotten(store: DataManager, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(inventory, "GONE_FILES_MAX", 3)
    for number in range(10):
        store.write_block("1m", minute(number))
        assert store.availability("B")["1m"].rows == number + 1
        assert len(store._inventory._spans) <= 5
