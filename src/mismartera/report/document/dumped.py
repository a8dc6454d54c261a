"""Candles from a dump, in place of those of the events: what was passed over is in it, too."""

from __future__ import annotations

from datetime import date
from pathlib import Path

from mismartera.bars import encode_symbol
from mismartera.bars.interval import parse_interval
from mismartera.errors import DataError
from mismartera.report.document.digest import CANDLES_MAX, CHARTS_MAX, Digest
from mismartera.report.document.series import Candle, CandleSeries

_COLUMNS = ("timestamp", "open", "high", "low", "close", "volume")


def draw_dump(folder: Path, digest: Digest) -> None:
    """Take the charts of ``digest`` from the dump in ``folder``; symbols that are not in it keep theirs.

    DataError for a folder that is no dump and for a file that cannot be read.
    """
    try:
        days = sorted(path for path in folder.iterdir() if path.is_dir() and _is_date(path.name))
    except OSError as error:
        raise DataError(f"the dump cannot be read from {folder}: {error.strerror or error}") from error
    if not days:
        raise DataError(f"{folder} is no dump: it has no folders such as 2024-07-02, which 'run --dump DIR' makes")
    for symbol, one in list(digest.symbols.items()):
        files = [file for day in days if (file := _finest(day / encode_symbol(symbol))) is not None]
        if not files or (one.chart is None and digest.charts >= CHARTS_MAX):
            continue
        if one.chart is None:
            digest.charts += 1
        one.chart = CandleSeries(CANDLES_MAX)
        for file in files:
            _add(file, one.chart)


def _finest(folder: Path) -> Path | None:
    files = list(folder.glob("*.parquet"))
    try:
        return min(files, key=lambda file: parse_interval(file.stem).length_us, default=None)
    except ValueError as error:
        raise DataError(f"{folder} is no part of a dump: {error}") from error


def _add(file: Path, chart: CandleSeries) -> None:
    import polars as pl

    try:
        rows = (
            pl.read_parquet(file, columns=list(_COLUMNS)).with_columns(pl.col("timestamp").cast(pl.Int64)).rows()
        )
    except (OSError, pl.exceptions.PolarsError) as error:
        raise DataError(f"{file} is not a file of a dump: {error}") from error
    length_us = parse_interval(file.stem).length_us
    for start_us, *prices in rows:
        chart.add(file.stem, length_us, Candle(start_us, rows[0][0], *prices))


def _is_date(name: str) -> bool:
    try:
        return date.fromisoformat(name).isoformat() == name
    except ValueError:
        return False
