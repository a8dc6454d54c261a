"""Seeded bars for the benchmarks: a random walk per symbol, 390 one-minute bars a day, some minutes missing if
asked.
"""

from __future__ import annotations

from datetime import date, timedelta
from pathlib import Path

import numpy as np
import polars as pl

from mismartera import DataManager, TimeManager

START = date(2024, 1, 2)


def symbol_names(count: int) -> list[str]:
    """``S00000``, ``S00001`` ..."""
    return [f"S{k:05d}" for k in range(count)]


def session_dates(time: TimeManager, count: int) -> list[date]:
    """The first ``count`` sessions from START on that are not half days."""
    found: list[date] = []
    day = START
    while len(found) < count:
        if time.is_trading_date(day) and not time.get_trading_session(day).is_half_day:
            found.append(day)
        day += timedelta(days=1)
    return found


def make_store(folder: Path, symbols: int, days: int, missing: float = 0.0) -> DataManager:
    """A store with ``days`` sessions of ``symbols`` symbols; made once per folder and set of numbers."""
    path = folder / f"store_{symbols}x{days}_{round(missing * 100)}"
    store = DataManager(path)
    if store.exists():
        return store
    time = TimeManager("XNYS")
    for number, day in enumerate(session_dates(time, days)):
        session = time.get_trading_session(day)
        starts = np.arange(session.open_us, session.close_us, 60_000_000)
        rng = np.random.default_rng([7, number])
        items = [(name, "1m", _walk(rng, starts, missing)) for name in symbol_names(symbols)]
        store.write_many(items, note="benchmark", generated=True)
    return store


def _walk(rng: np.random.Generator, starts: np.ndarray, missing: float) -> pl.DataFrame:
    close = 100.0 + np.cumsum(rng.normal(0.0, 0.02, len(starts)))
    open_ = np.concatenate(([100.0], close[:-1]))
    frame = pl.DataFrame(
        {
            "timestamp": pl.Series(starts).cast(pl.Datetime("us")).dt.replace_time_zone("UTC"),
            "open": open_,
            "high": np.maximum(open_, close) + 0.01,
            "low": np.minimum(open_, close) - 0.01,
            "close": close,
            "volume": rng.integers(1, 1000, len(starts)).astype(np.float64),
        }
    )
    return frame.filter(pl.Series(rng.random(len(starts)) >= missing)) if missing else frame
