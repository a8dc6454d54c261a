"""The flusher: what is put is in the store after a flush, whatever the disk does meanwhile."""

from __future__ import annotations

import errno
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from tests.unit.catalog.helpers import DAY_US, OPEN_US, block, held

from mismartera.bars import BarBlock
from mismartera.catalog import BarFlusher, DataManager, append, files
from mismartera.catalog.lock import write_lock
from mismartera.errors import SymbolError
from mismartera.files.durable import write_new

WAIT = 60.0
"""No test waits so long, unless it fails."""


class Rig:
    """A flusher on a store of its own, and what it has told."""

    def __init__(self, folder: Path, **options: Any) -> None:
        self.data = DataManager(folder / "store")
        self.errors: list[str] = []
        self.flusher = BarFlusher(self.data, self.errors.append, **{"gather_seconds": WAIT} | options)

    def stored(self) -> dict[tuple[str, int], float]:
        fresh = DataManager(self.data.path)
        return held(fresh.read_block("1m", OPEN_US, OPEN_US + DAY_US, fresh.symbols())) if fresh.exists() else {}


@pytest.fixture
def rig(tmp_path: Path) -> Iterator[Rig]:
    made = Rig(tmp_path)
    yield made
    made.flusher.stop()


class Disk:
    """The seam at which a full disk is played: the writing of a new data file."""

    def __init__(self, patch: pytest.MonkeyPatch) -> None:
        self.full = False
        self.attempts = 0
        patch.setattr(files, "write_new", self.write)

    def write(self, path: Path, content: bytes) -> None:
        if self.full:
            self.attempts += 1
            raise OSError(errno.ENOSPC, "No space left on device", str(path))
        write_new(path, content)


@pytest.fixture
def disk(monkeypatch: pytest.MonkeyPatch) -> Disk:
    return Disk(monkeypatch)


def test_what_was_put_is_in_the_store_after_a_flush(rig: Rig) -> None:
    assert rig.flusher.put("1m", block({"A": [0], "B": [0]}))
    assert rig.flusher.put("5m", block({"A": [0]}))
    assert rig.flusher.put("60s", block({"A": [0, 1]}, 20))
    assert rig.flusher.pending == 5
    assert rig.flusher.flush(WAIT)
    assert rig.stored() == {("A", 0): 20, ("A", 1): 20, ("B", 0): 10}
    assert rig.data.known_intervals(["A"]) == {"A": frozenset({"1m", "5m"})}
    assert (rig.flusher.committed, rig.flusher.pending) == (4, 0)
    assert rig.errors == []
    assert rig.flusher.flush(0.0), "nothing is left to do"


def test_a_put_is_committed_without_a_flush(tmp_path: Path) -> None:
    rig = Rig(tmp_path, gather_seconds=0.0)
    committed = threading.Event()
    write = rig.data.write_block

    def told(*args: Any, **options: Any) -> Any:
        report = write(*args, **options)
        committed.set()
        return report

    rig.data.write_block = told  # type: ignore[method-assign]
    rig.flusher.put("1m", block({"A": [0]}))
    assert committed.wait(WAIT)
    assert rig.flusher.stop()
    assert rig.stored() == {("A", 0): 10}


def test_puts_that_gather_are_one_commit(rig: Rig) -> None:
    for minute in range(20):
        rig.flusher.put("1m", block({"A": [minute], "B": [0]}, minute + 5.0))
    assert rig.flusher.flush(WAIT)
    assert rig.data.version == 1
    assert rig.stored() == {("A", n): n + 5.0 for n in range(20)} | {("B", 0): 24.0}


def test_a_put_does_not_wait_for_the_disk(rig: Rig) -> None:
    with write_lock(rig.data.path):
        rig.flusher.put("1m", block({"A": [0]}))
        assert not rig.flusher.flush(0.05), "the store is locked"
        for minute in range(1, 50):
            assert rig.flusher.put("1m", block({"A": [minute]}))
        assert rig.flusher.committed == 0
    assert rig.flusher.flush(WAIT)
    assert len(rig.stored()) == 50
    assert rig.errors == []


def test_a_full_disk_is_told_once_and_loses_nothing(rig: Rig, disk: Disk) -> None:
    """D03: kept, tried again with the next put, and never in a loop."""
    disk.full = True
    for minute in range(3):
        rig.flusher.put("1m", block({"A": [minute], "B": [0]}, minute + 5.0))
        assert not rig.flusher.flush(WAIT)
        assert disk.attempts == minute + 1
    assert rig.flusher.pending == 4, "of each key the last"
    (error,) = rig.errors
    assert error.startswith("bars cannot be stored: ")
    assert "No space left on device" in error
    disk.full = False
    rig.flusher.put("1m", block({"A": [3]}))
    assert rig.flusher.flush(WAIT)
    assert rig.stored() == {("A", 0): 5, ("A", 1): 6, ("A", 2): 7, ("A", 3): 10, ("B", 0): 7}
    disk.full = True
    rig.flusher.put("1m", block({"A": [4]}))
    assert not rig.flusher.flush(WAIT)
    assert len(rig.errors) == 2, "another outage"
    disk.full = False
    assert rig.flusher.flush(WAIT), "a flush is a try, too"


def test_one_interval_that_cannot_be_written_holds_no_other_back_for_good(rig: Rig, disk: Disk) -> None:
    rig.flusher.put("1m", block({"A": [0]}))
    rig.flusher.put("5m", block({"A": [0]}))
    (rig.data.path / "interval=5m").parent.mkdir(parents=True)
    (rig.data.path / "interval=5m").write_text("in the way")
    assert not rig.flusher.flush(WAIT)
    assert rig.stored() == {("A", 0): 10}
    assert rig.flusher.pending == 1
    (rig.data.path / "interval=5m").unlink()
    assert rig.flusher.flush(WAIT)
    assert len(rig.errors) == 1


def test_a_stop_flushes_and_ends_the_thread(tmp_path: Path) -> None:
    rig = Rig(tmp_path)
    rig.flusher.put("1m", block({"A": [0]}))
    assert rig.flusher.stop()
    assert rig.stored() == {("A", 0): 10}
    assert not [thread for thread in threading.enumerate() if thread.name == "bar-flusher"]
    assert rig.flusher.stop()
    with pytest.raises(AssertionError, match="after stop"):
        rig.flusher.put("1m", block({"A": [1]}))


def test_a_stop_that_cannot_write_says_what_is_lost(tmp_path: Path, disk: Disk) -> None:
    rig = Rig(tmp_path)
    disk.full = True
    rig.flusher.put("1m", block({"A": [0, 1]}))
    assert not rig.flusher.stop()
    assert rig.errors[-1] == f"2 bars are not in the store {rig.data.path}: the session ends without them"
    assert not rig.flusher.flush(WAIT), "nobody will write them"


def test_the_memory_has_a_bound_and_what_is_refused_is_told(tmp_path: Path, disk: Disk) -> None:
    rig = Rig(tmp_path, rows_max=3)
    disk.full = True
    assert rig.flusher.put("1m", block({"A": [0, 1]}))
    assert not rig.flusher.put("1m", block({"A": [2, 3]}))
    assert rig.flusher.put("1m", block({"A": [1]}))
    assert not rig.flusher.flush(WAIT)
    assert rig.flusher.put("1m", block({"A": [2]})), "what has one key counts once"
    assert not rig.flusher.flush(WAIT)
    assert [text for text in rig.errors if "3 bars wait" in text] == [
        "more than 3 bars wait to be stored: further ones are lost"
    ]
    disk.full = False
    assert rig.flusher.stop()
    assert len(rig.stored()) == 3


def test_bad_names_are_refused_at_once(rig: Rig) -> None:
    with pytest.raises(SymbolError):
        rig.flusher.put("1m", block({"../x": [0]}))
    with pytest.raises(ValueError, match="not supported"):
        rig.flusher.put("quotes", block({"A": [0]}))
    assert rig.flusher.pending == 0


def test_bars_that_the_store_rejects_are_told_by_rule(rig: Rig) -> None:
    whole = block({"A": [0, 1]})
    high = np.array([1.0, 11.0])
    rig.flusher.put(
        "1m", BarBlock(whole.symbols, whole.offsets, whole.start, whole.open, high, *whole.columns[2:])
    )
    assert rig.flusher.flush(WAIT)
    (error,) = rig.errors
    assert error.startswith("the store refused 1 bars (high_low_order), for example A 1m 2024-07-02T13:30:00")
    assert (rig.flusher.committed, rig.flusher.pending) == (1, 0)


def test_a_fault_of_ours_ends_neither_thread_nor_bars(rig: Rig, monkeypatch: pytest.MonkeyPatch) -> None:
    with monkeypatch.context() as patch:
        patch.setattr(append, "merge", None)
        rig.flusher.put("1m", block({"A": [0]}))
        assert not rig.flusher.flush(WAIT)
    assert "'NoneType' object is not callable" in rig.errors[0]
    assert rig.flusher.flush(WAIT)
    assert rig.stored() == {("A", 0): 10}
