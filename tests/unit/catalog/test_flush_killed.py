"""D01: kill -9 while a flusher writes. What was flushed is there, no minute is half there, and no key twice."""

from __future__ import annotations

import random
import subprocess
import sys
from pathlib import Path

from tests.unit.catalog.helpers import OPEN_US, held

from mismartera.bars.instants import MINUTE_US
from mismartera.catalog import DataManager

NAMES = [f"S{k:03d}" for k in range(200)]

_SESSION = """
import sys
from mismartera.catalog import BarFlusher, DataManager, append
from tests.unit.catalog.helpers import block
append.TINY_ROWS_MAX, append.FULL_ROWS_MIN = 500, 3000
names = [f"S{k:03d}" for k in range(200)]
data = DataManager(sys.argv[1])
flusher = BarFlusher(data, lambda text: sys.exit(text), gather_seconds=0.0)
for minute in range(int(sys.argv[2]), 10_000):
    flusher.put("1m", block({name: [max(minute - 1, 0), minute] for name in names}, 5.0 + minute))
    if minute % 2:
        assert flusher.flush(60)
        print(minute, flush=True)
    if minute % 11 == 10:
        data.compact()
"""


def test_a_session_killed_at_any_moment_keeps_what_was_flushed(tmp_path: Path) -> None:
    path = tmp_path / "store"
    dice = random.Random(5)
    at = 0
    for _ in range(6):
        session = subprocess.Popen(
            [sys.executable, "-c", _SESSION, str(path), str(at)], stdout=subprocess.PIPE, text=True
        )
        assert session.stdout is not None
        flushed = [int(session.stdout.readline()) for _ in range(dice.randrange(1, 7))][-1]
        try:
            session.wait(timeout=dice.uniform(0.0, 0.12))
        except subprocess.TimeoutExpired:
            session.kill()
        session.communicate()
        data = DataManager(path)
        stored = held(data.read_block("1m", OPEN_US, OPEN_US + 10_000 * MINUTE_US, NAMES))
        last = len(stored) // len(NAMES) - 1
        assert last >= flushed
        # each minute is revised by the next, for all symbols at once
        assert stored == {(name, n): 5.0 + min(n + 1, last) for name in NAMES for n in range(last + 1)}
        at = last + 1
    assert DataManager(path).compact() in {0, 1}
