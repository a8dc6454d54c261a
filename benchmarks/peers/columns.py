"""The store's Parquet files, read for a peer: one symbol's columns after the other."""

from __future__ import annotations

from collections.abc import Iterator

import polars as pl

from benchmarks.case import Task

PRICES = ("open", "high", "low", "close", "volume")


def read_minutes(task: Task) -> pl.DataFrame:
    """All bars of the task by symbol and time: ``symbol``, ``timestamp`` (UTC, microseconds), prices, volume."""
    return pl.read_parquet(list(task.files)).sort("symbol", "timestamp", maintain_order=True)


def by_symbol(task: Task) -> Iterator[tuple[str, pl.DataFrame]]:
    """Each symbol with its bars, by time."""
    for frame in read_minutes(task).partition_by("symbol", maintain_order=True):
        yield frame["symbol"][0], frame
