"""Sweeps on a Dask cluster: the same results, and workers that are killed."""

from __future__ import annotations

import signal
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.integration.sweeps.stage import (
    FATE,
    STEP,
    THRESHOLD,
    called,
    dask_cluster,
    make_stage,
    started,
    steady,
    write_json,
)

from mismartera import sweep
from mismartera.errors import UsageError

pytest.importorskip("distributed")


@pytest.fixture(scope="module")
def cluster() -> Iterator[str]:
    with dask_cluster() as (address, _):
        yield address


@pytest.fixture
def stage(tmp_path: Path) -> Path:
    return make_stage(tmp_path)


def test_a_cluster_gives_the_table_of_a_pool(stage: Path, cluster: str) -> None:
    grid = {"parameters": {STEP: [1, 7], THRESHOLD: [30, 3600]}, "split": "day"}
    here = sweep(stage / "c.json", grid, data=stage / "data", workers=1)
    told, err = called(stage, "c.json", "--grid", write_json(stage / "g.json", grid), "--dask", cluster)
    there = sweep(stage / "c.json", grid, data=stage / "data", dask=cluster, out=stage / "out")
    assert err == ""
    assert there.height == told["ok"] == 8
    assert steady(there).equals(steady(here))


def test_a_worker_that_is_killed_in_mid_sweep_costs_no_result(stage: Path, cluster: str) -> None:
    grid = {"parameters": {FATE: ["none", "dies once", "else"], STEP: list(range(1, 9))}}
    there = sweep(stage / "c.json", grid, data=stage / "data", dask=cluster)
    assert (stage / "died").exists()
    assert there["status"].to_list() == ["ok"] * 24
    assert steady(there).equals(steady(sweep(stage / "c.json", grid, data=stage / "data", workers=1)))


def test_ctrl_c_ends_a_sweep_on_a_cluster_and_it_goes_on(stage: Path, cluster: str) -> None:
    grid = write_json(stage / "g.json", {"parameters": {STEP: list(range(1, 401))}})
    log = stage / "out" / "finished.jsonl"
    with started(stage, "c.json", "--grid", grid, "--dask", cluster, "--out", "out") as process:
        while process.poll() is None and not (log.exists() and log.read_bytes().count(b"\n") >= 5):
            threading.Event().wait(0.02)
        process.send_signal(signal.SIGINT)
        _, err = process.communicate()
    assert process.returncode == 130, err
    assert "Traceback" not in err
    kept = log.read_bytes().count(b"\n")
    assert f"interrupted: {kept} of 400 tasks are done and kept" in err
    write_json(grid, {"parameters": {STEP: [1, 2, 3, 400]}})
    told, err = called(stage, "c.json", "--grid", grid, "--dask", cluster, "--out", "out")
    assert told["ok"] == 4
    assert 1 <= told["reused"] <= 3, "another grid finds the tasks that it shares"


def test_a_cluster_that_dies_ends_the_sweep_and_what_was_done_is_kept(stage: Path) -> None:
    grid = write_json(stage / "g.json", {"parameters": {STEP: list(range(1, 401))}})
    log = stage / "out" / "finished.jsonl"
    with dask_cluster(1) as (address, scheduler):
        with started(stage, "c.json", "--grid", grid, "--dask", address, "--out", "out") as process:
            while process.poll() is None and not (log.exists() and log.read_bytes().count(b"\n") >= 5):
                threading.Event().wait(0.02)
            scheduler.kill()
            _, err = process.communicate()
        scheduler.wait()
    assert (process.returncode, err) == (
        1, "error: the run failed: the connection to the workers was lost; start the sweep again to go on\n"
    )  # fmt: skip
    write_json(grid, {"parameters": {STEP: [1, 2, 3]}})
    told, _ = called(stage, "c.json", "--grid", grid, "--out", "out", "--workers", 1)
    assert told["ok"] == 3
    assert told["reused"] >= 1


@pytest.mark.parametrize("address", ["blah", "tcp://host", "nope://host:1", "tcp://host:1/path"])
def test_what_is_no_address_of_a_scheduler_is_refused(stage: Path, address: str) -> None:
    with pytest.raises(UsageError, match=r"is no address of a Dask scheduler; allowed: tcp://host:port"):
        sweep(stage / "c.json", {"split": "day"}, data=stage / "data", dask=address)


def test_a_cluster_without_workers_is_refused(stage: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("mismartera.sweeps.cluster._WORKERS_SECONDS", 0.1)
    with (
        dask_cluster(0) as (address, _),
        pytest.raises(UsageError, match=f"the Dask cluster at {address} has no workers: start some with"),
    ):
        sweep(stage / "c.json", {"split": "day"}, data=stage / "data", dask=address)


def test_without_the_extra_the_message_says_what_to_install(stage: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "distributed.scheduler", None)
    with pytest.raises(UsageError, match=r"pip install 'mismartera\[dask\]'"):
        sweep(stage / "c.json", {"split": "day"}, data=stage / "data", dask="tcp://127.0.0.1:1")


def test_a_task_whose_workers_keep_dying_is_failed_and_the_others_go_on(stage: Path, cluster: str) -> None:
    grid = {"configs": [{FATE: "none"}, {FATE: "dies"}, {FATE: "raises"}, {FATE: "exits"}, {FATE: "else"}]}
    table = sweep(stage / "c.json", grid, data=stage / "data", dask=cluster)
    assert table["status"].to_list() == ["ok", "failed", "ok", "failed", "ok"]
    assert table["error"][1] == "its worker processes died while it ran, and again when it ran alone"
    assert table["strategy_errors"].to_list()[2] == ["Fated: ValueError: as it was wished"]
    assert table["error"][3] == "a strategy ended the run: SystemExit: enough"
