"""``mismartera sweep``: what is refused, and what is shown. Sweeps that run are in tests/integration/sweeps."""

from __future__ import annotations

import io
import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import polars as pl
import pytest
from tests.unit.cli.conftest import Call
from tests.unit.report.sessions import config, store

from mismartera.report.sweep_table import ROWS_SHOWN_MAX, print_sweep, short_names
from mismartera.sweeps import Grid
from mismartera.sweeps.table import make_table, names_of
from mismartera.sweeps.tasks import plan_tasks, read_base
from mismartera.sweeps.work import failed

KEY = "session_data_config.streaming.catchup_threshold_seconds"


@pytest.fixture(autouse=True)
def data(tmp_path: Path) -> None:
    store(tmp_path / "data", {"A": range(390)})
    (tmp_path / "c.json").write_text(json.dumps(config(["A"])))
    write(tmp_path, {"parameters": {KEY: [30, 60]}})


def write(folder: Path, grid: Any) -> None:
    (folder / "g.json").write_text(json.dumps(grid))


def test_a_sweep_prints_its_results_and_keeps_them(call: Call, tmp_path: Path) -> None:
    result = call("sweep", "c.json", "--grid", "g.json", "--workers", "1")
    assert (result.status, result.err) == (0, "")
    assert "catchup_threshold_seconds" in result.out
    assert "2 tasks: 2 ok, 0 failed in" in result.out
    assert "Results: sweeps/c-g/results.parquet" in result.out
    assert pl.read_parquet(tmp_path / "sweeps/c-g/results.parquet")["bars_streamed"].to_list() == [390, 390]
    again = call("sweep", "c.json", "--grid", "g.json", "--quiet")
    assert again == (0, "", ""), "all was finished before: nothing runs, nothing is said"
    told = call("sweep", "c.json", "--grid", "g.json", "--json")
    assert told.err == "2 of 2 tasks were finished before and are not run again (--fresh: all are)\n"
    assert [row[KEY] for row in told.json["results"]] == [30, 60]
    assert told.json["results"][0]["start_date"] == "2024-07-02"


@pytest.mark.parametrize(
    ("args", "what"),
    [
        (["c.json"], "Missing option '--grid'"),
        (["c.json", "--grid", "none.json"], "error: none.json:\n  no such file"),
        (["none.json", "--grid", "g.json"], "error: none.json:\n  no such file"),
        (["c.json", "--grid", "g.json", "--data", "none"], "there is no bar store at none"),
        (["c.json", "--grid", "g.json", "--data", "http://x/y"], "http://x/y is no place for a store"),
        (["c.json", "--grid", "g.json", "--workers", "0"], "Invalid value for '--workers'"),
        (["c.json", "--grid", "g.json", "--workers", "2", "--dask", "tcp://h:1"], "exclude each other"),
        (["c.json", "--grid", "g.json", "--dask", "h:1"], "allowed: tcp://host:port"),
        (["c.json", "--grid", "g.json", "--out", "c.json"], "c.json is a file"),
    ],
)
def test_bad_usage_is_refused(call: Call, args: list[str], what: str) -> None:
    result = call("sweep", *args)
    assert result.status == 2
    assert what in result.err
    assert result.out == ""


def test_all_that_is_wrong_with_a_grid_is_said_with_its_key_paths(call: Call, tmp_path: Path) -> None:
    write(tmp_path, {"parameters": {"x..y": [1], KEY: []}, "splt": "day"})
    result = call("sweep", "c.json", "--grid", "g.json")
    assert result.status == 2
    first, *others = result.err.splitlines()
    assert first == "error: g.json:"
    assert len(others) == 3
    write(tmp_path, {"parameters": {KEY: [0, -1], "session_data_config.symbol": [["A"]]}})
    result = call("sweep", "c.json", "--grid", "g.json")
    assert result.status == 2
    assert 'has no key "symbol"; did you mean "symbols"? allowed: symbols, streams,' in result.err
    write(tmp_path, {"parameters": {KEY: [0, -1, 60]}})
    result = call("sweep", "c.json", "--grid", "g.json")
    assert (result.status, result.err.count(f"  with {KEY} = ")) == (2, 2)
    assert not (tmp_path / "sweeps").exists(), "nothing was run"


def test_a_table_shows_some_rows_and_says_how_many_there_are() -> None:
    strategy = {"class": "mine:Mine"}
    base = read_base(config(["A"]) | {"analysis": {"strategies": [strategy]}})
    values = list(range(1, ROWS_SHOWN_MAX + 4))
    tasks = plan_tasks(base, Grid(parameters={KEY: values, "analysis.strategies": [[strategy]]}))
    table = make_table([(task, failed("broken")) for task in tasks[:-1]], names_of(tasks), 3)
    stream = io.StringIO()
    print_sweep(table, len(tasks), 0, 2.0, stream)
    shown = stream.getvalue()
    assert sum(line.rstrip().endswith("failed") for line in shown.splitlines()) == ROWS_SHOWN_MAX
    assert '[{"class":' in shown
    assert "... and 2 more tasks: the results have them all" in shown
    assert f"{len(tasks)} tasks: 0 ok, {len(tasks) - 1} failed, 1 not run in 2.00 s" in shown


def test_names_are_as_short_as_they_can_be_told_apart() -> None:
    assert short_names(["a.b.c", "a.d", "x.b.c", "y.z"]) == ["a.b.c", "d", "x.b.c", "z"]
    assert short_names([]) == []


def test_the_command_line_starts_without_the_engine() -> None:
    script = "import sys; from mismartera.cli.main import main; main(['sweep', '--help'])\n"
    script += "print([n for n in ('polars', 'deltalake', 'numpy', 'multiprocessing', 'rich') if n in sys.modules])"
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert "--dask ADDRESS" in done.stdout
    assert done.stdout.splitlines()[-1] == "[]"
