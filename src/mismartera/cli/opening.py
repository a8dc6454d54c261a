"""Opening a bar store that has to be there."""

from __future__ import annotations

from mismartera.catalog import DataManager
from mismartera.errors import StoreError


def open_store(path: str, version: int | None = None) -> DataManager:
    """The store at ``path``; StoreError, with what to do, if there is none or it cannot be read."""
    data = DataManager(path, version=version)
    if not data.exists():
        raise StoreError(
            f"there is no bar store at {path}: make one with 'mismartera data import' or "
            "'mismartera data sample', or name another with --data"
        )
    assert data.version >= 0, "a store that can be read has a version"
    return data
