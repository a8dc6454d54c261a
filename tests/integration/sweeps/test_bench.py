"""The benchmark of sweeps measures what it says, on a tiny shape."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from benchmarks import sweep


def test_speed_up_and_overhead_are_measured(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(sweep, "FOLDER", tmp_path)
    monkeypatch.setattr(sweep, "SYMBOLS", 2)
    monkeypatch.setattr(sweep, "DAYS", 2)
    monkeypatch.setattr(sweep, "TINY_TASKS", 4)
    sweep.main(["--tasks", "4", "--rounds", "1"])
    shown = capsys.readouterr().out
    assert re.search(r"two workers are \d+\.\d\d times as fast", shown)
    assert re.search(r"overhead per task -?\d+\.\d\d ms, beside \d+\.\d\d ms of the run itself", shown)
    assert shown.count(" s   (") == 5
