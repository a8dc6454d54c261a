"""Runs of small systems for tests of the reports."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

from mismartera import DataManager, SessionConfig, Strategy, SystemManager
from mismartera.bars import Bar
from mismartera.session.ports import EventSink, SessionRecorder

NEW_YORK = ZoneInfo("America/New_York")


def bars(symbol: str, minutes: Sequence[int], day: str = "2024-07-02") -> list[Bar]:
    """One-minute bars at these minutes after 09:30; the price tells the minute."""
    opens = datetime.fromisoformat(f"{day}T09:30:00").replace(tzinfo=NEW_YORK)
    return [
        Bar(symbol, "1m", opens + timedelta(minutes=minute), open=100 + minute, high=101 + minute, low=99 + minute,
            close=100.5 + minute, volume=10.0 + minute)
        for minute in minutes
    ]  # fmt: skip


def store(folder: Path, minutes: Mapping[str, Sequence[int]]) -> DataManager:
    """A store with these bars on 2024-07-02."""
    data = DataManager(folder)
    data.write_many([(symbol, "1m", bars(symbol, at)) for symbol, at in minutes.items()])
    return data


def config(symbols: Sequence[str], **data: Any) -> dict[str, Any]:
    """A backtest of 2024-07-02 with 1m and 5m bars."""
    return {
        "backtest_config": {"start_date": "2024-07-02", "end_date": "2024-07-02"},
        "session_data_config": {"symbols": list(symbols), "streams": ["1m", "5m"], **data},
    }


def run(
    data: DataManager, settings: Mapping[str, Any], *, strategies: Sequence[Strategy] = (),
    sinks: Sequence[EventSink] = (), recorders: Sequence[SessionRecorder] = (),
) -> SystemManager:  # fmt: skip
    """A run from start to end."""
    system = SystemManager(
        SessionConfig.from_dict(dict(settings)), data_manager=data, strategies=strategies, sinks=sinks,
        recorders=recorders,
    )  # fmt: skip
    system.run()
    return system
