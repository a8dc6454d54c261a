"""A version of the table: its files, by partition."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

from mismartera.catalog.layout import FORMAT_KEY, GENERATED_KEY, DataFile


@dataclass(frozen=True)
class Snapshot:
    """One version of the table: which files hold its bars."""

    version: int
    files: tuple[DataFile, ...]
    """By interval, day, first bar and name: files that follow each other in time are read in that order."""
    metadata: dict[str, Any] = field(default_factory=dict)
    table_id: str = ""
    """The table's own name, made up when the table was made: one that takes its place has another."""

    @cached_property
    def partitions(self) -> dict[tuple[str, int], tuple[DataFile, ...]]:
        """The files of each (interval, day), in order."""
        parts: dict[tuple[str, int], list[DataFile]] = {}
        for file in self.files:
            parts.setdefault((file.interval, file.day), []).append(file)
        return {key: tuple(files) for key, files in parts.items()}

    @cached_property
    def by_interval(self) -> dict[str, tuple[DataFile, ...]]:
        """The files of each interval, by day."""
        parts: dict[str, list[DataFile]] = {}
        for file in self.files:
            parts.setdefault(file.interval, []).append(file)
        return {interval: tuple(files) for interval, files in parts.items()}

    def replaced(self, added: Sequence[DataFile], removed: Sequence[DataFile]) -> Snapshot:
        """The next version, after a commit that adds and removes files."""
        gone = {file.relative for file in removed}
        files = [*(file for file in self.files if file.relative not in gone), *added]
        return Snapshot(self.version + 1, tuple(sorted(files, key=place)), self.metadata, self.table_id)

    @property
    def is_ours(self) -> bool:
        """True if the table was made by this package (only such a one is written to)."""
        return FORMAT_KEY in self.metadata

    @property
    def generated(self) -> tuple[str, ...]:
        """The symbols whose bars were made up."""
        return tuple(name for name in str(self.metadata.get(GENERATED_KEY, "")).split(",") if name)


def place(file: DataFile) -> tuple[str, int, int, str]:
    """The order of a version's files."""
    return file.interval, file.day, file.first_us or 0, file.relative
