"""What a soak finds, and what it lets pass."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from mismartera.testing.soak import Use, growth

STEADY = Use(memory_kib=200_000, threads=30, tasks=8, sockets=11, handles=32)


def test_a_process_that_stays_as_it_is_passes() -> None:
    assert growth([STEADY] * 30) == []


@pytest.mark.parametrize(
    ("name", "last", "said"),
    [
        ("memory_kib", 300_000, "memory grew from 200000 to 300000 KiB"),
        ("threads", 40, "threads grew from 30 to 40"),
        ("sockets", 20, "sockets grew from 11 to 20"),
        ("handles", 99, "handles grew from 32 to 99"),
        ("tasks", 12, "tasks grew from 8 to 12"),
    ],
)
def test_what_grows_is_named(name: str, last: int, said: str) -> None:
    values = {key: getattr(STEADY, key) for key in Use.__slots__}
    assert growth([STEADY] * 10 + [STEADY] * 10 + [Use(**(values | {name: last}))] * 10) == [said]


ALONE = """
import subprocess
import sys
from mismartera.testing.soak import Use

before = Use.now()
with open(sys.argv[1], "w"):
    assert Use.now().handles == before.handles + 1
assert Use.now().handles == before.handles
assert before.memory_kib > 1000
assert before.threads >= 1
"""


@pytest.mark.skipif(sys.platform != "linux", reason="it reads /proc")
def test_a_file_that_stays_open_is_seen(tmp_path: Path) -> None:
    # In a process of its own: what earlier tests left to the garbage collector is closed at any moment.
    command = [sys.executable, "-c", ALONE, str(tmp_path / "open")]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")
