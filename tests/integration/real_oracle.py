"""An independent reading of the recorded data: plain Polars, exchange_calendars and TA-Lib, nothing of ours."""

from __future__ import annotations

import csv
import warnings
from collections.abc import Sequence
from functools import lru_cache
from pathlib import Path
from typing import Any

import exchange_calendars as xcals
import numpy as np
import polars as pl
import talib

Rows = list[dict[str, Any]]
PRICES = ("open", "high", "low", "close", "volume")
_CALENDARS = {"US_EQUITY": "XNYS", "HK_EQUITY": "XHKG", "CRYPTO": "24/7"}


@lru_cache(maxsize=8)
def calendar(group: str) -> Any:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # exchange_calendars uses what the newest pandas is about to drop
        return xcals.get_calendar(_CALENDARS[group], start="2010-01-01", end="2026-01-01")


def parts(group: str, day: str) -> list[tuple[int, int]]:
    """The continuous parts of a session in microseconds of UTC, by exchange_calendars itself."""
    schedule = calendar(group)
    ends = [schedule.session_open(day), schedule.session_close(day)]
    if schedule.session_has_break(day):
        ends[1:1] = [schedule.session_break_start(day), schedule.session_break_end(day)]
    edges = [int(end.value // 1000) for end in ends]
    return list(zip(edges[::2], edges[1::2], strict=True))


def stored(folder: Path, symbol: str, day: str, interval: str = "1m") -> pl.DataFrame:
    """A file as it is, with ``timestamp`` in microseconds; no rows where there is no file."""
    path = folder / "bars" / symbol / interval / f"{day}.parquet"
    if not path.exists():
        return pl.DataFrame(schema={"timestamp": pl.Int64, **dict.fromkeys(PRICES, pl.Float64)})
    return pl.read_parquet(path).with_columns(pl.col("timestamp").cast(pl.Int64))


def inside(frame: pl.DataFrame, spans: Sequence[tuple[int, int]]) -> pl.DataFrame:
    """The bars that start in one of ``spans``."""
    at = pl.col("timestamp")
    return frame.filter(pl.any_horizontal([(at >= first) & (at < last) for first, last in spans]))


def resampled(frame: pl.DataFrame, spans: Sequence[tuple[int, int]], minutes: int) -> pl.DataFrame:
    """Bars of ``minutes`` minutes, anchored at the start of each span."""
    size = minutes * 60_000_000
    pieces = [
        inside(frame, [span])
        .with_columns(((pl.col("timestamp") - span[0]) // size * size + span[0]).alias("window"))
        .group_by("window", maintain_order=True)
        .agg(
            pl.col("open").first(), pl.col("high").max(), pl.col("low").min(), pl.col("close").last(),
            pl.col("volume").sum(), pl.len().cast(pl.Int64).alias("bar_count"),
        )
        .rename({"window": "timestamp"})
        for span in spans
    ]  # fmt: skip
    return pl.concat(pieces)


def rows(frame: pl.DataFrame) -> Rows:
    """Rows as in a dump, without indicators."""
    if "bar_count" not in frame.columns:
        frame = frame.with_columns(pl.lit(1, dtype=pl.Int64).alias("bar_count"))
    return frame.select("timestamp", *PRICES, "bar_count").to_dicts()


def indicators(history: Sequence[pl.DataFrame], day: pl.DataFrame) -> list[dict[str, float | None]]:
    """SMA, RSI and MACD of TA-Lib on the closes of ``history`` and ``day``: the values of the ``day``."""
    closes = pl.concat([frame.select("close") for frame in [*history, day]])["close"].to_numpy().astype(np.float64)
    macd, signal, histogram = talib.MACD(closes, 12, 26, 9)
    columns = {
        "SMA_20": talib.SMA(closes, 20), "RSI_14": talib.RSI(closes, 14), "MACD_12_26_9_macd": macd,
        "MACD_12_26_9_macdsignal": signal, "MACD_12_26_9_macdhist": histogram,
    }  # fmt: skip
    lists = {name: column[len(closes) - len(day) :].tolist() for name, column in columns.items()}
    return [
        {name: None if value != value else value for name, value in zip(lists, row, strict=True)}  # noqa: PLR0124
        for row in zip(*lists.values(), strict=True)
    ]


def checks(folder: Path) -> dict[tuple[str, str], dict[str, str]]:
    """The counts that came with the data, of 1m files, by symbol and day."""
    with (folder / "checks.csv").open() as handle:
        return {(row["symbol"], row["date"]): row for row in csv.DictReader(handle) if row["interval"] == "1m"}
