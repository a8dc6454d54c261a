"""D01: a live session that is killed again and again, at any moment, and goes on each time with ``--resume``."""

from __future__ import annotations

from pathlib import Path

from mismartera.testing.kill_loop import KillLoop


def test_d01_ten_kills_lose_nothing_that_was_durable_and_end_with_the_same_data(tmp_path: Path) -> None:
    outcome = KillLoop(tmp_path, seed=11, kills=10).run()
    assert not outcome.problems, "\n".join(["", *outcome.problems])
    assert outcome.kills == 10
