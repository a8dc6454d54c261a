"""Vacuum, leases, and the growth of a store (D11): what somebody needs stays, the rest is forgotten."""

from __future__ import annotations

import os
import random
import subprocess
import sys
from pathlib import Path

import pytest
from tests.unit.catalog.helpers import DAY_US, OPEN_US, block, data_files, held

from mismartera.catalog import DataManager, examine, leased, vacuum
from mismartera.catalog.leases import LEASES_NAME
from mismartera.catalog.lock import claim_session
from mismartera.errors import StoreError

DAY_SECONDS = 86_400
SESSIONS = int(os.environ.get("MISMARTERA_GROWTH_SESSIONS", "24"))
COMMITS = int(os.environ.get("MISMARTERA_GROWTH_COMMITS", "6"))
"""63 sessions of 390 commits are three months."""


@pytest.fixture
def store(tmp_path: Path) -> Path:
    """Six versions: the empty one, and one a minute."""
    path = tmp_path / "store"
    for minute in range(5):
        DataManager(path).write_block("1m", block({"A": [minute]}))
    return path


def minutes(path: Path, version: int | None = None) -> int:
    data = DataManager(path, version=version, warn=pytest.fail)
    return len(held(data.read_block("1m", OPEN_US, OPEN_US + DAY_US, ["A"])))


def grow_old(path: Path, seconds: float) -> None:
    """Let so much time pass for all that is there."""
    for file in path.rglob("*"):
        if file.is_file() and file.suffix != ".lock":
            known = file.stat()
            os.utime(file, (known.st_atime - seconds, known.st_mtime - seconds))


def test_a_vacuum_of_all_that_is_old_leaves_the_newest_version_alone(store: Path) -> None:
    assert len(data_files(store)) == 5
    done = vacuum(store, retention_seconds=0)
    assert (done.files, done.oldest, done.newest, done.kept) == (4, 5, 5, ())
    assert done.bytes > 0
    assert len(data_files(store)) == 1
    assert minutes(store) == 5
    assert examine(store).problems == []
    with pytest.raises(StoreError, match="has no version 3: allowed are 5 to 5"):
        minutes(store, 3)
    assert vacuum(store, retention_seconds=0).files == 0


def test_versions_of_the_retention_stay_readable(store: Path) -> None:
    grow_old(store, 10 * DAY_SECONDS)
    DataManager(store).write_block("1m", block({"A": [5]}))
    assert minutes(store, 2) == 2
    done = vacuum(store)
    assert (done.oldest, done.newest) == (5, 6), "5 was current when the retention began"
    assert [minutes(store, version) for version in (5, 6)] == [5, 6]


def test_nothing_is_removed_by_a_dry_run(store: Path) -> None:
    before = sorted(store.rglob("*"))
    done = vacuum(store, retention_seconds=0, dry_run=True)
    assert done.files == 4
    assert sorted(store.rglob("*")) == before
    assert vacuum(store, retention_seconds=0).files == 4


def test_a_version_that_a_user_keeps_is_kept_until_it_is_released(store: Path) -> None:
    assert vacuum(store, retention_seconds=0, keep=[2]).kept == (2,)
    for _ in range(2):
        assert vacuum(store, retention_seconds=0).kept == (2,)
        assert minutes(store, 2) == 2
    with pytest.raises(StoreError, match=r"has no version 3 to keep: it has 5 to 5"):
        vacuum(store, retention_seconds=0, keep=[3])
    assert vacuum(store, retention_seconds=0, release=[2]).files == 1
    with pytest.raises(StoreError, match="has no version 2"):
        minutes(store, 2)


def test_what_a_session_reads_is_kept_while_it_runs(store: Path) -> None:
    pinned = DataManager(store, version=1, warn=pytest.fail)
    with leased(pinned):
        assert vacuum(store, retention_seconds=0).kept == (1,)
        assert len(pinned.read_block("1m", OPEN_US, OPEN_US + DAY_US, ["A"])) == 1
    assert vacuum(store, retention_seconds=0).files == 1
    assert not list((store / LEASES_NAME).iterdir())


_LEASE = """
import sys
from mismartera.catalog import DataManager, leased
with leased(DataManager(sys.argv[1], version=2)):
    print("ready", flush=True)
    sys.stdin.readline()
"""


def test_the_lease_of_a_session_that_was_killed_is_none(store: Path) -> None:
    reader = subprocess.Popen(
        [sys.executable, "-c", _LEASE, str(store)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    assert reader.stdout is not None
    assert reader.stdout.readline() == "ready\n"
    assert vacuum(store, retention_seconds=0).kept == (2,)
    reader.kill()
    reader.communicate()
    assert len(list((store / LEASES_NAME).iterdir())) == 1
    assert vacuum(store, retention_seconds=0).kept == ()
    assert not list((store / LEASES_NAME).iterdir())


def test_while_a_live_session_runs_the_versions_of_the_last_hour_stay(store: Path) -> None:
    claim = claim_session(store)
    assert vacuum(store, retention_seconds=0).files == 0
    claim.release()
    assert vacuum(store, retention_seconds=0).files == 4


def test_what_dead_writers_left_is_removed(store: Path) -> None:
    folder = data_files(store)[0].parent
    (folder / ".x.parquet.1234.tmp").write_bytes(b"x")
    (store / "_delta_log" / ".00000000000000000009.json.1234.tmp").write_bytes(b"x")
    (folder / "0123456789ab-00000000000000000000000000000000.parquet").write_bytes(b"never committed")
    done = vacuum(store)
    assert (done.files, done.drafts) == (1, 2)
    assert not list(store.rglob("*.tmp"))
    assert len(data_files(store)) == 5


def test_a_reader_goes_on_when_the_log_behind_it_is_gone(store: Path) -> None:
    """It stands on a version that nobody keeps; its next look finds the newest."""
    reader = DataManager(store, warn=pytest.fail)
    assert reader.version == 5
    for minute in range(5, 9):
        DataManager(store).write_block("1m", block({"A": [minute]}))
        vacuum(store, retention_seconds=0)
    assert min(int(path.stem) for path in (store / "_delta_log").glob("*[0-9].json")) > 5
    assert reader.refresh() == 9
    assert len(reader.read_block("1m", OPEN_US, OPEN_US + DAY_US, ["A"])) == 9


def test_a_damaged_checkpoint_is_named_and_an_earlier_one_used(store: Path) -> None:
    """D05"""
    vacuum(store, retention_seconds=0)
    DataManager(store).write_block("1m", block({"A": [5]}))
    vacuum(store, retention_seconds=0)
    *_, newest = sorted((store / "_delta_log").glob("*.checkpoint.parquet"))
    newest.write_bytes(newest.read_bytes()[:200])
    told: list[str] = []
    data = DataManager(store, warn=told.append)
    assert data.version == 6
    assert len(data.read_block("1m", OPEN_US, OPEN_US + DAY_US, ["A"])) == 6
    assert str(newest) in "".join([*told, *examine(store).problems])
    assert DataManager(store, warn=told.append).write_block("1m", block({"A": [6]})).accepted == 1
    assert minutes(store) == 7


def test_months_of_commits_a_minute_leave_a_bounded_store(tmp_path: Path) -> None:
    """D11: sessions of a commit a minute, each tidied at its end as by a live session, a day after the last."""
    path = tmp_path / "store"
    data = DataManager(path, warn=pytest.fail)
    files, logs = [], []
    for day in range(SESSIONS):
        for minute in range(COMMITS):
            data.write_block("1m", block({"A": [day * 1440 + minute], "B": [day * 1440 + minute]}))
        data.compact()
        vacuum(path)
        grow_old(path, DAY_SECONDS)
        files.append(len(data_files(path)) - day)
        logs.append(len(list((path / "_delta_log").iterdir())))
    assert data.version == SESSIONS * COMMITS
    assert max(files[16:]) <= max(files[8:16]), "besides one file a session nothing is added"
    assert max(logs[16:]) <= max(logs[8:16])
    assert max(logs) < (7 + 3) * (COMMITS + 3)
    fresh = DataManager(path, warn=pytest.fail)
    assert [row.bars for row in fresh.listing()] == [SESSIONS * COMMITS] * 2
    assert examine(path).problems == []


_TIDYING = """
import sys
from mismartera.catalog import DataManager, append, vacuum
from pathlib import Path
from tests.unit.catalog.helpers import block
append.TINY_ROWS_MAX = 0
store = DataManager(sys.argv[1])
for n in range(int(sys.argv[2]), 10_000):
    store.write_block("1m", block({"A": [n]}))
    print(n, flush=True)
    if n % 3 == 2:
        store.compact()
        vacuum(Path(sys.argv[1]), retention_seconds=0)
"""


def test_a_process_killed_while_it_compacts_and_vacuums_loses_nothing(tmp_path: Path) -> None:
    """D01: whatever it was at, the log is whole, every file is verified, and what was acknowledged is there."""
    path, dice, at = tmp_path / "store", random.Random(5), 0
    for _ in range(4):
        writer = subprocess.Popen(
            [sys.executable, "-c", _TIDYING, str(path), str(at)], stdout=subprocess.PIPE, text=True
        )
        assert writer.stdout is not None
        at = [int(writer.stdout.readline()) for _ in range(3 - at % 3 + dice.randrange(2))][-1]
        with pytest.raises(subprocess.TimeoutExpired):
            writer.wait(timeout=dice.uniform(0.0, 0.06))
        writer.kill()
        said, _ = writer.communicate()
        whole = said[: said.rfind("\n") + 1]  # a last line may be cut off: it was not said
        at = max([at, *map(int, whole.split())])
        assert examine(path).problems == []
        assert minutes(path) in {at + 1, at + 2}
        at = minutes(path)
    vacuum(path, retention_seconds=0)
    assert minutes(path) == at
