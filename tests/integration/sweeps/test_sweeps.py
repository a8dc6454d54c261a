"""Sweeps in a pool of processes: equal to runs by hand, stopped and gone on with, and with tasks that fail."""

from __future__ import annotations

import itertools
import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import polars as pl
import pytest
from tests.integration.sweeps.stage import (
    FATE,
    LIMIT_SECONDS,
    STEP,
    THRESHOLD,
    called,
    make_stage,
    started,
    steady,
    swept,
    write_json,
)
from tests.object_store import BUCKET, serve
from tests.runs import DAY, HALF_DAY, Log

from mismartera import DataManager, SystemManager, sweep
from mismartera.errors import UsageError
from mismartera.sweeps import Grid
from mismartera.sweeps.running import Progress
from mismartera.sweeps.tasks import plan_tasks, read_base

GRID = {"parameters": {STEP: [1, 7], THRESHOLD: [30, 3600]}, "split": "day"}


@pytest.fixture(scope="module")
def stage(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_stage(tmp_path_factory.mktemp("stage"))


@pytest.fixture
def own_stage(tmp_path: Path) -> Path:
    return make_stage(tmp_path)


@pytest.fixture(scope="module")
def table(stage: Path) -> pl.DataFrame:
    return sweep(stage / "c.json", GRID, data=stage / "data", workers=2)


def test_a_sweeps_results_are_those_of_its_runs_by_hand(stage: Path, table: pl.DataFrame) -> None:
    tasks = plan_tasks(read_base(stage / "c.json"), Grid.from_json(GRID))
    assert table["task"].to_list() == list(range(8)) == [task.index for task in tasks]
    for task, row in zip(tasks, table.iter_rows(named=True), strict=True):
        log = Log()
        system = SystemManager(task.config, data_manager=DataManager(stage / "data"), folder=stage, sinks=[log])
        system.run()
        summary = system.summary()
        assert (row["status"], row["error"], row["start_date"]) == ("ok", None, task.start)
        assert (row[STEP], row[THRESHOLD]) == (task.parameters[0][1], task.parameters[1][1])
        for name in (
            "sessions",
            "bars_streamed",
            "bars_delivered",
            "derived_bars",
            "activations",
            "store_version",
        ):
            assert row[name] == summary[name], name
        assert row["symbols_loaded"] == 3
        quality = [day["1m"] for days in summary["quality"].values() for day in days.values()]
        assert row["bars_expected"] == sum(figures["expected"] for figures in quality)
        signals = [fields for name, _, fields in log.events if name == "signal"]
        assert row["signal_count"] == len(signals) > 0
        lasts = {fields["name"]: fields["value"] for fields in signals}
        assert {signal["name"]: signal["last"] for signal in row["signals"]} == lasts
    assert table.filter(start_date=pl.date(2024, 7, 2))["bars_streamed"].unique().to_list() == [3 * 390]


def test_the_command_line_and_any_number_of_workers_give_the_same_table(stage: Path, table: pl.DataFrame) -> None:
    grid = write_json(stage / "grid.json", GRID)
    told, err = swept(stage, "c.json", "--grid", grid, "--workers", 1, "--data", (stage / "data").as_uri())
    assert {key: told[key] for key in ("tasks", "ok", "failed", "reused", "unfinished")} == {
        "tasks": 8, "ok": 8, "failed": 0, "reused": 0, "unfinished": 0,
    }  # fmt: skip
    assert told["results_file"] == "sweeps/c-grid/results.parquet"
    written = pl.read_parquet(stage / told["results_file"])
    assert steady(written).equals(steady(table))
    assert [row["signal_count"] for row in told["results"]] == table["signal_count"].to_list()
    assert "task 7" in err, "what strategies print is on stderr"


def test_a_sweep_on_an_object_store_gives_the_same_table(
    stage: Path, table: pl.DataFrame, monkeypatch: pytest.MonkeyPatch
) -> None:
    with serve(stage, monkeypatch):
        remote = sweep(stage / "c.json", GRID, data=f"s3://{BUCKET}/data", workers=1)
    assert steady(remote).equals(steady(table))


def test_tasks_that_fail_are_reported_and_the_others_go_on(own_stage: Path) -> None:
    make = json.loads((own_stage / "c.json").read_text())
    write_json(own_stage / "c.json", make | {"analysis": make["analysis"] | {"on_strategy_error": "stop"}})
    strategy = "analysis.strategies[0].class"
    grid = {"configs": [
        {FATE: "none"}, {FATE: "raises"}, {FATE: "dies"}, {strategy: "fated:Gone"}, {strategy: "no_such:Mine"},
        {FATE: "exits"}, {"session_data_config.symbols": ["UNKNOWN"], "schedule": []}, {FATE: "fine"},
        {"calendar": "XNYS", "backtest_config.start_date": "1950-01-03"},
    ]}  # fmt: skip
    told, err = swept(own_stage, "c.json", "--grid", write_json(own_stage / "g.json", grid), status=1)
    rows = told["results"]
    assert [row["status"] for row in rows] == ["ok", *["failed"] * 6, "ok", "failed"]
    assert (told["ok"], told["failed"]) == (2, 7)
    for row, error in zip(rows, [
        None, "strategy Fated raised ValueError: as it was wished",
        "its worker process died twice while it ran: killed by SIGKILL (out of memory?)",
        "'Gone' of", "no module 'no_such'", "ended the run: SystemExit: enough", "UNKNOWN", None, "1950",
    ], strict=True):  # fmt: skip
        assert (row["error"] is None) == (error is None)
        assert error is None or error in row["error"]
    assert "error: 7 tasks failed:" in err
    assert f'task 1, {DAY} to {HALF_DAY}, {FATE} = "raises": strategy Fated raised ValueError' in err
    again, err = called(own_stage, "c.json", "--grid", own_stage / "g.json", "--workers", 1, status=1)
    assert "2 of 9 tasks were finished before" in err, "what failed is tried again"
    assert [row["status"] for row in again["results"]] == [row["status"] for row in rows]


def test_a_worker_that_is_killed_costs_no_result(own_stage: Path) -> None:
    grid = {"parameters": {FATE: ["none", "dies once", "else"], STEP: [1, 2]}}
    seen: list[Progress] = []
    table = sweep(own_stage / "c.json", grid, data=own_stage / "data", workers=2, on_progress=seen.append)
    assert (own_stage / "died").exists()
    assert table["status"].to_list() == ["ok"] * 6
    assert table["signal_count"].n_unique() == 2
    assert seen[-1] == Progress(6, 6, 0, 0)


def test_a_strategy_that_raises_is_told_of_and_its_task_is_ok(own_stage: Path) -> None:
    grid = write_json(own_stage / "g.json", {"parameters": {FATE: ["raises", "none"]}})
    told, err = called(own_stage, "c.json", "--grid", grid, "--workers", 1)
    assert [row["strategy_errors"] for row in told["results"]] == [["Fated: ValueError: as it was wished"], []]
    assert "warning: strategies raised in 1 task; the first, in task 0: Fated: ValueError: as it was wished" in err


LONG = {"parameters": {STEP: list(range(1, 31))}}


def test_a_sweep_that_was_killed_goes_on_where_it_was_and_leaves_no_workers(own_stage: Path) -> None:
    grid = write_json(own_stage / "g.json", LONG)
    with started(own_stage, "c.json", "--grid", grid, "--workers", 2) as process:
        assert process.stderr is not None
        tasks = (line for line in process.stderr if line.startswith("task"))
        assert len(list(itertools.islice(tasks, 20))) == 20
        process.kill()
        process.stderr.read()  # ends when the last worker has closed it
        assert process.wait() == -signal.SIGKILL
    kept = (own_stage / "sweeps" / "c-g" / "finished.jsonl").read_bytes().count(b"\n")
    assert 5 <= kept < 30
    told, err = swept(own_stage, "c.json", "--grid", grid, "--workers", 1)
    assert f"{kept} of 30 tasks were finished before and are not run again (--fresh: all are)" in err
    assert (told["reused"], told["ok"]) == (kept, 30)
    assert err.count("task ") == 30 - kept
    gone_on = pl.read_parquet(own_stage / told["results_file"])
    fresh, err = swept(own_stage, "c.json", "--grid", grid, "--fresh", "--workers", 1)
    assert (fresh["reused"], err.count("task ")) == (0, 30)
    uninterrupted = pl.read_parquet(own_stage / fresh["results_file"])
    assert steady(gone_on).equals(steady(uninterrupted))


@pytest.mark.parametrize(("number", "status"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_a_signal_ends_a_sweep_and_says_what_was_done(
    own_stage: Path, number: signal.Signals, status: int
) -> None:
    grid = write_json(own_stage / "g.json", LONG)
    with started(own_stage, "c.json", "--grid", grid, "--workers", 2, "--out", "out") as process:
        assert process.stderr is not None
        tasks = (line for line in process.stderr if line.startswith("task"))
        assert len(list(itertools.islice(tasks, 12))) == 12
        if number == signal.SIGINT:
            os.killpg(process.pid, number)  # as a terminal does it: the workers get it, too
        else:
            process.send_signal(number)
        out, err = process.communicate()
    assert process.returncode == status, err
    assert "Traceback" not in err
    assert "KeyboardInterrupt" not in err
    finished = pl.read_parquet(own_stage / "out" / "results.parquet").height
    assert 0 < finished < 30
    last = err.splitlines()[-1]
    assert last == f"interrupted: {finished} of 30 tasks are done and kept; the same command goes on from there"
    assert f"30 tasks: {finished} ok, 0 failed, {30 - finished} not run" in out
    told, _ = called(own_stage, "c.json", "--grid", grid, "--out", "out", "--workers", 1)
    assert (told["reused"], told["ok"]) == (finished, 30)


def test_two_sweeps_cannot_have_one_folder(own_stage: Path) -> None:
    grid = write_json(own_stage / "g.json", LONG)
    with started(own_stage, "c.json", "--grid", grid, "--out", "out", "--workers", 1) as process:
        assert process.stderr is not None
        assert any(line.startswith("task") for line in process.stderr)
        with pytest.raises(UsageError, match=f"process {process.pid} runs a sweep into"):
            sweep(own_stage / "c.json", LONG, data=own_stage / "data", out=own_stage / "out")


def test_a_script_without_a_guard_is_told_what_to_do(own_stage: Path) -> None:
    script = own_stage / "script.py"
    call = "sweep('c.json', {'split': 'day'}, data='data', workers=1)"
    script.write_text(f"from mismartera import sweep\nprint({call}.height)\n")
    done = subprocess.run(
        [sys.executable, script], cwd=own_stage, capture_output=True, text=True, timeout=LIMIT_SECONDS, check=False
    )
    assert done.returncode == 1
    assert "RunFailedError: worker processes cannot be started" in done.stderr
    assert 'needs its call below if __name__ == "__main__":' in done.stderr
    script.write_text(f"from mismartera import sweep\nif __name__ == '__main__':\n    print({call}.height)\n")
    done = subprocess.run(
        [sys.executable, script], cwd=own_stage, capture_output=True, text=True, timeout=LIMIT_SECONDS, check=True
    )
    assert done.stdout == "2\n"


def test_a_sweep_can_be_called_from_standard_input(own_stage: Path) -> None:
    call = "sweep('c.json', {'split': 'day'}, data='data', workers=1)"
    done = subprocess.run(
        [sys.executable, "-"], cwd=own_stage, capture_output=True, text=True, timeout=LIMIT_SECONDS, check=True,
        input=f"from mismartera import sweep\nprint({call}.height, __file__)\n",
    )  # fmt: skip
    assert done.stdout == "2 <stdin>\n"


def test_an_executor_of_another_version_is_refused(own_stage: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("mismartera.sweeps.running.__version__", "0.0.1")
    table = sweep(own_stage / "c.json", {"split": "day"}, data=own_stage / "data", workers=1)
    assert table["status"].to_list() == ["failed", "failed"]
    assert "the sweep is of 0.0.1: install one of them" in table["error"][0]


def test_what_cannot_be_is_refused_in_python(own_stage: Path) -> None:
    for options, what in (
        ({"workers": 0}, "at least one, not 0"),
        ({"workers": 1.5}, "whole number"),
        ({"workers": True}, "not True"),
        ({"workers": "2"}, "not '2'"),
        ({"out": ""}, "it is empty"),
        ({"workers": 2, "dask": "x"}, "exclude"),
    ):
        with pytest.raises(UsageError, match=what):
            sweep(own_stage / "c.json", {"split": "day"}, data=own_stage / "data", **options)
