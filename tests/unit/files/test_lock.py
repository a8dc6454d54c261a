"""Locks between processes: who has one, and that none is stale (D06)."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from mismartera.catalog import DataManager, claim_session
from mismartera.errors import StoreError
from mismartera.files.lock import FileLock, HeldError, facts_of, holder_of

_HOLDER = """
import sys
from pathlib import Path
from mismartera.catalog.lock import claim_session
lock = claim_session(Path(sys.argv[1]))
print("ready", flush=True)
sys.stdin.readline()
lock.release()
"""


def holding(store: Path) -> subprocess.Popen[str]:
    process = subprocess.Popen(
        [sys.executable, "-c", _HOLDER, str(store)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    assert process.stdout is not None
    assert process.stdout.readline() == "ready\n"
    return process


def test_a_second_live_session_on_a_store_is_refused_with_the_first_ones_pid_and_start(tmp_path: Path) -> None:
    """D06"""
    store = tmp_path / "store"
    first = holding(store)
    told = rf"another live session writes to the store .*store: process {first.pid}, since 20\d\d-\d\d-\d\dT.*Z; "
    with pytest.raises(StoreError, match=told):
        claim_session(store)
    assert DataManager(store).write_bars("A", "1m", []).rows == 0, "an import takes turns with it"
    first.communicate("go\n", timeout=60)
    lock = claim_session(store)
    assert holder_of(lock.path) is not None
    lock.release()
    assert holder_of(lock.path) is None


def test_the_claim_of_a_session_that_was_killed_stands_in_nobodys_way(tmp_path: Path) -> None:
    """D06: the system frees the lock, whatever stands in its file."""
    first = holding(tmp_path / "store")
    first.kill()
    first.communicate()
    lock = claim_session(tmp_path / "store")
    assert facts_of(lock.path) == {"pid": os.getpid()}
    lock.release()


def test_the_next_holder_learns_that_the_last_one_died(tmp_path: Path) -> None:
    path = tmp_path / "x.lock"
    path.write_text('{"pid": 4711}')
    lock = FileLock(path)
    dead = lock.acquire(wait=False)
    assert dead is not None
    assert dead.pid == 4711
    lock.release()
    assert lock.acquire(wait=False) is None
    lock.release()


def test_two_parts_of_one_process_exclude_each_other(tmp_path: Path) -> None:
    path = tmp_path / "x.lock"
    with FileLock(path) as first:
        assert first.is_held
        first.tell(version=7)
        assert facts_of(path)["version"] == 7
        with pytest.raises(HeldError, match=rf"is locked by process {os.getpid()}, since "):
            FileLock(path).acquire(wait=False)
    first.release()  # again, and nothing happens
    assert holder_of(path) is None


@pytest.mark.parametrize("text", ["", "no json", "[]", '{"pid": "x"}'])
def test_a_lock_file_with_other_content_has_no_known_holder(tmp_path: Path, text: str) -> None:
    path = tmp_path / "x.lock"
    path.write_text(text)
    assert holder_of(path) is None
    assert FileLock(path).acquire(wait=False) is None
