"""The floors: the same work with nothing but Python, NumPy or Polars, and none of what an engine is for."""

from __future__ import annotations

from operator import attrgetter
from typing import NamedTuple

import numpy as np
import polars as pl

from benchmarks.case import Measured, Task
from benchmarks.measure import Watch


class ReadyBar(NamedTuple):
    """A bar of the ready list."""

    symbol: str
    start_us: int
    close: float


class Counter:
    """The user's work of W1."""

    def __init__(self) -> None:
        self.bars = 0
        self.closes = 0.0

    def on_bar(self, bar: ReadyBar) -> None:
        self.bars += 1
        self.closes += bar.close


def run(task: Task) -> Measured:
    """Do a task's work. Modes: ``callback``, ``numpy``, ``polars``."""
    return {"callback": callback, "numpy": merge, "polars": batch}[task.mode](task)


def callback(task: Task) -> Measured:
    """A Python callback over a list of bars that is ready and in order."""
    load = Watch()
    frame = pl.read_parquet(list(task.files), columns=["symbol", "timestamp", "close"])
    starts = frame["timestamp"].to_physical().to_list()
    bars = [
        ReadyBar(*row) for row in zip(frame["symbol"].to_list(), starts, frame["close"].to_list(), strict=True)
    ]
    bars.sort(key=attrgetter("start_us"))
    load_cpu, load_wall = load.seconds()
    counter = Counter()
    on_bar = counter.on_bar
    watch = Watch()
    for bar in bars:
        on_bar(bar)
    cpu, wall = watch.seconds()
    return Measured(
        counter.bars, counter.closes, cpu_seconds=cpu, wall_seconds=wall,
        load_cpu_seconds=load_cpu, load_wall_seconds=load_wall,
    )  # fmt: skip


def merge(task: Task) -> Measured:
    """NumPy: one stable sort of each day's columns by time, and the closes summed instant by instant."""
    load = Watch()
    frames = [pl.read_parquet(file) for file in task.files]
    load_cpu, load_wall = load.seconds()
    watch = Watch()
    bars, closes = 0, 0.0
    for frame, open_us in zip(frames, task.opens_us, strict=True):
        minute = (frame["timestamp"].to_physical().to_numpy() - open_us) // 60_000_000
        order = np.argsort(minute.astype(np.uint16), kind="stable")
        columns = [frame[name].to_numpy()[order] for name in ("open", "high", "low", "close", "volume")]
        firsts = np.flatnonzero(np.diff(minute[order], prepend=-1))
        bars += len(order)
        closes += float(np.add.reduceat(columns[3], firsts).sum())
    cpu, wall = watch.seconds()
    return Measured(
        bars, closes, cpu_seconds=cpu, wall_seconds=wall, load_cpu_seconds=load_cpu, load_wall_seconds=load_wall
    )


def batch(task: Task) -> Measured:
    """Polars: everything at once, the read included, with no notion of time passing."""
    assert all(open_us % 900_000_000 == 0 for open_us in task.opens_us), "windows are cut at the hour's quarters"
    watch = Watch()
    minutes = pl.read_parquet(list(task.files))
    fives = _bars_of(minutes, "5m", pl.len())
    # Longer bars from shorter ones: a third less than from the minutes again.
    fifteens = _bars_of(fives, "15m", pl.col("bar_count").sum()) if task.work.workload != "W5" else fives.clear()
    last = (
        fives.with_columns(sma=pl.col("close").rolling_mean(20).over("symbol", pl.col("timestamp").dt.date()))
        .group_by("symbol")
        .agg(pl.col("sma").last())
    )
    closes, sma = float(minutes["close"].sum()), float(last["sma"].sum())
    cpu, wall = watch.seconds()
    return Measured(
        minutes.height, closes, fives.height + fifteens.height, sma, cpu_seconds=cpu, wall_seconds=wall
    )


def _bars_of(bars: pl.DataFrame, length: str, bar_count: pl.Expr) -> pl.DataFrame:
    """Bars of ``length``, in the order of the shorter ones: by date, symbol and time."""
    return (
        bars.lazy()
        .group_by("symbol", pl.col("timestamp").dt.truncate(length), maintain_order=True)
        .agg(
            pl.col("open").first(),
            pl.col("high").max(),
            pl.col("low").min(),
            pl.col("close").last(),
            pl.col("volume").sum(),
            bar_count.alias("bar_count"),
        )
        .collect()
    )
