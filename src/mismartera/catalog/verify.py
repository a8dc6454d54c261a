"""What is wrong with a data file: the cheap checks of every read, and the full one.

A file of ours is *sealed*: its name ends in the digest (BLAKE2b, 128 bits) of its bytes, so that a flipped bit is
found whatever copied the store. The digest costs a pass over the file, so reading does not look at it: it compares
the file's size and number of rows with the log, the types of the columns, and, where whole files are read, the
order of the rows and that each key is there once. If anything is odd, each file is verified in full, and the
damaged ones are named.
"""

from __future__ import annotations

import io
import re
import uuid
from collections.abc import Sequence
from datetime import date
from hashlib import blake2b
from itertools import groupby, pairwise
from pathlib import Path

import numpy as np
import polars as pl
from msgspec import Struct
from msgspec.structs import replace
from numpy.typing import NDArray
from polars.exceptions import PanicException, PolarsError

from mismartera.bars import parse_interval
from mismartera.bars.validation import broken_rule
from mismartera.catalog.layout import FILE_COLUMNS, FILE_SCHEMA, DataFile, day_label
from mismartera.errors import StoreError

Ints = NDArray[np.int64]

FEW_ROWS = 4_096
"""So few rows are gone through in Python."""

_EPOCH = date(1970, 1, 1)
_SEALED = re.compile(r"[0-9a-f]{12}-([0-9a-f]{32})\.parquet")


class FaultError(Exception):
    """Something is wrong with one of the files that are being read."""


class Damage(Struct, frozen=True):
    """A data file that is not what was written, and why."""

    file: DataFile
    reason: str

    def __str__(self) -> str:
        return (
            f"the store's file {self.file.path} ({self.file.interval} bars of {day_label(self.file.day)}"
            f"{_owners(self.file)}) is damaged: {self.reason}"
        )


def _owners(file: DataFile) -> str:
    if file.first_symbol is None or file.last_symbol is None:
        return ""
    if file.first_symbol == file.last_symbol:
        return f", {file.first_symbol}"
    return f", symbols {file.first_symbol} to {file.last_symbol}"


class DamagedError(StoreError):
    """Files of the store are damaged; the others can be read. ``damages`` names each."""

    def __init__(self, damages: Sequence[Damage]) -> None:
        self.damages = tuple(damages)
        super().__init__(
            "; ".join(map(str, damages))
            + "; `mismartera data check --repair` takes what is damaged out of the store, and a new import, or a "
            "live session's backfill, brings the bars again"
        )


def sealed_name(content: bytes | memoryview) -> str:
    """A name, never used before, for a data file with that content."""
    return f"{uuid.uuid4().hex[:12]}-{_digest(content)}.parquet"


def is_sealed(file: DataFile) -> bool:
    """True if the file was written with its digest in its name: by this package, and not by its first versions."""
    return is_sealed_name(Path(file.path).name)


def is_sealed_name(name: str) -> bool:
    """True for a name such as :func:`sealed_name` makes."""
    return _SEALED.fullmatch(name) is not None


def check_size(file: DataFile) -> None:
    """FaultError if a sealed file on a disk has not the size that the log tells."""
    if "://" in file.path:
        return
    found = Path(file.path).stat().st_size
    if is_sealed(file) and found != file.size:
        raise FaultError(f"it has {found} bytes, written were {file.size}")


def check_height(files: Sequence[DataFile], frame: pl.DataFrame) -> None:
    """FaultError if sealed ``files``, read whole, have not the number of rows that the log tells."""
    if all(file.rows is not None and is_sealed(file) for file in files):
        wanted = sum(file.rows or 0 for file in files)
        if frame.height != wanted:
            raise FaultError(f"there are {frame.height} rows, written were {wanted}")


def check_columns(frame: pl.DataFrame, columns: Sequence[str]) -> None:
    """Types and keys; prices may be missing (a NaN), their bars are rejected where they are used."""
    for name in columns:
        if frame.schema[name] != FILE_SCHEMA[name]:
            raise FaultError(f"column {name!r} is {frame.schema[name]}, needed is {FILE_SCHEMA[name]}")
    for name in ("symbol", "timestamp"):
        if name in columns and frame[name].null_count():
            raise FaultError(f"column {name!r} has empty cells")


def check_order(files: Sequence[DataFile], symbols: list[str], lengths: Ints, start: Ints) -> None:
    """FaultError if the rows of sealed ``files``, read whole one after the other, are not in the order of symbol
    and time, each key once. ``symbols`` and ``lengths``: the runs of equal symbols.
    """
    if not all(file.rows is not None and is_sealed(file) for file in files):
        return
    borders = np.cumsum([file.rows or 0 for file in files])[:-1]
    firsts = np.cumsum(lengths)[:-1]
    falls = np.flatnonzero(start[1:] <= start[:-1]) + 1
    falls = falls[~np.isin(falls, firsts)]
    steps = np.array([after <= before for before, after in pairwise(symbols)], dtype=np.bool_)
    if not (np.isin(falls, borders).all() and np.isin(firsts[steps], borders).all()):
        raise FaultError("its rows are not sorted by symbol and timestamp, each key once")


def symbol_runs(column: pl.Series) -> tuple[list[str], Ints]:
    """The runs of equal symbols in ``column``: whose they are, and their lengths."""
    if len(column) <= FEW_ROWS:  # an expression of Polars costs more than the loop
        runs = [(name, sum(1 for _ in run)) for name, run in groupby(column.to_list())]
        return [name for name, _ in runs], np.array([size for _, size in runs], dtype=np.int64)
    found = column.rle().struct
    return found.field("value").to_list(), found.field("len").to_numpy().astype(np.int64)


def explain(files: Sequence[DataFile], error: BaseException) -> StoreError:
    """Why ``files`` could not be read: DamagedError with those that are damaged, or trouble of the disk."""
    damages = [Damage(file, reason) for file in files if (reason := damage_of(file))]
    if damages:
        return DamagedError(damages)
    return StoreError(f"the store's file {files[0].path} cannot be read: {first_line(error)}; nothing was changed")


def damage_of(file: DataFile) -> str | None:
    """What is wrong with a file, None if it is whole. StoreError if the disk does not let us know."""
    try:
        verified(file)
    except FaultError as error:
        return str(error)
    return None


def verified(file: DataFile) -> pl.DataFrame:
    """The rows of a file, after every check; FaultError if it is damaged, StoreError for trouble of the disk."""
    if "://" in file.path:
        return _verified_far(file)
    try:
        content = Path(file.path).read_bytes()
    except (FileNotFoundError, NotADirectoryError):
        raise FaultError("the file is missing") from None
    except OSError as error:
        raise StoreError(
            f"the store's file {file.path} cannot be read: {error.strerror}; "
            "the disk may be at fault: the file was left alone"
        ) from error
    sealed = _SEALED.fullmatch(Path(file.path).name)
    try:
        frame = pl.read_parquet(io.BytesIO(content), columns=list(FILE_COLUMNS), hive_partitioning=False)
        check_columns(frame, FILE_COLUMNS)
        if sealed is not None:
            _check_sealed(file, frame)
    except (OSError, PolarsError, PanicException) as error:
        if sealed is not None and _digest(content) == sealed[1]:
            raise StoreError(
                f"the store's file {file.path} cannot be read: {first_line(error)}; its bytes are those that were "
                "written: it was left alone (is this process out of memory, threads or handles?)"
            ) from error
        raise FaultError(first_line(error)) from error
    if sealed is not None and _digest(content) != sealed[1]:
        raise FaultError("its bytes have changed since it was written")
    return frame


def _verified_far(file: DataFile) -> pl.DataFrame:
    """A file of an object store, which keeps its own checksums."""
    try:
        frame = pl.read_parquet(file.path, columns=list(FILE_COLUMNS), hive_partitioning=False)
    except OSError as error:
        raise StoreError(f"the store's file {file.path} cannot be read: {first_line(error)}") from error
    except (PolarsError, PanicException) as error:
        raise FaultError(first_line(error)) from error
    check_columns(frame, FILE_COLUMNS)
    if is_sealed(file):
        _check_sealed(file, frame)
    return frame


def described(root: Path, path: Path) -> DataFile:
    """The log's entry for a data file that the log does not know; DamagedError if it is not whole, or not ours."""
    parts = dict(part.split("=", 1) for part in path.relative_to(root).parts[:-1] if "=" in part)
    interval, day = parts["interval"], (date.fromisoformat(parts["date"]) - _EPOCH).days
    bare = DataFile(str(path), path.relative_to(root).as_posix(), interval, day, path.stat().st_size)
    if not is_sealed(bare):
        raise DamagedError([Damage(bare, "its name has no digest")])
    try:
        rows = verified(bare)
    except FaultError as error:
        raise DamagedError([Damage(bare, str(error))]) from error
    times = rows["timestamp"].to_physical().to_numpy()
    return replace(
        bare, rows=rows.height, first_us=int(times.min()), last_us=int(times.max()),
        first_symbol=rows["symbol"][0], last_symbol=rows["symbol"][-1],
    )  # fmt: skip


def _check_sealed(file: DataFile, frame: pl.DataFrame) -> None:
    if file.rows is not None:
        check_height([file], frame)
    start, *prices = (frame[name].to_physical().to_numpy() for name in FILE_COLUMNS[1:])
    check_order([replace(file, rows=frame.height)], *symbol_runs(frame["symbol"]), start)
    wrong = int((broken_rule(parse_interval(file.interval), start, *prices) >= 0).sum())
    if wrong:
        raise FaultError(f"{wrong} of its rows are no valid bars")


def first_line(error: BaseException) -> str:
    """An error's message, as far as it is for people."""
    text = str(error).strip()
    return text.splitlines()[0][:300] if text else type(error).__name__


def _digest(content: bytes | memoryview) -> str:
    return blake2b(content, digest_size=16).hexdigest()
