"""A bridge and two sessions as users run them, in processes of their own: a rehearsal of a recorded half hour."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator, Mapping
from datetime import date
from pathlib import Path
from typing import Any

import polars as pl
import pytest
from tests.processes import call

from mismartera import DataManager, SessionConfig, SystemManager, TimeManager
from mismartera.catalog import write_sample
from mismartera.report.dump import SessionDump
from mismartera.testing.nats_server import NatsServer

PYTHON = [sys.executable, "-m", "mismartera"]
CLOCK = "2024-07-03T12:40@120"
LIMIT_SECONDS = 120.0
SECRET = {"MISMARTERA_NATS_TOKEN": "canary-token"}
DATA = {"streams": ["1m", "5m"], "indicators": [{"name": "SMA", "interval": "5m", "params": {"timeperiod": 3}}]}


class Bus:
    """A folder with a recorded day, a server, and the processes that run on it."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        time = TimeManager("XNYS")
        days = time.trading_dates(date(2024, 7, 2), date(2024, 7, 3))
        write_sample(DataManager(folder / "sample"), [time.get_trading_session(day) for day in days])
        self.server = NatsServer(folder / "nats", {"authorization": {"token": "canary-token"}})
        self.server.start()
        self.processes: list[subprocess.Popen[str]] = []

    def write(self, name: str, *symbols: str, **sections: Any) -> str:
        settings = {"mode": "live", "session_data_config": {"symbols": list(symbols), **DATA}, **sections}
        (self.folder / name).write_text(json.dumps(settings))
        return name

    def session(self, name: str, *symbols: str) -> str:
        return self.write(name, *symbols, feed={"type": "nats", "url": self.server.url})

    def bridge(self, *symbols: str, **bridge: Any) -> str:
        feed = {
            "type": "replay", "date": "2024-07-03",
            "faults": [{"kind": "drop", "at": "12:47", "until": "12:49"}],
        }  # fmt: skip
        return self.write("bridge.json", *symbols, feed=feed, bridge={"url": self.server.url, **bridge})

    def start(self, *arguments: str, environ: Mapping[str, str] = SECRET) -> subprocess.Popen[str]:
        process = subprocess.Popen(
            [*PYTHON, *arguments], cwd=self.folder, env=os.environ | environ, stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
        )  # fmt: skip
        self.processes.append(process)
        return process

    def end(self, process: subprocess.Popen[str], status: int = 0) -> tuple[str, str]:
        out, err = process.communicate(timeout=LIMIT_SECONDS)
        assert process.returncode == status, err
        assert "Traceback" not in err
        assert "canary" not in out + err
        return out, err

    def backtest(self, *symbols: str) -> Path:
        """The dump of the whole day."""
        config = SessionConfig.from_dict({
            "backtest_config": {"start_date": "2024-07-03", "end_date": "2024-07-03"},
            "session_data_config": {"symbols": list(symbols), **DATA},
        })  # fmt: skip
        dump = SessionDump(self.folder / "tested")
        dump.prepare()
        SystemManager(config, data_manager=DataManager(self.folder / "sample"), recorders=[dump]).run()
        return self.folder / "tested"

    def close(self) -> None:
        for process in self.processes:
            process.kill()
            with process:  # closes its pipes
                process.wait()
        self.server.stop()


@pytest.fixture
def bus(tmp_path: Path) -> Iterator[Bus]:
    made = Bus(tmp_path)
    yield made
    made.close()


@pytest.mark.flaky(reruns=2)
def test_two_sessions_on_a_bridge_end_with_the_dump_of_a_backtest(bus: Bus) -> None:
    bridge = bus.start(
        "bridge",
        bus.bridge(),
        "--data",
        "sample",
        "--clock",
        CLOCK,
        "--until",
        "15:00",
        "--json",
        "--log-level",
        "INFO",
    )
    shared = {"one": ("ALFA", "BRVO"), "two": ("BRVO", "CHRL")}
    sessions = [
        bus.start(
            "live", bus.session(f"{name}.json", *symbols), "--data", name, "--clock", CLOCK, "--until", "13:00",
            "--events", f"{name}.jsonl", "--dump", f"{name}-dump", "--json",
        )
        for name, symbols in shared.items()
    ]  # fmt: skip
    for session in sessions:
        bus.end(session)
    bridge.send_signal(signal.SIGTERM)
    out, err = bus.end(bridge, status=143)
    assert "the script drops the connection" in err
    assert json.loads(out)["backfills"] >= 4
    tested = bus.backtest("ALFA", "BRVO", "CHRL")
    for name, symbols in shared.items():
        events = (bus.folder / f"{name}.jsonl").read_text()
        assert '"reason":"the script drops the connection"' in events
        for symbol in symbols:
            for interval in ("1m", "5m"):
                place = Path("2024-07-03", symbol, f"{interval}.parquet")
                assert pl.read_parquet(bus.folder / f"{name}-dump" / place).equals(pl.read_parquet(tested / place))


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM], ids=["ctrl-c", "sigterm"])
def test_a_bridge_that_nobody_asked_anything_ends_cleanly(bus: Bus, number: signal.Signals) -> None:
    bridge = bus.start("bridge", bus.bridge(), "--data", "sample", "--clock", CLOCK, "--log-level", "INFO")
    assert bridge.stderr is not None
    told = [bridge.stderr.readline() for _ in range(2)]
    assert "no symbols are configured: nothing is published until a session wants some" in told[0]
    assert "the vendor is connected" in told[1]
    bridge.send_signal(number)
    out, err = bus.end(bridge, status=128 + number)
    assert "interrupted at 2024-07-03 12:" in err
    assert out.splitlines()[0].split() == ["stream", "mismartera"]


def test_a_bridge_ends_at_its_time_and_publishes_its_own_symbols_meanwhile(bus: Bus) -> None:
    path = bus.bridge("ALFA", "NOPE", stream="half-day", max_megabytes=1)
    out, err = bus.end(
        bus.start("bridge", path, "--data", "sample", "--clock", CLOCK, "--until", "12:46", "--json")
    )
    summary = json.loads(out)
    assert (summary["stream"], summary["symbols"]) == ("half-day", 1)
    assert summary["bars"] >= 4
    assert err == ""


def test_credentials_that_are_refused_are_told_once_on_each_side(bus: Bus) -> None:
    wrong = {"MISMARTERA_NATS_TOKEN": "canary-wrong"}
    for command in (
        ["bridge", bus.bridge("ALFA"), "--data", "sample", "--quiet"],
        ["live", bus.session("one.json", "ALFA"), "--data", "one", "--quiet"],
    ):
        done = call(command, bus.folder, status=1, environ=os.environ | wrong)
        assert done.err.count("does not take our credentials") >= 1
        assert "canary" not in done.out + done.err
