"""Backtests over the recorded data, for the tests that judge them."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
from tests.property.helpers import EngineResult, run_engine
from tests.unit.catalog.helpers import real_data

from mismartera.catalog import DataManager, import_files
from mismartera.config import SessionConfig

INDICATORS = [
    {"name": "SMA", "interval": "5m", "params": {"timeperiod": 20}},
    {"name": "RSI", "interval": "5m", "params": {"timeperiod": 14}},
    {"name": "MACD", "interval": "5m"},
]


def import_all(temporary: pytest.TempPathFactory) -> tuple[Path, DataManager]:
    """The folder of the recorded data and a store with all of them; skips the test where they are absent."""
    folder = real_data()
    store = DataManager(temporary.mktemp("real") / "store")
    report = import_files(store, [folder / "bars"])
    assert report.rejected == 0
    assert report.failed_files == ()
    return folder, store


def config(
    symbols: Sequence[str], days: tuple[str, str], streams: Sequence[str] = ("1m", "5m", "1d"),
    *, group: str = "US_EQUITY", schedule: Sequence[dict[str, Any]] = (), **data: Any,
) -> SessionConfig:  # fmt: skip
    return SessionConfig.from_dict({
        "exchange_group": group, "backtest_config": {"start_date": days[0], "end_date": days[1]},
        "session_data_config": {"symbols": list(symbols), "streams": list(streams), **data},
        "schedule": list(schedule),
    })  # fmt: skip


def backtest(store: DataManager, *args: Any, **data: Any) -> EngineResult:
    return run_engine(config(*args, **data), store)
