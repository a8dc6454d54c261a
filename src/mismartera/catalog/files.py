"""Reading and writing the store's Parquet files; what is wrong with one is said with its name."""

from __future__ import annotations

import io
from collections.abc import Iterator, Sequence
from pathlib import Path

import polars as pl
from polars.exceptions import PanicException, PolarsError

from mismartera.catalog.layout import (
    COMPRESSION,
    FILE_COLUMNS,
    FILE_SCHEMA,
    ROW_GROUP_ROWS,
    DataFile,
    day_label,
)
from mismartera.catalog.verify import (
    Damage,
    DamagedError,
    FaultError,
    check_columns,
    check_height,
    check_size,
    explain,
    sealed_name,
    verified,
)
from mismartera.errors import StoreError
from mismartera.files.durable import make_folders, write_new


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
    try:
        for file in files:
            check_size(file)
        if not symbols and span_us is None:
            frame = pl.read_parquet(paths, columns=list(columns), hive_partitioning=False, use_statistics=False)
            check_height(files, frame)
        else:
            scan = pl.scan_parquet(paths, hive_partitioning=False)
            frame = scan.filter(*_wanted(symbols, span_us)).select(columns).collect()
        check_columns(frame, columns)
    except (OSError, PolarsError, PanicException, FaultError) as error:
        raise explain(files, error) from error
    return frame


def read_verified(files: Sequence[DataFile]) -> pl.DataFrame:
    """The rows of ``files``, one after the other, for writing them anew: each file is verified in full before.

    So what is damaged never gets a new digest. DamagedError names it.
    """
    frames, damages = [], []
    for file in files:
        try:
            frames.append(verified(file))
        except FaultError as error:
            damages.append(Damage(file, str(error)))
    if damages:
        raise DamagedError(damages)
    return pl.concat(frames)


def _wanted(symbols: Sequence[str], span_us: tuple[int, int] | None) -> Iterator[pl.Expr]:
    column = pl.col("symbol")
    if symbols:
        yield column == symbols[0] if len(symbols) == 1 else column.is_in(list(symbols))
    if span_us is not None:
        first, last = (pl.lit(us).cast(FILE_SCHEMA["timestamp"]) for us in span_us)
        yield pl.col("timestamp").is_between(first, last, closed="left")


def write_file(root: Path, interval: str, day: int, rows: pl.DataFrame) -> DataFile:
    """Write ``rows`` (not empty, sorted by symbol and timestamp) as a new file of a partition, durably.

    The file is part of the table only after a commit that names it. Its name ends in the digest of its bytes.
    """
    buffer = io.BytesIO()
    rows.select(FILE_COLUMNS).write_parquet(
        buffer, compression=COMPRESSION, row_group_size=ROW_GROUP_ROWS, statistics=True
    )
    content = buffer.getbuffer()
    relative = f"interval={interval}/date={day_label(day)}/{sealed_name(content)}"
    path = root / relative
    try:
        make_folders(path.parent)
        write_new(path, content)
    except OSError as error:
        raise StoreError(f"the store's file {path} cannot be written: {error}") from error
    times = rows["timestamp"].to_physical()
    first, last = times.min(), times.max()
    assert isinstance(first, int) and isinstance(last, int)
    return DataFile(
        str(path), relative, interval, day, len(content), rows.height, first, last,
        rows["symbol"][0], rows["symbol"][-1],
    )  # fmt: skip
