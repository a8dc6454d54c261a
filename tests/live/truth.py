"""What a live run must end with: a backtest of all that the vendor knows by then."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from tests.runs import clock_time, us

from mismartera import Bar, DataManager, SessionConfig, SystemManager
from mismartera.bars.instants import MINUTE_US, to_datetime
from mismartera.testing.alpaca_market import AlpacaMarket
from mismartera.testing.memory import DumpKey, MemoryDumps

Tables = Mapping[DumpKey, Sequence[Mapping[str, Any]]]


def known(market: AlpacaMarket, symbols: Iterable[str], day: str, until_us: int, at_us: int) -> list[Bar]:
    """What REST knows at ``at_us`` of the minutes of ``day`` that end by ``until_us``, as bars of the store."""
    return [
        Bar(
            bar.symbol, "1m", to_datetime(bar.start_us), open=bar.open, high=bar.high, low=bar.low,
            close=bar.close, volume=bar.volume,
        )
        for symbol in symbols
        for bar in market.bars(symbol, us("00:00", day), until_us - MINUTE_US, at_us)
    ]  # fmt: skip


def store(path: Path, bars: Sequence[Bar]) -> DataManager:
    """A store with these bars."""
    data = DataManager(path)
    symbols = dict.fromkeys(bar.symbol for bar in bars)
    data.write_many([(symbol, "1m", [bar for bar in bars if bar.symbol == symbol]) for symbol in symbols])
    return data


def backtest(data: DataManager, session_data: Mapping[str, Any], day: str) -> Tables:
    """What a backtest of ``day`` dumps."""
    dumps = MemoryDumps()
    config = SessionConfig.from_dict({
        "backtest_config": {"start_date": day, "end_date": day}, "session_data_config": dict(session_data),
    })  # fmt: skip
    SystemManager(config, data_manager=data, recorders=[dumps]).run()
    return dumps.tables


def differences(live: Tables, tested: Tables, until_us: int) -> list[str]:
    """Where a live dump is not, bit for bit, what a backtest has of the time until ``until_us``."""
    found = []
    for key, rows in live.items():
        length_us = int(key[2].removesuffix("m")) * MINUTE_US
        expected = [row for row in tested.get(key, ()) if row["timestamp"] + length_us <= until_us]
        for row, wanted in zip(rows, expected, strict=False):
            if row != wanted:
                found.append(f"{key} {clock_time(wanted['timestamp'])}: {row} is not {wanted}")
                break
        if len(rows) != len(expected):
            missing = {row["timestamp"] for row in expected} ^ {row["timestamp"] for row in rows}
            found.append(f"{key}: {len(rows)} bars, not {len(expected)}: {sorted(map(clock_time, missing))[:5]}")
    return found
