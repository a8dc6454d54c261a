"""One writer at a time: an advisory lock on a file of the store, freed by the system when its holder dies.

Delta's optimistic commits alone protect a file that two writers replace, but two writers that create the same
partition would both succeed, and a key would be there twice.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from mismartera.errors import StoreError

if sys.platform == "win32":
    import msvcrt
else:
    import fcntl

LOCK_NAME = "_write.lock"
"""A leading underscore hides a file from every reader of Delta tables."""


@contextmanager
def write_lock(store: Path) -> Iterator[None]:
    """Hold the store's write lock; waits for another writer (process or thread) to finish."""
    handle = _locked(store)
    try:
        yield
    finally:
        os.close(handle)  # frees the lock


def _locked(store: Path) -> int:
    path = store / LOCK_NAME
    try:
        store.mkdir(parents=True, exist_ok=True)
        handle = os.open(path, os.O_RDWR | os.O_CREAT, 0o644)
        try:
            _acquire(handle)
        except BaseException:
            os.close(handle)
            raise
    except OSError as error:
        raise StoreError(
            f"the store {store} cannot be written: {error.strerror} ({error.filename or path})"
        ) from error
    return handle


if sys.platform == "win32":

    def _acquire(handle: int) -> None:
        while True:
            try:
                msvcrt.locking(handle, msvcrt.LK_LOCK, 1)  # gives up after ten seconds
            except OSError:
                continue
            return
else:

    def _acquire(handle: int) -> None:
        fcntl.flock(handle, fcntl.LOCK_EX)
