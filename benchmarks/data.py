"""Seeded one-minute bars in stores that are made once: 390 bars a day, some of them missing if asked."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date, timedelta
from functools import lru_cache
from os import getpid
from pathlib import Path

import numpy as np
import polars as pl
from deltalake import DeltaTable

from benchmarks.case import Task, Work, symbol_names
from mismartera import DataManager, TimeManager
from mismartera.bars.instants import MINUTE_US
from mismartera.catalog.report import Rejections
from mismartera.timing import TradingSession

START = date(2024, 1, 2)
SEED = 7
DATA_VERSION = 1
"""Part of the stores' names: one more whenever other bars are made."""


@dataclass(frozen=True)
class Store:
    """A store and the sessions that it covers."""

    path: Path
    sessions: tuple[TradingSession, ...]

    def task(self, work: Work, mode: str) -> Task:
        """The task of doing ``work`` on this store."""
        return Task(
            work=work,
            mode=mode,
            store=str(self.path),
            files=tuple(sorted(_files(self.path))),
            dates=tuple(session.date.isoformat() for session in self.sessions),
            opens_us=tuple(session.open_us for session in self.sessions),
            closes_us=tuple(session.close_us for session in self.sessions),
        )


@lru_cache
def full_sessions(count: int) -> tuple[TradingSession, ...]:
    """The first ``count`` sessions of the New York Stock Exchange from START on that are not half days."""
    time = TimeManager("XNYS")
    found: list[TradingSession] = []
    day = START
    while len(found) < count:
        if time.is_trading_date(day) and not (session := time.get_trading_session(day)).is_half_day:
            found.append(session)
        day += timedelta(days=1)
    return tuple(found)


def make_store(folder: Path, symbols: int, days: int, missing: float = 0.0) -> Store:
    """The store of ``symbols`` x ``days``, a share ``missing`` of its bars left out; made if it is not there."""
    sessions = full_sessions(days)
    path = folder / f"bars{DATA_VERSION}_{symbols}x{days}_{round(missing * 100)}"
    if not path.exists():
        # An interrupted run must not leave half a store behind.
        making = folder / f".{path.name}.{getpid()}"
        rng = np.random.default_rng([SEED, symbols, days])
        frames = (("1m", frame) for frame in _days(rng, symbols, sessions, missing))
        DataManager(making).write_frames(frames, rejections=Rejections(), note="benchmark")
        try:
            making.rename(path)
        except OSError:  # another run has made it meanwhile
            shutil.rmtree(making)
    return Store(path, sessions)


def _files(path: Path) -> list[str]:
    return [uri.removeprefix("file://") for uri in DeltaTable(path).file_uris()]


def _days(
    rng: np.random.Generator, symbols: int, sessions: tuple[TradingSession, ...], missing: float
) -> Iterator[pl.DataFrame]:
    """Random walks in cents, a frame a day, sorted by symbol and time: some peers keep prices in fixed point."""
    last = rng.integers(5_000, 50_000, symbols)
    for session in sessions:
        starts = np.arange(session.open_us, session.close_us, MINUTE_US)
        size = len(starts)
        close = np.maximum(last[:, None] + np.cumsum(rng.integers(-4, 5, (symbols, size)), axis=1), 100)
        open_ = np.concatenate((last[:, None], close[:, :-1]), axis=1)
        last = close[:, -1]
        wick = rng.integers(0, 4, (2, symbols, size))
        columns = {
            "open": open_,
            "high": np.maximum(open_, close) + wick[0],
            "low": np.minimum(open_, close) - wick[1],
            "close": close,
        }
        frame = pl.DataFrame(
            {
                "symbol": pl.Series(symbol_names(symbols)).gather(np.repeat(np.arange(symbols), size)),
                "timestamp": pl.Series(np.tile(starts, symbols))
                .cast(pl.Datetime("us"))
                .dt.replace_time_zone("UTC"),
                **{name: np.round(cents.ravel() / 100, 2) for name, cents in columns.items()},
                "volume": rng.integers(1, 1_000, symbols * size).astype(np.float64),
            }
        )
        # A random number for every minute, so that the bars that stay are those of the full store.
        kept = rng.random(symbols * size) >= missing
        yield frame.filter(pl.Series(kept)) if missing else frame
