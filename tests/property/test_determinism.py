"""Determinism (R9, I14): the same run gives the same files, byte for byte, whatever the hash seed of Python."""

from __future__ import annotations

import json
import os
import random
import subprocess
import sys
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import pytest
from tests.property.worlds import priced, run_of, time_of

from mismartera.bars import Bar
from mismartera.bars.instants import MINUTE_US, to_datetime
from mismartera.catalog import DataManager
from mismartera.testing.invariants import breaches, first_difference

SYMBOLS = ("ZEBRA", "ant", "BRK.B", "BTC/USD", "M1")
STRATEGY = """
from mismartera import Strategy

class Rotator(Strategy):
    def on_start(self):
        self.seen = set()
    def on_bar(self, bar):
        self.seen.add(bar.symbol)
        if bar.interval == "5m":
            self.session.emit("close", bar.close)
            self.session.emit("rsi", self.session.indicator(bar.symbol, "RSI_3", "5m"))
    def on_slice(self, slice):
        if len(self.seen) == 3:
            self.session.add_symbol("M1")
            self.session.remove_symbol("ant")

class Broken(Strategy):
    def on_slice(self, slice):
        if slice.size > 4:
            raise RuntimeError("enough")
"""


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A store of two days, a strategy that emits, and the configuration of a run with additions and removals."""
    path = tmp_path_factory.mktemp("determinism")
    days = [date(2024, 7, 2), date(2024, 7, 3)]
    store = DataManager(path / "data")
    store.write_many([(symbol, "1m", bars_of(symbol, days)) for symbol in SYMBOLS])
    streams = ["1m", "5m", "1d"]
    indicator = {"name": "RSI", "interval": "5m", "params": {"timeperiod": 3}}
    data = {
        "symbols": ["ZEBRA", "ant", "NOBODY"],
        "streams": streams,
        "indicators": [indicator],
        "historical": {"data": [{"trailing_days": 1, "intervals": ["1m"]}]},
    }
    schedule: list[dict[str, Any]] = [
        {"at": "2024-07-02T10:00", "add": "BRK.B"},
        {"at": "2024-07-02T10:00", "add": "BTC/USD", "streams": ["5m"]},
        {"at": "2024-07-03T09:45:30", "remove": "ZEBRA"},
        {"at": "2024-07-03T09:46", "add": "ZEBRA"},
    ]
    config = run_of("XNYS", days, data, schedule)
    config["analysis"] = {"strategies": [{"class": "mine:Rotator"}, {"class": "mine:Broken"}]}
    (path / "mine.py").write_text(STRATEGY)
    (path / "config.json").write_text(json.dumps(config))
    return path


def test_two_processes_with_other_hash_seeds_write_the_same_events_and_dumps(folder: Path) -> None:
    first, second = (events_of(folder, seed) for seed in ("1", "4242"))
    assert first == second
    lines = [json.loads(line) for line in first.splitlines()]
    names = {line["event"] for line in lines}
    assert {"bar", "signal", "strategy_error", "symbol_failed", "symbol_removed", "gap"} <= names
    assert breaches(lines, threshold_seconds=60) == []
    one, other = (folder / "dump1", folder / "dump4242")
    files = sorted(path.relative_to(one) for path in one.rglob("*.parquet"))
    assert files == sorted(path.relative_to(other) for path in other.rglob("*.parquet"))
    assert files
    assert all((one / path).read_bytes() == (other / path).read_bytes() for path in files)


def test_the_first_difference_of_two_logs_is_named() -> None:
    line = {"time": "2024-07-02T13:30:00+00:00", "event": "session_opened", "date": "2024-07-02"}
    assert first_difference([line, line], [line, line]) is None
    assert "line 2" in str(first_difference([line, line], [line, line | {"date": "2024-07-03"}]))
    assert "only one log" in str(first_difference([line], [line, line]))


def events_of(folder: Path, seed: str) -> bytes:
    events = folder / f"events{seed}.jsonl"
    command = [sys.executable, "-m", "mismartera", "run", "config.json", "--data", "data", "--quiet"]
    command += ["--events", str(events), "--dump", str(folder / f"dump{seed}")]
    environment = {**os.environ, "PYTHONHASHSEED": seed}
    done = subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return events.read_bytes()


def bars_of(symbol: str, days: list[date]) -> list[Bar]:
    seed = random.Random(symbol)
    sessions = [time_of("XNYS", None).get_trading_session(day) for day in [days[0] - timedelta(days=1), *days]]
    rows = [
        priced(session.open_us + minute * MINUTE_US, seed)
        for session in sessions
        for minute in range(60)
        if seed.random() < 0.9
    ]
    return [
        Bar(symbol, "1m", to_datetime(at), open=open_, high=high, low=low, close=close, volume=volume)
        for at, open_, high, low, close, volume in rows
    ]
