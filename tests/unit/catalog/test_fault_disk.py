"""The store on a disk that is full, broken, read-only, out of handles (D03), or whose fsync fails (D04)."""

from __future__ import annotations

import errno
import os
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import pytest
from tests.unit.catalog.helpers import DAY_US, OPEN_US, block, data_files, held

from mismartera.catalog import BarFlusher, DataManager, examine, vacuum
from mismartera.errors import StoreError
from mismartera.testing.fault_disk import FaultDisk
from mismartera.testing.os_calls import OsCall

NUMBERS = [errno.ENOSPC, errno.EIO, errno.EMFILE, errno.EROFS, errno.EACCES, errno.EDQUOT]
CALLS = ["open", "write", "fsync", "rename", "link"]
WAIT = 60.0


@pytest.fixture
def store(tmp_path: Path) -> DataManager:
    data = DataManager(tmp_path / "store", warn=pytest.fail)
    data.write_block("1m", block({"A": [0]}))
    return data


def bars(path: Path) -> dict[tuple[str, int], float]:
    data = DataManager(path, warn=pytest.fail)
    return held(data.read_block("1m", OPEN_US, OPEN_US + DAY_US, data.symbols()))


def refusal(store: DataManager, minute: int) -> str | None:
    """What is said of a write that fails, None if it succeeds."""
    try:
        store.write_block("1m", block({"A": [1], "B": [minute]}))
    except StoreError as error:
        return str(error)
    return None


def is_no_lock(call: OsCall) -> bool:
    return call.path.suffix != ".lock"


@pytest.mark.parametrize("name", CALLS)
@pytest.mark.parametrize("number", NUMBERS, ids=lambda number: errno.errorcode[number])
def test_whatever_fails_is_told_and_leaves_no_half_file(store: DataManager, number: int, name: str) -> None:
    """D03, D04: the first such call of a write, the second, and so on, until none fails any more."""
    disk = FaultDisk(store.path)
    failures = 0
    with disk.in_use():
        for after in range(20):
            before = bars(store.path)
            disk.fail(number, name, where=is_no_lock, after=after)
            told = refusal(store, after)
            if told is not None:
                failures += 1
                assert os.strerror(number) in told
                assert str(store.path) in told
                disk.heal()
                assert examine(store.path).problems == []
                known = bars(store.path)
                assert known == before or "may not survive a power loss" in told
                assert not [path for path in store.path.rglob("*") if path.name.endswith(".tmp")] or name == "open"
                store.write_block("1m", block({"A": [1], "B": [after]}))
                assert bars(store.path) == before | {("A", 1): 10.0, ("B", after): 10.0}
            else:
                disk.heal()
                if not disk.failed[failures:]:
                    break
                assert name == "link", "a file system without links is no failure"
    assert failures or name == "link"


def test_a_failed_fsync_is_never_repeated_on_the_same_file(store: DataManager) -> None:
    """D04: what was written may be lost although the next fsync succeeds, so a new file is written."""
    disk = FaultDisk(store.path)
    disk.fail(errno.EIO, "fsync", times=1)
    with disk.in_use(), pytest.raises(StoreError, match="Input/output error"):
        store.write_block("1m", block({"A": [1]}))
    (failed,) = disk.failed
    assert not failed.path.exists(), "the file is gone, and with it what was in doubt"
    store.write_block("1m", block({"A": [1]}))
    assert bars(store.path) == {("A", 0): 10.0, ("A", 1): 10.0}


def test_a_disk_that_fills_in_the_middle_of_a_write_keeps_the_last_version(store: DataManager) -> None:
    """D03: whatever room is left, and it goes on when there is space again."""
    disk = FaultDisk(store.path)
    with disk.in_use():
        for room in (0, 1, 500, 2600):
            disk.room(room)
            with pytest.raises(StoreError, match="No space left on device"):
                store.write_block("1m", block({"A": [1], "B": [1]}))
        disk.heal()
        assert len(data_files(store.path)) == 1
        assert store.write_block("1m", block({"A": [1], "B": [1]})).accepted == 2


def test_compaction_and_vacuum_on_a_failing_disk_take_nothing_away(store: DataManager) -> None:
    """D03"""
    store.write_bars("A", "1m", [])
    for minute in range(1, 4):
        store.write_block("1m", block({"A": [minute]}))
    before = bars(store.path)
    disk = FaultDisk(store.path)
    with disk.in_use():
        for after in range(12):
            disk.fail(errno.EIO, "write", "fsync", "rename", "replace", where=is_no_lock, after=after)
            with suppress(StoreError):
                vacuum(store.path, retention_seconds=0)
            disk.heal()
            assert bars(store.path) == before
            assert examine(store.path).problems == []


def test_a_live_session_keeps_its_bars_while_the_disk_is_full_and_stores_them_when_there_is_room(
    tmp_path: Path,
) -> None:
    """D03: told once, nothing lost, nothing retried in a loop."""
    data = DataManager(tmp_path / "store")
    told: list[str] = []
    flusher = BarFlusher(data, told.append, gather_seconds=WAIT)
    disk = FaultDisk(tmp_path)
    with disk.in_use():
        disk.fail(errno.ENOSPC, "write", where=is_no_lock)
        for minute in range(5):
            assert flusher.put("1m", block({"A": [minute]}))
            assert not flusher.flush(WAIT)
        assert flusher.pending == 5
        (text,) = told
        assert "bars cannot be stored" in text
        assert "No space left on device" in text
        assert str(tmp_path / "store") in text
        disk.heal()
        assert flusher.put("1m", block({"A": [5]}))
        assert flusher.stop()
    assert bars(data.path) == {("A", minute): 10.0 for minute in range(6)}


@pytest.fixture
def tiny(tmp_path: Path) -> Iterator[Path]:
    """A real file system with room for little."""
    folder = tmp_path / "tiny"
    folder.mkdir()
    made = subprocess.run(
        ["/bin/mount", "-t", "tmpfs", "-o", "size=256k", "tmpfs", folder], capture_output=True, check=False
    )
    if made.returncode:
        pytest.skip(f"no tmpfs can be mounted here: {made.stderr.decode().strip()}")
    yield folder
    subprocess.run(["/bin/umount", folder], check=True)


def test_a_file_system_that_is_really_full_is_told_and_loses_nothing(tiny: Path) -> None:
    """D03"""
    data = DataManager(tiny / "store", warn=pytest.fail)
    data.write_block("1m", block({"A": [0]}))
    filler = tiny / "filler"
    with filler.open("wb", buffering=0) as stream, suppress(OSError):
        while stream.write(bytes(4096)):
            pass
    with pytest.raises(StoreError, match=r"cannot be written: .*No space left on device"):
        data.write_block("1m", block({"A": [1]}))
    assert bars(data.path) == {("A", 0): 10.0}
    filler.unlink()
    assert data.write_block("1m", block({"A": [1]})).accepted == 1
    assert bars(data.path) == {("A", 0): 10.0, ("A", 1): 10.0}


def test_a_read_only_file_system_can_be_read(tiny: Path) -> None:
    """D03: reading needs neither a lock nor a lease."""
    DataManager(tiny / "store").write_block("1m", block({"A": [0]}))
    subprocess.run(["/bin/mount", "-o", "remount,ro", tiny], check=True)
    assert bars(tiny / "store") == {("A", 0): 10.0}
    with pytest.raises(StoreError, match="Read-only file system"):
        DataManager(tiny / "store").write_block("1m", block({"A": [1]}))
    assert examine(tiny / "store").problems == []


_LIMITED = """
import resource, sys
from mismartera.catalog import DataManager
from mismartera.errors import StoreError
from tests.unit.catalog.helpers import block
resource.setrlimit(resource.RLIMIT_FSIZE, (1000, 1000))
try:
    DataManager(sys.argv[1]).write_block("1m", block({"A": [1]}))
except StoreError as error:
    print(error)
"""


def test_a_limit_on_the_size_of_files_is_told(store: DataManager) -> None:
    """D03: the system cuts the write short first, and refuses then."""
    done = subprocess.run(
        [sys.executable, "-c", _LIMITED, str(store.path)], capture_output=True, text=True, check=True, timeout=60
    )
    assert "cannot be written: [Errno 27] File too large" in done.stdout
    assert bars(store.path) == {("A", 0): 10.0}
    assert not list(store.path.rglob("*.tmp"))


def test_faults_are_those_of_the_folder_only_and_of_all_threads(tmp_path: Path) -> None:
    disk = FaultDisk(tmp_path / "bad")
    disk.fail(errno.EIO, "mkdir")
    failures: list[OSError] = []

    def make() -> None:
        try:
            (tmp_path / "bad" / "x").mkdir()
        except OSError as error:
            failures.append(error)

    (tmp_path / "bad").mkdir()
    with disk.in_use():
        (tmp_path / "good").mkdir()
        thread = threading.Thread(target=make)
        thread.start()
        thread.join(WAIT)
    assert [error.errno for error in failures] == [errno.EIO]
    make()
    assert (tmp_path / "bad" / "x").is_dir()
