"""Bars for tests of the store."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

import numpy as np
import polars as pl
import pytest

from mismartera.bars import Bar, BarBlock

NEW_YORK = ZoneInfo("America/New_York")
OPEN = datetime(2024, 7, 2, 9, 30, tzinfo=NEW_YORK)
OPEN_US = 1_719_927_000_000_000
MINUTE_US = 60_000_000
DAY_US = 86_400_000_000


def bar(symbol: str, minute: int, price: float = 10.0, volume: float = 100.0) -> Bar:
    moment = OPEN + timedelta(minutes=minute)
    return Bar(symbol, "1m", moment, open=price, high=price + 1, low=price - 1, close=price + 0.5, volume=volume)


def bars(symbol: str, minutes: Sequence[int], price: float = 10.0) -> list[Bar]:
    return [bar(symbol, minute, price) for minute in minutes]


def frame(minutes: Sequence[int], price: float = 10.0) -> pl.DataFrame:
    """The same bars as a frame."""
    price = float(price)
    start = pl.Series(OPEN_US + np.array(minutes, dtype=np.int64) * MINUTE_US).cast(pl.Datetime("us"))
    return pl.DataFrame({"timestamp": start.dt.replace_time_zone("UTC")}).with_columns(
        open=pl.lit(price),
        high=pl.lit(price + 1),
        low=pl.lit(price - 1),
        close=pl.lit(price + 0.5),
        volume=pl.lit(100.0),
    )


def block(minutes: Mapping[str, Sequence[int]], price: float = 10.0) -> BarBlock:
    """The same bars of several symbols, each with its minutes in order."""
    counts = [len(own) for own in minutes.values()]
    start = OPEN_US + np.array([minute for own in minutes.values() for minute in own], dtype=np.int64) * MINUTE_US
    size = len(start)
    opens = np.full(size, price)
    return BarBlock(
        tuple(minutes), np.concatenate(([0], np.cumsum(counts, dtype=np.int64))), start,
        opens, opens + 1.0, opens - 1.0, opens + 0.5, np.full(size, 100.0),
    )  # fmt: skip


def held(found: BarBlock) -> dict[tuple[str, int], float]:
    """The opens of a block by symbol and minute; every key is there once, by symbol and time."""
    keys = [
        (owner, int((start - OPEN_US) // MINUTE_US))
        for owner, start in zip(found.row_symbols().tolist(), found.start.tolist(), strict=True)
    ]
    assert keys == sorted(set(keys))
    return {(found.symbols[owner], minute): price for (owner, minute), price in zip(keys, found.open, strict=True)}


def starts(block: BarBlock, symbol: str) -> list[int]:
    """Minutes after the open of the bars of one symbol in a block."""
    index = block.symbols.index(symbol)
    part = block.start[block.offsets[index] : block.offsets[index + 1]]
    return [int(us) for us in (part - OPEN_US) // MINUTE_US]


def data_files(store: Path) -> list[Path]:
    """The Parquet files that lie in a store's folder."""
    return sorted(store.glob("interval=*/date=*/*.parquet"))


def real_data() -> Path:
    """The folder with recorded market data, or skip the test."""
    default = Path(__file__).parents[3] / ".." / "shared" / "data"
    folder = Path(os.environ.get("MISMARTERA_REAL_DATA", default)).resolve()
    if not (folder / "bars").is_dir():
        pytest.skip(f"no recorded market data at {folder}: set MISMARTERA_REAL_DATA")
    return folder
