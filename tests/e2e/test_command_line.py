"""The command line as a process of its own: signals, pipes, terminals, hash seeds."""

from __future__ import annotations

import json
import os
import pty
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import date
from pathlib import Path
from typing import Any

import pytest
from tests.processes import call

from mismartera import DataManager, TimeManager
from mismartera.catalog import write_sample

LIMIT_SECONDS = 60.0
PYTHON = [sys.executable, "-m", "mismartera"]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a sample store and a configuration in which symbols come and go."""
    folder = tmp_path_factory.mktemp("session")
    time = TimeManager("XNYS")
    days = time.trading_dates(date(2024, 7, 2), date(2024, 7, 3))
    write_sample(DataManager(folder / "data"), [time.get_trading_session(day) for day in days])
    settings = {
        "backtest_config": {"start_date": "2024-07-02", "end_date": "2024-07-03"},
        "session_data_config": {
            "symbols": ["HOTL", "ALFA", "GOLF"], "streams": ["1m", "5m"],
            "indicators": [{"name": "SMA", "interval": "5m", "params": {"timeperiod": 3}}],
        },
        "schedule": [{"at": "2024-07-02T10:00", "add": name} for name in ("ECHO", "DLTA", "BRVO", "NONE")]
        + [{"at": "2024-07-02T14:00", "remove": "ALFA"}],
    }  # fmt: skip
    (folder / "c.json").write_text(json.dumps(settings))
    return folder


def run(args: Sequence[object], folder: Path, **environment: str) -> subprocess.CompletedProcess[str]:
    done = subprocess.run(
        [*PYTHON, *map(str, args)], cwd=folder, capture_output=True, text=True, timeout=LIMIT_SECONDS,
        env=os.environ | environment, check=False,
    )  # fmt: skip
    assert "Traceback" not in done.stdout + done.stderr
    return done


@contextmanager
def started(args: Sequence[object], folder: Path, **options: Any) -> Iterator[subprocess.Popen[str]]:
    """A running command, killed if it hangs."""
    pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE} | options
    with subprocess.Popen([*PYTHON, *map(str, args)], cwd=folder, text=True, **pipes) as process:
        guard = threading.Timer(LIMIT_SECONDS, process.kill)
        guard.start()
        try:
            yield process
        finally:
            guard.cancel()
            process.kill()


def read_until(terminal: int, text: str | None) -> str:
    """What is written to a pseudo-terminal until ``text`` appears, or (None) until its other end is closed."""
    shown = b""
    try:
        while (text is None or text.encode() not in shown) and (chunk := os.read(terminal, 4096)):
            shown += chunk
    except OSError:  # Linux's way to say that the other end is closed
        pass
    if text is None:
        os.close(terminal)
    return shown.decode()


def test_the_same_run_has_the_same_bytes_whatever_the_hash_seed(folder: Path) -> None:
    made = []
    for seed in ("0", "4711"):
        done = run(
            ["run", "c.json", "--events", "same.jsonl", "--dump", "dump", "--report", "r.html", "--quiet"],
            folder, PYTHONHASHSEED=seed,
        )  # fmt: skip
        assert (done.returncode, done.stdout) == (0, "")
        made.append([(folder / name).read_bytes() for name in ("same.jsonl", "r.html")])
        (folder / "dump").rename(folder / f"dump-{seed}")
    assert made[0][0].count(b'"event":"bar"') > 1500
    assert b"<html" in made[0][1]
    assert made[0] == made[1]
    dumps = [
        {file.relative_to(root): file.read_bytes() for file in root.rglob("*.parquet")}
        for root in (folder / "dump-0", folder / "dump-4711")
    ]
    assert len(dumps[0]) == 20
    assert dumps[0] == dumps[1]


def test_a_log_of_events_is_in_order_and_agrees_with_the_summary(folder: Path) -> None:
    summary = call(["run", "c.json", "--events", "e.jsonl", "--json"], folder).json
    events = [json.loads(line) for line in (folder / "e.jsonl").read_text().splitlines()]
    assert [event["seq"] for event in events] == list(range(1, len(events) + 1))
    assert all(list(event) == sorted(event) for event in events)
    times = [event["time"] for event in events]
    assert times == sorted(times)
    assert sum(event["event"] == "bar" for event in events) == summary["bars_delivered"]
    assert (
        [e["symbol"] for e in events if e["event"] == "symbol_failed"]
        == list(summary["symbols_failed"])
        == ["NONE"]
    )
    changes = [e["event"] for e in events if e["event"] in {"session_activated", "session_deactivated"}]
    assert changes == ["session_activated", "session_deactivated"] * (len(changes) // 2)
    assert len(changes) // 2 == summary["activations"] == summary["deactivations"]
    bars = [event for event in events if event["event"] == "bar"]
    assert {(b["end"], b["time"]) for b in bars if b["lag_seconds"] == 0} == {
        (b["end"], b["end"]) for b in bars if b["lag_seconds"] == 0
    }


@pytest.mark.parametrize(("number", "status"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_a_signal_ends_a_run_with_its_files_closed_and_its_summary_printed(
    folder: Path, tmp_path: Path, number: signal.Signals, status: int
) -> None:
    os.mkfifo(tmp_path / "events")
    args = ["run", "c.json", "--speed", "60", "--events", tmp_path / "events", "--json"]
    with started(args, folder) as process, (tmp_path / "events").open() as events:
        lines = [next(line for line in events if '"event":"bar"' in line)]
        process.send_signal(number)
        lines += events
        out, err = process.communicate()
    assert process.returncode == status
    assert all(line.endswith("}\n") for line in lines)
    assert json.loads(lines[-1])["event"] == "session_deactivated"
    assert json.loads(lines[-1])["reason"] == "stopped"
    assert json.loads(out)["sessions"] == 1
    assert 0 < json.loads(out)["bars_streamed"] < 300
    assert err.startswith("interrupted at 2024-07-02 09:3")
    assert err.endswith(" EDT, in session 1 of 2\n")


def test_a_second_signal_ends_a_run_whose_strategy_does_not_return(folder: Path, tmp_path: Path) -> None:
    (tmp_path / "stuck.py").write_text(
        "import sys, threading\nfrom mismartera import Strategy\n\nclass Stuck(Strategy):\n"
        "    def on_bar(self, bar):\n"
        "        print('stuck', flush=True)\n        threading.Event().wait()\n"
    )
    settings = json.loads((folder / "c.json").read_text()) | {
        "analysis": {"strategies": [{"class": "stuck:Stuck"}]}
    }
    (tmp_path / "c.json").write_text(json.dumps(settings))
    main, child = pty.openpty()
    with started(["run", tmp_path / "c.json"], folder, stderr=child) as process:
        os.close(child)
        assert process.stdout is not None
        assert process.stdout.readline() == "stuck\n"
        process.send_signal(signal.SIGINT)
        read_until(main, "again: at once")
        process.send_signal(signal.SIGINT)
        err = read_until(main, None)
        process.communicate()
    assert process.returncode == 130
    assert "a strategy's callback was still running" in err
    assert "Traceback" not in err


def test_an_import_that_is_interrupted_says_what_was_committed(tmp_path: Path) -> None:
    (tmp_path / "in").mkdir()
    for number in range(1500):
        text = "timestamp,open,high,low,close,volume\n2024-07-02T14:00:00Z,1,1,1,1,1\n"
        (tmp_path / "in" / f"S{number}.csv").write_text(text)
    main, child = pty.openpty()
    args = ["data", "import", "in", "--layout", "{symbol}", "--interval", "1m"]
    with started(args, tmp_path, stderr=child) as process:
        os.close(child)
        read_until(main, "starting")
        process.send_signal(signal.SIGINT)
        err = read_until(main, None)
        process.communicate()
    assert process.returncode == 130
    assert "interrupted\r\n  nothing was committed: the store is as it was\r\n" in err
    assert not (tmp_path / "data").exists()


def test_nobody_reading_the_output_is_no_traceback(folder: Path) -> None:
    for args in (["data", "check"], ["run", "c.json"]):
        with started(args, folder) as process:
            assert process.stdout is not None
            process.stdout.close()
            assert process.stderr is not None
            err = process.stderr.read()
        assert process.returncode == 141
        assert err == "" if "run" not in args else "Traceback" not in err


def test_an_output_that_cannot_be_written_is_a_message(folder: Path) -> None:
    with Path("/dev/full").open("w") as full, started(["data", "ls"], folder, stdout=full) as process:
        _, err = process.communicate()
    assert process.returncode == 1
    assert err == "error: No space left on device\n"


def test_progress_is_shown_on_a_terminal_and_nowhere_else(folder: Path) -> None:
    main, child = pty.openpty()
    with started(["run", "c.json", "--json"], folder, stderr=child) as process:
        os.close(child)
        assert process.communicate()[0].startswith("{")
    assert "session 1/2" not in read_until(main, None)
    main, child = pty.openpty()
    with started(["run", "c.json", "--speed", "20000"], folder, stderr=child) as process:
        os.close(child)
        shown = read_until(main, None)
        out = process.communicate()[0]
    assert "session 1/2  2024-07-02 " in shown
    assert "bars/s" in shown
    assert "ETA" in shown
    assert "session" in out
    assert "ETA" not in out


def test_help_does_not_import_what_commands_need(folder: Path) -> None:
    code = (
        "import sys\nfrom mismartera.cli.main import main\n"
        "assert [main([name, '--help']) for name in ('run', 'live')] == [0, 0]\n"
        "heavy = 'polars deltalake numpy pydantic rich loguru talib pandas exchange_calendars'.split()\n"
        "print([name for name in heavy if name in sys.modules], file=sys.stderr)"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=folder, capture_output=True, text=True, timeout=LIMIT_SECONDS, check=True
    )
    assert done.stderr == "[]\n"


def test_the_console_script_is_the_module(folder: Path) -> None:
    script = Path(sys.executable).with_name("mismartera")
    done = subprocess.run(
        [script, "data", "ls"], cwd=folder, capture_output=True, text=True, timeout=LIMIT_SECONDS, check=True
    )
    assert done.stdout == call(["data", "ls"], folder).out
    assert "8 symbols" in done.stdout
