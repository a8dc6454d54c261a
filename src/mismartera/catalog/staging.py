"""Partitions made ready for a commit: what will be added and removed, and what became of the offered rows."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

import polars as pl
from msgspec import Struct

from mismartera.catalog.files import read_verified, write_file
from mismartera.catalog.layout import DataFile
from mismartera.catalog.snapshot import Snapshot
from mismartera.catalog.upsert import Merged, merge


class Staged(Struct, frozen=True):
    """A partition that is ready to be committed; nothing is added or removed if it stays as it is."""

    merged: Merged
    removed: tuple[DataFile, ...]
    added: tuple[DataFile, ...]


Stage = Callable[[Path, Snapshot, str, int, pl.DataFrame], Staged]
"""Stages the offered rows of one partition: the store's folder, a version, interval and day, and the rows."""


def rewrite(root: Path, snapshot: Snapshot, interval: str, day: int, rows: pl.DataFrame) -> Staged:
    """The whole partition as one sorted file: best to read, and dear to write again and again."""
    files = snapshot.partitions.get((interval, day), ())
    merged = merge(read_verified(files) if files else None, rows)
    if not merged.changed:
        return Staged(merged, (), ())
    return Staged(merged, files, (write_file(root, interval, day, merged.rows),))


def discard(staged: Sequence[Staged]) -> None:
    """Delete the files that were made for a commit which did not happen."""
    for part in staged:
        for file in part.added:
            Path(file.path).unlink(missing_ok=True)
