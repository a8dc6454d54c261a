"""The store when several write to it, and when a writer is killed (D01, D06)."""

from __future__ import annotations

import random
import subprocess
import sys
import threading
from pathlib import Path

import polars as pl
import pytest
from tests.unit.catalog.helpers import DAY_US, OPEN_US, frame

from mismartera.catalog import DataManager
from mismartera.catalog.delta import ConflictError, DeltaStore
from mismartera.catalog.files import write_file


@pytest.fixture
def store(tmp_path: Path) -> DataManager:
    manager = DataManager(tmp_path / "store")
    manager.write_many((name, "1m", frame(range(390))) for name in ("A", "B"))
    return manager


def read(path: Path) -> int:
    """Rows of a fresh look at a day of the store."""
    return len(DataManager(path).read_block("1m", OPEN_US, OPEN_US + DAY_US, ["A", "B"]))


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
