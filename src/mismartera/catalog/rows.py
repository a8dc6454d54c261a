"""Bars from outside as columns: sequences of bars, mappings, and frames of Polars, pandas or Arrow.

Rows that cannot become a bar (a naive timestamp, a price that is no number) are counted and left out here;
``upsert.valid_rows`` then applies the rules of a valid bar.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any

import numpy as np
import polars as pl
from numpy.typing import NDArray
from polars.exceptions import PolarsError

from mismartera.bars import Bar, BarBlock, Bars
from mismartera.bars.instants import to_us
from mismartera.bars.interval import parse_interval
from mismartera.catalog.layout import FILE_SCHEMA, PRICES
from mismartera.catalog.report import Rejections
from mismartera.errors import DataError

BarsInput = Sequence[Bar] | Sequence[Mapping[str, Any]] | Bars | Any
"""What can be written; ``Any`` stands for the frames of libraries that need not be installed."""

ROW_SCHEMA = pl.Schema({"timestamp": pl.Int64(), **dict.fromkeys(PRICES, pl.Float64())})
"""Columns of one symbol's rows: start in microseconds since the epoch, prices, volume."""

UNIT_HINT = "give timezone-aware datetimes, or let `mismartera data import` read numbers and text"


def to_rows(symbol: str, interval: str, bars: BarsInput, rejections: Rejections) -> tuple[pl.DataFrame, int]:
    """The rows of ``bars`` in their order (``ROW_SCHEMA``), and how many were offered.

    ValueError if a bar names another symbol or interval; DataError for a thing or a column that cannot be read.
    """
    if isinstance(bars, Bars):
        arrays = (bars.start_us, bars.open, bars.high, bars.low, bars.close, bars.volume)
        return pl.DataFrame(dict(zip(ROW_SCHEMA.names(), arrays, strict=True)), schema=ROW_SCHEMA), len(bars)
    if isinstance(bars, pl.LazyFrame):
        bars = bars.collect()
    if isinstance(bars, pl.DataFrame) or hasattr(bars, "__arrow_c_stream__") or hasattr(bars, "columns"):
        frame = as_polars(bars)
        return _frame_rows(symbol, frame, rejections), frame.height
    if isinstance(bars, Iterable) and not isinstance(bars, str | bytes | Mapping):
        return _object_rows(symbol, interval, list(bars), rejections)
    raise DataError(f"bars of {symbol} cannot be read from {type(bars).__name__}: {_ALLOWED}")


_ALLOWED = "allowed are sequences of Bar or of mappings, and frames of Polars, pandas or Arrow"


def as_polars(frame: Any) -> pl.DataFrame:
    """``frame`` as a Polars frame (DataError if it cannot be); a pandas index ``timestamp`` becomes a column."""
    if isinstance(frame, pl.DataFrame):
        return frame
    try:
        if hasattr(frame, "reset_index"):
            return _from_pandas(frame)
        return pl.DataFrame(frame)
    except (PolarsError, TypeError, ValueError) as error:
        raise DataError(f"a {type(frame).__name__} cannot be read as bars: {error}; {_ALLOWED}") from error


def _from_pandas(frame: Any) -> pl.DataFrame:
    """Column by column over NumPy, because pandas' own bridge to Arrow needs pyarrow."""
    if "timestamp" not in frame.columns:
        frame = frame.reset_index()
    columns: dict[str, Any] = {}
    for name in frame.columns:
        column = frame[name]
        zoned = getattr(column.dtype, "tz", None) is not None
        values = column.dt.tz_convert("UTC").dt.tz_localize(None).to_numpy() if zoned else column.to_numpy()
        series = pl.Series(str(name), values if values.dtype != object else list(values), strict=False)
        columns[str(name)] = series.dt.replace_time_zone("UTC") if zoned else series
    return pl.DataFrame(columns)


def _frame_rows(symbol: str, frame: pl.DataFrame, rejections: Rejections) -> pl.DataFrame:
    missing = [name for name in ROW_SCHEMA if name not in frame.columns]
    if missing:
        raise DataError(
            f"bars of {symbol} lack the columns {missing}: needed are {ROW_SCHEMA.names()}, found {frame.columns}"
        )
    for name in PRICES:
        if not (frame.schema[name].is_numeric() or frame.schema[name] == pl.Null):
            raise DataError(f"bars of {symbol}: column {name!r} is {frame.schema[name]}, needed are numbers")
    stamps = frame["timestamp"]
    if not isinstance(stamps.dtype, pl.Datetime):
        rejections.add("bad_timestamp", frame.height, [f"{symbol}: timestamps are {stamps.dtype}: {UNIT_HINT}"])
        return ROW_SCHEMA.to_frame()
    if stamps.dtype.time_zone is None:
        rejections.add("naive_timestamp", frame.height, [f"{symbol}: timestamps have no time zone: {UNIT_HINT}"])
        return ROW_SCHEMA.to_frame()
    rows = frame.select(
        pl.col("timestamp").dt.cast_time_unit("us").to_physical(),
        *(pl.col(name).cast(pl.Float64).fill_null(float("nan")) for name in PRICES),
    )
    empty = rows["timestamp"].null_count()
    rejections.add("bad_timestamp", empty, [f"{symbol}: a row without timestamp"])
    return rows.drop_nulls("timestamp") if empty else rows


def _object_rows(symbol: str, interval: str, bars: list[Any], rejections: Rejections) -> tuple[pl.DataFrame, int]:
    rows: list[tuple[int, float, float, float, float, float]] = []
    for bar in bars:
        if isinstance(bar, Bar):
            if bar.symbol != symbol or parse_interval(bar.interval) != parse_interval(interval):
                raise ValueError(f"a bar of {bar.symbol} {bar.interval} was given as {symbol} {interval}: {bar!r}")
            rows.append((bar.start_us, bar.open, bar.high, bar.low, bar.close, bar.volume))
        elif isinstance(bar, Mapping):
            row = _mapping_row(symbol, bar, rejections)
            if row is not None:
                rows.append(row)
        else:
            raise DataError(f"a {type(bar).__name__} among the bars of {symbol}: {_ALLOWED}")
    return pl.DataFrame(rows, schema=ROW_SCHEMA, orient="row"), len(bars)


def _mapping_row(
    symbol: str, bar: Mapping[str, Any], rejections: Rejections
) -> tuple[int, float, float, float, float, float] | None:
    stamp = bar.get("timestamp")
    if not isinstance(stamp, datetime):
        rejections.add("bad_timestamp", 1, [f"{symbol}: timestamp is {stamp!r}: {UNIT_HINT}"])
        return None
    if stamp.tzinfo is None:
        rejections.add("naive_timestamp", 1, [f"{symbol} {stamp.isoformat()}: no time zone: {UNIT_HINT}"])
        return None
    try:
        prices = tuple(float(bar[name]) for name in PRICES)
    except KeyError as error:
        rejections.add("missing_field", 1, [f"{symbol} {stamp.isoformat()}: no {error.args[0]!r}"])
        return None
    except (TypeError, ValueError, OverflowError):
        found = {name: bar.get(name) for name in PRICES}
        rejections.add("not_a_number", 1, [f"{symbol} {stamp.isoformat()}: {found}"[:300]])
        return None
    open_, high, low, close, volume = prices
    return to_us(stamp), open_, high, low, close, volume


def arrays(rows: pl.DataFrame) -> tuple[NDArray[np.int64], list[NDArray[np.float64]]]:
    """Starts (microseconds since the epoch) and the price columns of ``rows``."""
    return rows["timestamp"].to_physical().to_numpy(), [rows[name].to_numpy() for name in PRICES]


def as_file_rows(symbol: str, rows: pl.DataFrame) -> pl.DataFrame:
    """The rows of one symbol with the columns of a store file."""
    return rows.select(
        pl.lit(symbol).alias("symbol"),
        pl.col("timestamp").cast(pl.Datetime("us")).dt.replace_time_zone("UTC"),
        *PRICES,
    ).cast({"symbol": FILE_SCHEMA["symbol"]})


def block_rows(block: BarBlock) -> pl.DataFrame:
    """The rows of a block with the columns of a store file."""
    owners = block.row_symbols()
    return pl.DataFrame(
        {
            "symbol": pl.Series(block.symbols, dtype=pl.String).gather(owners),
            "timestamp": pl.Series(block.start).cast(pl.Datetime("us")).dt.replace_time_zone("UTC"),
            **dict(zip(PRICES, block.columns, strict=True)),
        },
        schema=FILE_SCHEMA,
    )
