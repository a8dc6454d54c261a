"""One writer at a time: the store's write lock, and the place of the one live session that may write to it.

Delta's optimistic commits alone protect a file that two writers replace, but two writers that create the same
partition would both succeed, and a key would be there twice.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from mismartera.errors import StoreError
from mismartera.files.durable import make_folders
from mismartera.files.lock import FileLock, HeldError, in_words

LOCK_NAME = "_write.lock"
"""A leading underscore hides a file from every reader of Delta tables."""

SESSION_NAME = "_session.lock"


@contextmanager
def write_lock(store: Path) -> Iterator[None]:
    """Hold the store's write lock; waits for another writer (process or thread) to finish."""
    lock = FileLock(store / LOCK_NAME)
    with _telling_where(store, lock.path):
        make_folders(store)
        lock.acquire(wait=True)
    try:
        yield
    finally:
        lock.release()


def claim_session(store: Path) -> FileLock:
    """Become the one live session that writes to ``store``; the caller releases the lock at its end.

    StoreError, with the other's process and since when, if there is one. One that has died stands in nobody's way.
    Imports may go on meanwhile: they take turns with the session.
    """
    lock = FileLock(store / SESSION_NAME)
    with _telling_where(store, lock.path):
        make_folders(store)
        try:
            lock.acquire(wait=False)
        except HeldError as error:
            raise StoreError(
                f"another live session writes to the store {store}: {in_words(error.holder)}; "
                "end that one, or name another store with --data"
            ) from None
    return lock


def session_runs(store: Path) -> bool:
    """True while a live session that writes to ``store`` runs."""
    lock = FileLock(store / SESSION_NAME)
    if not lock.path.exists():
        return False
    with _telling_where(store, lock.path):
        try:
            lock.acquire(wait=False)
        except HeldError:
            return True
        lock.release()
    return False


@contextmanager
def _telling_where(store: Path, lock: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise StoreError(
            f"the store {store} cannot be written: {error.strerror} ({error.filename or lock})"
        ) from error
