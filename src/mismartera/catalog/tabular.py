"""Reading a foreign Parquet or CSV file: its columns by name, alias or mapping, and its numbers."""

from __future__ import annotations

import gzip
import re
from collections.abc import Mapping
from pathlib import Path

import polars as pl
from polars.exceptions import NoDataError, PanicException, PolarsError

from mismartera.catalog.layout import PRICES
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

_SEPARATORS = ",;\t|"


def check_mapping(columns: Mapping[str, str]) -> None:
    """DataError if ``columns`` (old name to new) names something that a bar does not have, or a thing twice."""
    unknown = sorted(set(columns.values()) - set(ALIASES))
    if unknown:
        raise DataError(f"columns cannot be mapped to {unknown}: allowed are {', '.join(ALIASES)}")
    if len(set(columns.values())) != len(columns):
        raise DataError(f"two columns are mapped to one name: {dict(columns)}")


def read_table(path: Path, columns: Mapping[str, str]) -> pl.DataFrame:
    """The file's columns under our names: ``timestamp`` as it is, prices as doubles, and the labels.

    ``columns`` maps names of the file to ours and wins over the aliases; names that are all digits number the
    columns of a CSV without header, from 1. Cells that are no numbers become null. DataError says what is wrong.
    """
    try:
        raw = _read_csv(path, columns) if _is_csv(path) else pl.read_parquet(path, hive_partitioning=False)
    except NoDataError as error:
        raise DataError("the file is empty") from error
    except (OSError, EOFError, PolarsError, PanicException) as error:
        kind = "CSV" if _is_csv(path) else "Parquet"
        raise DataError(f"it cannot be read as {kind}: {_first_line(error)}") from error
    chosen = _choose(raw.columns, columns)
    frame = raw.select(_expression(raw, chosen, name) for name in ("timestamp", *PRICES, "symbol", "interval")
                       if name in chosen)  # fmt: skip
    return frame.with_columns(_number(frame[name]) for name in PRICES)


def _is_csv(path: Path) -> bool:
    return path.name.lower().endswith((".csv", ".csv.gz"))


def _read_csv(path: Path, columns: Mapping[str, str]) -> pl.DataFrame:
    """Everything as text: a single bad cell must cost one row, not the file."""
    numbered = bool(columns) and all(name.isdigit() for name in columns)
    with gzip.open(path, "rb") if path.name.lower().endswith(".gz") else path.open("rb") as handle:
        first = handle.readline(65_536).decode("utf-8", errors="replace")
    separator = max(_SEPARATORS, key=first.count)
    frame = pl.read_csv(path, separator=separator, has_header=not numbered, infer_schema=False)
    if numbered:
        return frame.rename({name: str(index) for index, name in enumerate(frame.columns, start=1)})
    return frame.rename(str.strip)


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
