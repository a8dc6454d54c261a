"""Reading a foreign Parquet or CSV file: its columns by name, alias or mapping, and its numbers."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path

import polars as pl
from msgspec import Struct
from polars.exceptions import NoDataError, PanicException, PolarsError

from mismartera.catalog.csv_table import read_csv
from mismartera.catalog.layout import PRICES
from mismartera.catalog.report import Rejections
from mismartera.errors import DataError

ALIASES: dict[str, tuple[str, ...]] = {
    "timestamp": ("timestamp", "datetime", "time", "date", "ts", "t", "opentime", "starttime", "start"),
    "open": ("open", "o"),
    "high": ("high", "h"),
    "low": ("low", "l"),
    "close": ("close", "c"),
    "volume": ("volume", "vol", "v"),
    "symbol": ("symbol", "ticker", "sym"),
    "interval": ("interval", "timeframe"),
}
"""The names by which a column is known, best first; case, spaces and underscores do not count."""


def check_mapping(columns: Mapping[str, str]) -> None:
    """DataError if ``columns`` (old name to new) names something that a bar does not have, or a thing twice."""
    unknown = sorted(set(columns.values()) - set(ALIASES))
    if unknown:
        raise DataError(f"columns cannot be mapped to {unknown}: allowed are {', '.join(ALIASES)}")
    if len(set(columns.values())) != len(columns):
        raise DataError(f"two columns are mapped to one name: {dict(columns)}")


class Table(Struct):
    """What a file holds under our names, and what could not be made of it.

    ``frame``: the number of the ``row``, ``timestamp`` as it is, prices as doubles (null where a cell is no
    number), and the labels. ``unread``: the prices as they stand in the file, of the rows where one is null.
    ``rejections``: rows that have no place in the columns.
    """

    frame: pl.DataFrame
    unread: pl.DataFrame
    rejections: Rejections


def read_table(path: Path, columns: Mapping[str, str]) -> Table:
    """The file's columns under our names. DataError says what is wrong.

    ``columns`` maps names of the file to ours and wins over the aliases; names that are all digits number the
    columns of a CSV without header, from 1.
    """
    rejections = Rejections()
    try:
        if _is_csv(path):
            is_numbered = bool(columns) and all(name.isdigit() for name in columns)
            raw, rejections = read_csv(path, is_numbered=is_numbered)
        else:
            raw = pl.read_parquet(path, hive_partitioning=False)
    except NoDataError as error:
        raise DataError("the file is empty") from error
    except (OSError, EOFError, PolarsError, PanicException) as error:
        kind = "CSV" if _is_csv(path) else "Parquet"
        raise DataError(f"it cannot be read as {kind}: {_first_line(error)}") from error
    chosen = _choose(raw.columns, columns)
    found = raw.select(_expression(raw, chosen, name) for name in ("timestamp", *PRICES, "symbol", "interval")
                       if name in chosen).with_row_index("row")  # fmt: skip
    frame = found.with_columns(_number(found[name]) for name in PRICES)
    is_unread = frame.select(pl.any_horizontal(pl.col(name).is_null() for name in PRICES)).to_series()
    unread = found.filter(is_unread).select("row", pl.col(PRICES).cast(pl.String))
    return Table(frame, unread, rejections)


def _is_csv(path: Path) -> bool:
    return path.name.lower().endswith((".csv", ".csv.gz"))


def _choose(found: list[str], columns: Mapping[str, str]) -> dict[str, str]:
    """Our name to the file's."""
    absent = [name for name in columns if name not in found]
    if absent:
        raise DataError(f"it has no column {absent} (as --columns says): its columns are {found}")
    chosen = {new: old for old, new in columns.items()}
    plain = {name: _plain(name) for name in found if name not in columns}
    for new, aliases in ALIASES.items():
        if new in chosen:
            continue
        for alias in aliases:
            fits = [name for name, key in plain.items() if key == alias]
            if len(fits) > 1:
                raise DataError(f"the columns {fits} could both be {new!r}: choose one with --columns OLD={new}")
            if fits:
                chosen[new] = fits[0]
                break
    if "timestamp" not in chosen and "" in plain and found[0] == "":
        chosen["timestamp"] = ""  # the index of a pandas frame, as to_csv writes it
    missing = [name for name in ("timestamp", *PRICES) if name not in chosen]
    if missing:
        raise DataError(
            f"it lacks columns for {missing}: its columns are {found}; name them with --columns OLD=NEW "
            "(for a CSV without header --columns 1=timestamp,2=open,...)"
        )
    return chosen


def _plain(name: str) -> str:
    # Polars gives the second of two columns of one name a name of its own.
    return re.sub(r"[\s_<>]", "", re.sub(r"_duplicated_[0-9]+$", "", name)).lower()


def _expression(raw: pl.DataFrame, chosen: Mapping[str, str], name: str) -> pl.Expr:
    """The column of one of our names; a date and a time in two columns become one timestamp."""
    column = pl.col(chosen[name])
    time, day = chosen["timestamp"], [other for other in raw.columns if _plain(other) == "date"]
    if name == "timestamp" and _plain(time) == "time" and len(day) == 1 and raw.schema[time] == pl.String:
        return pl.concat_str(pl.col(day[0]).cast(pl.String), column, separator=" ").alias(name)
    return column.alias(name)


def _number(column: pl.Series) -> pl.Series:
    if column.dtype == pl.String:
        return column.str.strip_chars().cast(pl.Float64, strict=False)
    if column.dtype.is_numeric() or column.dtype == pl.Null:
        return column.cast(pl.Float64, strict=False)
    raise DataError(f"column {column.name!r} is {column.dtype}: needed are numbers")


def _first_line(error: BaseException) -> str:
    text = str(error).strip()
    return text.splitlines()[0][:300] if text else type(error).__name__
