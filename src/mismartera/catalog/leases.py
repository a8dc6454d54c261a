"""Leases: what a running session tells a vacuum that it needs. A lock, so that a dead holder's is no lease."""

from __future__ import annotations

import uuid
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from mismartera.catalog.manager import DataManager
from mismartera.errors import StoreError
from mismartera.files.durable import discard
from mismartera.files.lock import FileLock, HeldError, facts_of

LEASES_NAME = "_leases"


@contextmanager
def leased(data: DataManager) -> Iterator[None]:
    """No vacuum takes away what the version that ``data`` reads needs, until this ends.

    Where there is no store yet, or it cannot be written (by a vacuum of ours neither, then), there is no lease.
    """
    lock = _taken(data.path / LEASES_NAME) if "://" not in data.address and data.exists() else None
    try:
        if lock is not None:
            with suppress(StoreError):  # whoever reads the store will be told
                lock.tell(version=data.version)
        yield
    finally:
        if lock is not None:
            discard(lock.path)
            lock.release()


def leases(root: Path) -> set[int] | None:
    """The versions that are needed; None if one who is just opening the store may need any."""
    found: set[int] = set()
    for path in sorted((root / LEASES_NAME).glob("*.lock")):
        lock = FileLock(path)
        try:
            lock.acquire(wait=False)
        except HeldError:
            version = facts_of(path).get("version")
            if not isinstance(version, int):
                return None
            found.add(version)
        except FileNotFoundError:
            continue
        else:  # its holder has died
            discard(path)
            lock.release()
    return found


def _taken(folder: Path) -> FileLock | None:
    while True:
        lock = FileLock(folder / f"{uuid.uuid4().hex}.lock")
        try:
            folder.mkdir(exist_ok=True)
            lock.acquire(wait=True)
        except OSError:
            return None
        if lock.path.exists():
            return lock
        lock.release()  # a vacuum found the file before it was locked
