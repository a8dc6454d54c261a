"""The store after a power loss at any moment: what was acknowledged is there, and nothing is half (D02, I13)."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from tests.unit.catalog.helpers import DAY_US, OPEN_US, block, frame, held

from mismartera.catalog import DataManager, append, examine, import_files, vacuum
from mismartera.testing.power_loss import Kept, Trace, put_back, recording

State = dict[tuple[str, int], float]

VARIANTS: list[tuple[Kept, int]] = [("nothing", 0), ("names", 0), ("some", 1), ("some", 2)]


def state(path: Path) -> State:
    data = DataManager(path, warn=pytest.fail)
    return held(data.read_block("1m", OPEN_US, OPEN_US + 4 * DAY_US, data.symbols())) if data.exists() else {}


def run(folder: Path, steps: list[Callable[[Path], object]]) -> tuple[Trace, list[State]]:
    """Carry out ``steps``; the trace, and the store's bars after each, the first before all."""
    folder.mkdir()
    states: list[State] = [{}]
    with recording(folder) as trace:
        for step in steps:
            step(folder / "store")
            trace.acknowledge()
            states.append(state(folder / "store"))
    trace.check()
    return trace, states


def survives(tmp_path: Path, trace: Trace, states: list[State]) -> int:
    """Hold every moment's disk against the promises; how many there were."""
    seen: set[str] = set()
    count = 0
    for step, done, disk in trace.moments():
        for kept, seed in VARIANTS:
            files = disk.after_power_loss(kept, step * 10 + seed)
            mark = repr(sorted((path, hash(content)) for path, content in files.items()))
            if mark in seen:
                continue
            seen.add(mark)
            count += 1
            store = put_back(files, tmp_path / f"{step}-{kept}-{seed}") / "store"
            found = state(store)
            allowed = states[done : done + 2]
            assert found in allowed, f"power loss after step {step} ({kept}, {seed}), {done} acknowledged"
            if DataManager(store).exists():
                assert examine(store).problems == []
                DataManager(store, warn=pytest.fail).write_block("1m", block({"NEXT": [1]}))
                assert state(store) == found | {("NEXT", 1): 10.0}
    return count


def minute(number: int, price: float = 10.0) -> Callable[[Path], object]:
    return lambda path: DataManager(path).write_block("1m", block({"A": [number], "B": [number]}, price))


def test_an_import_and_a_rewriting_upsert_survive_a_power_loss_at_every_step(tmp_path: Path) -> None:
    """D02"""
    source = tmp_path / "A.csv"
    source.write_text(
        "timestamp,open,high,low,close,volume\n"
        + "".join(f"2024-07-0{day}T14:{n:02}:00Z,10,11,9,10,5\n" for day in (2, 3) for n in range(20))
    )

    def bring(path: Path) -> None:
        assert import_files(DataManager(path), [source], symbol="A", interval="1m").accepted == 40

    trace, states = run(
        tmp_path / "disk",
        [bring, lambda path: DataManager(path).write_bars("A", "1m", frame(range(5), 20.0))],
    )
    assert len(states[-1]) == 45
    assert survives(tmp_path / "images", trace, states) > 30


def test_live_flushes_revisions_and_a_compaction_survive_a_power_loss_at_every_step(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """D02"""
    monkeypatch.setattr(append, "TINY_ROWS_MAX", 0)
    trace, states = run(
        tmp_path / "disk",
        [minute(0), minute(1), minute(0, 20.0), lambda path: DataManager(path).compact(), minute(2)],
    )
    assert len(states[-1]) == 6
    assert survives(tmp_path / "images", trace, states) > 50


def test_a_vacuum_with_its_checkpoints_survives_a_power_loss_at_every_step(tmp_path: Path) -> None:
    """D02: at no moment is anything missing that the newest version needs."""

    def forget(path: Path) -> None:
        vacuum(path, retention_seconds=0)

    trace, states = run(
        tmp_path / "disk",
        [minute(0), minute(1), forget, minute(2), minute(3), forget, minute(4), forget],
    )
    assert states[-1] == {(name, n): 10.0 for name in "AB" for n in range(5)}
    assert survives(tmp_path / "images", trace, states) > 50


def test_a_quarantine_survives_a_power_loss_at_every_step(tmp_path: Path) -> None:
    """D02: the damaged file is in the store's folder or aside, in every image, and the rest is whole."""

    def damaged(path: Path) -> None:
        data = DataManager(path)
        data.write_block("1m", block({"A": [0]}))
        data.write_block("1m", block({"A": [1440]}))

    def mend(path: Path) -> None:
        (broken,) = path.glob("interval=*/date=2024-07-02/*.parquet")
        broken.unlink()
        told: list[str] = []
        DataManager(path, warn=told.append).write_block("1m", block({"A": [5]}))
        assert len(told) == 1

    folder = tmp_path / "disk"
    folder.mkdir()
    with recording(folder) as trace:
        damaged(folder / "store")
        trace.acknowledge()
        mend(folder / "store")
        trace.acknowledge()
    trace.check()
    for step, done, disk in trace.moments():
        if done:
            store = put_back(disk.after_power_loss("names"), tmp_path / f"{step}") / "store"
            told: list[str] = []
            data = DataManager(store, warn=told.append)
            found = held(data.read_block("1m", OPEN_US, OPEN_US + 4 * DAY_US, data.symbols()))
            assert ("A", 1440) in found
            assert done < 2 or found == {("A", 5): 10.0, ("A", 1440): 10.0}
