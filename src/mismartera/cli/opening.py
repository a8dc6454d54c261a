"""Opening a bar store that has to be there."""

from __future__ import annotations

from collections.abc import Callable

from mismartera.catalog import DataManager
from mismartera.errors import StoreError


def open_store(path: str, version: int | None = None, *, warn: Callable[[str], None] | None = None) -> DataManager:
    """The store at ``path``; StoreError, with what to do, if there is none or it cannot be read.

    ``warn`` is told of damaged files (default: the log).
    """
    data = DataManager(path, version=version, warn=warn)
    if not data.exists():
        raise StoreError(
            f"there is no bar store at {path}: make one with 'mismartera data import' or "
            "'mismartera data sample', or name another with --data"
        )
    assert data.version >= 0, "a store that can be read has a version"
    return data
