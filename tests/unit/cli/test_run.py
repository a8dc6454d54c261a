"""``mismartera run``, in this process: output, files and every exit status but that of signals."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import polars as pl
import pytest
from tests.unit.cli.conftest import Call
from tests.unit.report.sessions import config, store

SUMMARY_KEYS = {
    "sessions", "bars_streamed", "bars_delivered", "derived_bars", "deactivations", "activations",
    "symbols_loaded", "symbols_failed", "counts", "quality", "strategy_errors", "store_version", "wall_seconds",
    "bars_per_second",
}  # fmt: skip


@pytest.fixture(autouse=True)
def data(tmp_path: Path) -> None:
    store(tmp_path / "data", {"A": range(390), "B": range(390)})


def write(path: Path, settings: dict[str, Any]) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(settings))
    return path


def with_strategy(tmp_path: Path, body: str, name: str, **analysis: Any) -> Path:
    """A configuration whose strategy raises or prints ``body`` on its first bar."""
    folder = tmp_path / "conf"
    folder.mkdir(exist_ok=True)
    (folder / f"{name}.py").write_text(
        "import sys\nfrom mismartera import Strategy\n\n"
        f"class Mine(Strategy):\n    def on_bar(self, bar):\n        {body}\n"
    )
    return write(
        folder / "c.json", config(["A"]) | {"analysis": {"strategies": [{"class": f"{name}:Mine"}], **analysis}}
    )


def test_json_is_one_object_with_the_keys_of_the_summary(call: Call, tmp_path: Path) -> None:
    result = call("run", write(tmp_path / "c.json", config(["A", "B"])), "--json")
    assert (result.status, result.err) == (0, "")
    summary = result.json
    assert set(summary) == SUMMARY_KEYS
    assert summary["sessions"] == 1
    assert summary["bars_streamed"] == 780
    assert summary["derived_bars"] == 156
    assert summary["bars_delivered"] == 936
    assert summary["symbols_loaded"] == ["A", "B"]
    assert summary["quality"]["A"] == {"2024-07-02": {"1m": {"expected": 390, "present": 390, "percent": 100.0}}}


def test_without_json_there_is_a_table_and_with_quiet_nothing(call: Call, tmp_path: Path) -> None:
    path = write(tmp_path / "c.json", config(["A"]))
    result = call("run", path)
    assert (result.status, result.err) == (0, "")
    assert "1 session: 390 bars streamed, 78 derived, 468 delivered" in result.out
    assert call("run", path, "--quiet") == (0, "", "")


def test_events_and_dump_are_written(call: Call, tmp_path: Path) -> None:
    result = call(
        "run", write(tmp_path / "c.json", config(["A"])), "--events", "e.jsonl", "--dump", "out", "--quiet"
    )
    assert result == (0, "", "")
    events = [json.loads(line) for line in (tmp_path / "e.jsonl").read_text().splitlines()]
    assert [event["seq"] for event in events] == list(range(1, len(events) + 1))
    assert [event["event"] for event in events[:4]] == [
        "session_opened", "symbol_pending", "symbol_loaded", "session_activated",
    ]  # fmt: skip
    assert sum(event["event"] == "bar" for event in events) == 468
    assert pl.read_parquet(tmp_path / "out" / "2024-07-02" / "A" / "1m.parquet").height == 390
    again = call("run", tmp_path / "c.json", "--dump", "out", "--quiet")
    assert "WARNING: the dump folder out is not empty" in again.err


def test_the_log_goes_to_stderr_and_to_a_file(call: Call, tmp_path: Path) -> None:
    path = write(tmp_path / "c.json", config(["A"]))
    result = call("run", path, "--quiet", "--log-level", "info", "--log-file", "run.log")
    assert "INFO: 2024-07-02 09:30:00 EDT session 2024-07-02 opened" in result.err
    assert call("run", path, "--quiet", "--log-file", "quiet.log").err == ""
    logs = [(tmp_path / name).read_text().count("session 2024-07-02 opened") for name in ("run.log", "quiet.log")]
    assert logs == [1, 1]


def test_an_entry_after_the_last_session_is_warned_of(call: Call, tmp_path: Path) -> None:
    settings = config(["A"]) | {"schedule": [{"at": "2024-07-02T20:00", "add": "B"}]}
    result = call("run", write(tmp_path / "c.json", settings), "--quiet")
    assert result.status == 0
    assert "WARNING: schedule[0] (add B at 2024-07-02T20:00:00) lies after the last session" in result.err


def test_a_version_of_the_store_can_be_pinned(call: Call, tmp_path: Path) -> None:
    path = write(tmp_path / "c.json", config(["B"]))
    store(tmp_path / "data", {"B": [390]})
    assert [call("run", path, "--json", "--store-version", n).json["store_version"] for n in (1, 2)] == [1, 2]
    result = call("run", path, "--store-version", 9)
    assert (result.status, result.err) == (2, "error: the store data has no version 9: allowed are 0 to 2\n")


def test_speed_replaces_that_of_the_configuration(call: Call, tmp_path: Path) -> None:
    settings = config(["A"]) | {
        "backtest_config": {"start_date": "2024-07-02", "end_date": "2024-07-02", "speed_multiplier": 1}
    }
    assert call("run", write(tmp_path / "c.json", settings), "--quiet", "--speed", "0").status == 0
    result = call("run", tmp_path / "c.json", "--speed", "-1")
    assert result.status == 2
    assert "backtest_config.speed_multiplier: -1 is below the minimum; allowed: 0 to 1,000,000" in result.err


def test_all_problems_of_a_configuration_are_named_one_a_line(call: Call, tmp_path: Path) -> None:
    settings = config(["A"], streaming={"catchup_threshold_seconds": 0, "catchup_check_interval": 101})
    result = call("run", write(tmp_path / "c.json", settings), "--json")
    assert (result.status, result.out) == (2, "")
    head, *problems = result.err.splitlines()
    assert head == f"error: {tmp_path / 'c.json'}:"
    assert [line.split(":")[0] for line in problems] == [
        "  session_data_config.streaming.catchup_threshold_seconds",
        "  session_data_config.streaming.catchup_check_interval",
    ]


def test_a_missing_store_says_how_to_make_one(call: Call, tmp_path: Path) -> None:
    result = call("run", write(tmp_path / "c.json", config(["A"])), "--data", "nowhere")
    assert result.status == 2
    assert "there is no bar store at nowhere: make one with 'mismartera data import'" in result.err


def test_files_that_cannot_be_written_are_told_before_the_run_and_an_older_log_survives_it(
    call: Call, tmp_path: Path
) -> None:
    path = write(tmp_path / "c.json", config(["A"]))
    (tmp_path / "e.jsonl").write_text("older\n")
    for options in (["--events", "no/e.jsonl"], ["--events", "e.jsonl", "--dump", "c.json/d"],
                    ["--events", "e.jsonl", "--log-file", "c.json/x.log"]):  # fmt: skip
        result = call("run", path, *options)
        assert (result.status, result.out) == (2, "")
        assert "cannot be written" in result.err
    assert (tmp_path / "e.jsonl").read_text() == "older\n"


def test_a_disk_that_is_full_fails_the_run_and_the_summary_is_printed(call: Call, tmp_path: Path) -> None:
    result = call("run", write(tmp_path / "c.json", config(["A"])), "--events", "/dev/full", "--json")
    assert result.status == 1
    assert (
        result.err == "error: the run failed: the events cannot be written to /dev/full: No space left on device\n"
    )
    assert set(result.json) == SUMMARY_KEYS


def test_a_run_without_any_symbol_that_loads_fails(call: Call, tmp_path: Path) -> None:
    result = call("run", write(tmp_path / "c.json", config(["NONE"])), "--json")
    assert result.status == 1
    assert "error: the run failed: NONE failed: NONE is unknown to the store" in result.err
    assert result.json["symbols_failed"] == {"NONE": "NONE is unknown to the store"}


def test_a_strategy_that_raises_is_named_and_the_run_goes_on(call: Call, tmp_path: Path) -> None:
    result = call("run", with_strategy(tmp_path, "1 / 0", "raising"), "--json")
    assert result.status == 0
    assert result.json["strategy_errors"] == [{"strategy": "Mine", "error": "ZeroDivisionError: division by zero"}]
    assert result.json["bars_streamed"] == 390
    assert "strategy Mine raised ZeroDivisionError: division by zero" in result.err
    assert "raising.py:6 in on_bar" in result.err


def test_a_strategy_that_raises_ends_the_run_if_the_configuration_says_so(call: Call, tmp_path: Path) -> None:
    result = call("run", with_strategy(tmp_path, "1 / 0", "stopping", on_strategy_error="stop"), "--json")
    assert result.status == 1
    assert "error: the run failed: strategy Mine raised ZeroDivisionError" in result.err
    assert result.json["bars_streamed"] == 1


@pytest.mark.parametrize(
    ("body", "status", "message"),
    [("sys.exit()", 0, ""), ("sys.exit(0)", 0, ""), ("sys.exit(7)", 7, ""),
     ("sys.exit('enough')", 1, "a strategy ended the run: enough\n"),
     ("raise KeyboardInterrupt", 130, "interrupted by a strategy\n")],
)  # fmt: skip
def test_a_strategy_ends_the_run_as_it_would_end_a_script(
    call: Call, tmp_path: Path, body: str, status: int, message: str
) -> None:
    path = with_strategy(tmp_path, body, f"exiting_{status}_{len(body)}")
    result = call("run", path, "--json", "--events", "e.jsonl")
    assert (result.status, result.err) == (status, message)
    assert result.json["bars_streamed"] == 1
    assert (tmp_path / "e.jsonl").read_text().endswith("\n")


def test_what_strategies_print_does_not_disturb_the_json(call: Call, tmp_path: Path) -> None:
    result = call("run", with_strategy(tmp_path, "print('hello')", "printing"), "--json")
    assert set(result.json) == SUMMARY_KEYS
    assert result.err.count("hello\n") == 468


@pytest.mark.parametrize(
    ("strategy", "problem"),
    [("nowhere:X", "no module 'nowhere'"), ("broken:X", "raised NameError"), ("printing_none:X", "'X'")],
)
def test_a_strategy_that_cannot_be_imported_is_named(
    call: Call, tmp_path: Path, strategy: str, problem: str
) -> None:
    (tmp_path / "broken.py").write_text("undefined_name\n")
    (tmp_path / "printing_none.py").write_text("")
    settings = config(["A"]) | {"analysis": {"strategies": [{"class": strategy}]}}
    result = call("run", write(tmp_path / "c.json", settings), "--events", "e.jsonl")
    assert result.status == 2
    assert "analysis.strategies[0].class: " in result.err
    assert problem in result.err
    assert not (tmp_path / "e.jsonl").exists()


def test_a_strategy_module_that_ends_the_process_is_bad_input(call: Call, tmp_path: Path) -> None:
    (tmp_path / "ending.py").write_text("raise SystemExit(0)\n")
    settings = config(["A"]) | {"analysis": {"strategies": [{"class": "ending:X"}]}}
    result = call("run", write(tmp_path / "c.json", settings))
    assert result.status == 2
    assert "SystemExit" in result.err


def test_a_run_goes_on_without_a_damaged_file_and_says_so(call: Call, tmp_path: Path) -> None:
    """D05: the other day's bars are streamed, and the quality tells what is missing."""
    store(tmp_path / "data", {"A": range(1440, 1830), "B": range(1440, 1830)})
    broken = next((tmp_path / "data").glob("interval=1m/date=2024-07-02/*.parquet"))
    broken.write_bytes(broken.read_bytes()[:-100])
    settings = config(["A", "B"])
    settings["backtest_config"] = {"start_date": "2024-07-02", "end_date": "2024-07-03"}
    result = call("run", write(tmp_path / "c.json", settings), "--json")
    assert result.status == 0
    assert f"{broken.relative_to(tmp_path)} (1m bars of 2024-07-02, symbols A to B) is damaged" in result.err
    assert "data check --repair" in result.err
    assert result.json["bars_streamed"] == 420, "a half day"
    assert result.json["quality"]["A"]["2024-07-02"]["1m"]["present"] == 0


def test_what_we_refuse_is_told_with_the_line_of_the_strategy_that_asked(call: Call, tmp_path: Path) -> None:
    done = call("run", with_strategy(tmp_path, "self.session.emit(5)", "amounts"), "--quiet")
    assert f"raised at {tmp_path / 'conf' / 'amounts.py'}:6 in on_bar" in done.err


def test_a_speed_beyond_all_clocks_is_refused_with_what_is_allowed(call: Call, tmp_path: Path) -> None:
    done = call("run", write(tmp_path / "c.json", config(["A"])), "--quiet", "--speed", "1e18")
    assert done.status == 2
    assert "speed_multiplier: 1e+18 is above the maximum; allowed: 0 to 1,000,000" in done.err
