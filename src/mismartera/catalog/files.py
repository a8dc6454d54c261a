"""Reading and writing the store's Parquet files; what is wrong with one is said with its name."""

from __future__ import annotations

import uuid
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path

import polars as pl
from polars.exceptions import PanicException, PolarsError

from mismartera.catalog.durable import sync
from mismartera.catalog.layout import (
    COMPRESSION,
    FILE_COLUMNS,
    FILE_SCHEMA,
    ROW_GROUP_ROWS,
    DataFile,
    day_label,
)
from mismartera.errors import StoreError


def read_files(
    files: Sequence[DataFile],
    columns: Sequence[str] = FILE_COLUMNS,
    symbols: Sequence[str] = (),
    span_us: tuple[int, int] | None = None,
) -> pl.DataFrame:
    """The rows of ``files`` one after the other; with ``symbols`` only theirs, by the row groups' statistics; with
    ``span_us`` only those that start in ``[from, to)``.
    """
    paths = [file.path for file in files]
    if not paths:
        return pl.DataFrame(schema={name: FILE_SCHEMA[name] for name in columns})
    with _naming_the_broken(files):
        if not symbols and span_us is None:
            frame = pl.read_parquet(paths, columns=list(columns), hive_partitioning=False, use_statistics=False)
        else:
            scan = pl.scan_parquet(paths, hive_partitioning=False)
            frame = scan.filter(*_wanted(symbols, span_us)).select(columns).collect()
        _check(frame, columns)
    return frame


def _wanted(symbols: Sequence[str], span_us: tuple[int, int] | None) -> Iterator[pl.Expr]:
    column = pl.col("symbol")
    if symbols:
        yield column == symbols[0] if len(symbols) == 1 else column.is_in(list(symbols))
    if span_us is not None:
        first, last = (pl.lit(us).cast(FILE_SCHEMA["timestamp"]) for us in span_us)
        yield pl.col("timestamp").is_between(first, last, closed="left")


def write_file(root: Path, interval: str, day: int, rows: pl.DataFrame) -> DataFile:
    """Write ``rows`` (not empty, sorted by symbol and timestamp) as a new file of a partition, durably.

    The file is part of the table only after a commit that names it.
    """
    folder = f"interval={interval}/date={day_label(day)}"
    relative = f"{folder}/{uuid.uuid4().hex}.parquet"
    path = root / relative
    draft = path.with_suffix(".tmp")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        rows.select(FILE_COLUMNS).write_parquet(
            draft, compression=COMPRESSION, row_group_size=ROW_GROUP_ROWS, statistics=True
        )
        draft.rename(path)
        sync(path)
        sync(path.parent.parent)  # the folders are as new as the file may be
        size = path.stat().st_size
    except (OSError, PolarsError) as error:
        with suppress(OSError):  # what hindered the writing may hinder this too
            draft.unlink(missing_ok=True)
            path.unlink(missing_ok=True)
        raise StoreError(f"the store's file {path} cannot be written: {_first_line(error)}") from error
    times = rows["timestamp"].to_physical()
    first, last = times.min(), times.max()
    assert isinstance(first, int) and isinstance(last, int)
    return DataFile(
        str(path), relative, interval, day, size, rows.height, first, last, rows["symbol"][0], rows["symbol"][-1]
    )


def _check(frame: pl.DataFrame, columns: Sequence[str]) -> None:
    """Types and keys; prices may be missing (a NaN), their bars are rejected where they are used."""
    for name in columns:
        if frame.schema[name] != FILE_SCHEMA[name]:
            raise StoreError(f"column {name!r} is {frame.schema[name]}, needed is {FILE_SCHEMA[name]}")
    for name in ("symbol", "timestamp"):
        if name in columns and frame[name].null_count():
            raise StoreError(f"column {name!r} has empty cells")


@contextmanager
def _naming_the_broken(files: Sequence[DataFile]) -> Iterator[None]:
    try:
        yield
    except (OSError, PolarsError, PanicException, StoreError) as error:
        for file in files:
            detail = _fault(file)
            if detail:
                raise _broken(file, detail) from error
        raise _broken(files[0], _first_line(error)) from error


def _fault(file: DataFile) -> str | None:
    """What is wrong with a file, None if it can be read whole."""
    if "://" not in file.path and not Path(file.path).is_file():
        return "the file is missing"
    try:
        frame = pl.read_parquet(file.path, columns=list(FILE_COLUMNS), hive_partitioning=False)
        _check(frame, FILE_COLUMNS)
    except (OSError, PolarsError, PanicException, StoreError) as error:
        return _first_line(error)
    return None


def _broken(file: DataFile, detail: str) -> StoreError:
    return StoreError(
        f"the store's file {file.path} ({file.interval} bars of {day_label(file.day)}) cannot be read: {detail}; "
        "restore it, or delete the store and import its data again"
    )


def _first_line(error: BaseException) -> str:
    text = str(error).strip()
    return text.splitlines()[0][:300] if text else type(error).__name__
