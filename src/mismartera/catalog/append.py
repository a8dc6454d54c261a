"""Adding to a partition without rewriting it: the cheap way for what comes minute by minute.

Every key of a partition stands in one of its files only, so readers of any kind need not know which came last.
New keys become a small file. A revised key is replaced in the file that holds it, and only that file is written
anew; which files can hold it their statistics tell, and bars of a new minute can be in none. Files that are small
are joined before they become many, so that a row is rewritten a few times a day, whatever the day's size.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import polars as pl

from mismartera.catalog.files import read_files, read_verified, write_file
from mismartera.catalog.layout import PRICES, DataFile
from mismartera.catalog.snapshot import Snapshot
from mismartera.catalog.staging import Staged, rewrite
from mismartera.catalog.upsert import merge

KEYS = ["symbol", "timestamp"]

FULL_ROWS_MIN = 262_144
"""A file with so many rows is no longer joined with others: bounds the work of a single commit."""

OPEN_FILES_MAX = 8
"""So many files that are not full stand in a partition, at most, after a commit."""

TINY_ROWS_MAX = 4_096
"""Up to so many rows are joined at each commit: that costs no more than a file of their own (measured)."""

SYMBOLS_MAX = 24
"""Up to so many symbols are looked for by the row groups' statistics."""

Group = tuple[tuple[DataFile, ...], pl.DataFrame]
"""Files that one new file replaces, and the rows that are put in."""


def append(root: Path, snapshot: Snapshot, interval: str, day: int, rows: pl.DataFrame) -> Staged:
    """Stage ``rows`` (new, known or revised) by touching as little of the partition as can be."""
    files = snapshot.partitions.get((interval, day), ())
    held = {file: frame for file in files if (frame := _held(file, rows)).height}
    stored = pl.concat(held.values()).sort(KEYS) if held else None
    if stored is not None and stored.select(pl.struct(KEYS).is_duplicated().any()).item():
        return rewrite(root, snapshot, interval, day, rows)  # another tool has written keys twice
    merged = merge(stored, rows)
    if not merged.changed:
        return Staged(merged, (), ())
    fresh = merged.rows if stored is None else merged.rows.join(stored, on=KEYS, how="anti")
    changed = {} if stored is None else _changed(merged.rows, stored, held)
    groups = _groups(files, fresh, changed)
    added = [_joined(root, interval, day, group) for group in groups]
    return Staged(merged, tuple(file for replaced, _ in groups for file in replaced), tuple(added))


def _held(file: DataFile, rows: pl.DataFrame) -> pl.DataFrame:
    """The rows of ``file`` that have keys of ``rows``; what its statistics rule out is not read."""
    start = rows["timestamp"].to_physical()
    first, last = start.min(), start.max()
    assert isinstance(first, int) and isinstance(last, int), "no rows, no partition"
    symbols = rows["symbol"].unique().sort()
    if not file.may_overlap(first, last + 1) or not file.may_hold_between(symbols[0], symbols[-1]):
        return rows.clear()
    wanted = symbols.to_list() if len(symbols) <= SYMBOLS_MAX else ()
    there = read_files([file], symbols=wanted, span_us=(first, last + 1))
    return there.join(rows.select(KEYS), on=KEYS, how="semi") if there.height else there


def _changed(
    wanted: pl.DataFrame, stored: pl.DataFrame, held: dict[DataFile, pl.DataFrame]
) -> dict[DataFile, pl.DataFrame]:
    """The rows of ``wanted`` that stand in a file with other values, by file."""
    both = wanted.join(stored, on=KEYS, how="inner", suffix="_old")
    differs = pl.any_horizontal(pl.col(name) != pl.col(f"{name}_old") for name in PRICES)
    revised = both.filter(differs).select(wanted.columns)
    parts = {file: revised.join(frame, on=KEYS, how="semi") for file, frame in held.items()}
    return {file: part for file, part in parts.items() if part.height}


def _groups(files: Sequence[DataFile], fresh: pl.DataFrame, changed: dict[DataFile, pl.DataFrame]) -> list[Group]:
    """What is written: the new keys with the files they are joined with, and each other file that is revised."""
    pile = _pile(files, fresh.height) if fresh.height else []
    groups: list[Group] = [((file,), part) for file, part in changed.items() if file not in pile]
    if fresh.height:
        parts = [changed[file] for file in pile if file in changed]
        groups.append((tuple(pile), pl.concat([fresh, *parts])))
    return groups


def _pile(files: Sequence[DataFile], size: int) -> list[DataFile]:
    """The files that ``size`` new rows are joined with: tiny ones, or all that are not full if they are many."""
    small = [(file.rows, file) for file in files if file.rows is not None and file.rows < FULL_ROWS_MIN]
    if len(small) >= OPEN_FILES_MAX:
        return [file for _, file in small]
    pile: list[DataFile] = []
    for rows, file in sorted(small, key=lambda entry: (entry[0], entry[1].relative)):
        size += rows
        if size > TINY_ROWS_MAX:
            break
        pile.append(file)
    return pile


def _joined(root: Path, interval: str, day: int, group: Group) -> DataFile:
    replaced, rows = group
    return write_file(root, interval, day, merge(read_verified(replaced) if replaced else None, rows).rows)
