"""One writer of a journal: a second one is refused, and told who the first one is."""

from __future__ import annotations

from pathlib import Path
from typing import Protocol

from sqlalchemy import Connection, text
from sqlalchemy.exc import SQLAlchemyError

from mismartera.bars.instants import to_iso
from mismartera.errors import JournalError
from mismartera.files.lock import FileLock, HeldError, in_words
from mismartera.journal.database import Database, reason_of

_KEY = 0x6D69736D  # "mism", as a number that all its sessions share


class Lock(Protocol):
    """Held until it is released; the system frees that of a process that dies."""

    def release(self) -> None:
        """Let others write."""
        ...

    def is_held(self) -> bool:
        """False if it was lost with the connection, and cannot be had again."""
        ...


def lock_journal(database: Database) -> Lock:
    """Be the only one that writes this journal. JournalError names who does already."""
    path = database.path
    if path is None:
        return _AdvisoryLock(database)
    return _FileLock(path.with_name(path.name + ".lock"), database.label)


class _FileLock:
    def __init__(self, path: Path, label: str) -> None:
        self._lock = FileLock(path)
        try:
            self._lock.acquire(wait=False)
        except HeldError as error:
            raise JournalError(
                f"the journal {label} is in use by {in_words(error.holder)}: one session at a time writes it"
            ) from None
        except OSError as error:
            raise JournalError(f"the journal {label} cannot be locked: {error.strerror} ({path})") from error

    def release(self) -> None:
        self._lock.release()

    def is_held(self) -> bool:
        return self._lock.is_held


class _AdvisoryLock:
    """PostgreSQL's own: it lives as long as its connection does."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._connection: Connection | None = None
        self._acquire()

    def _acquire(self) -> None:
        try:
            connection = self._database.engine.connect()
            is_ours = bool(connection.execute(text("SELECT pg_try_advisory_lock(:key)"), {"key": _KEY}).scalar())
            connection.commit()
        except SQLAlchemyError as error:
            raise JournalError(
                f"the journal {self._database.label} cannot be reached: {reason_of(error)}"
            ) from error
        if not is_ours:
            holder = self._holder(connection)
            connection.close()
            raise JournalError(
                f"the journal {self._database.label} is in use by {holder}: one session at a time writes it"
            )
        self._connection = connection

    def _holder(self, connection: Connection) -> str:
        query = "SELECT host, pid, began_us FROM sessions WHERE ended_us IS NULL ORDER BY id DESC LIMIT 1"
        row = connection.execute(text(query)).one_or_none()
        return f"process {row.pid} on {row.host}, since {to_iso(row.began_us)}" if row else "another process"

    def release(self) -> None:
        if self._connection is not None:
            self._connection.invalidate()  # a pooled connection would keep the lock
            self._connection.close()
            self._connection = None

    def is_held(self) -> bool:
        if self._connection is None:
            return False
        try:
            self._connection.execute(text("SELECT 1"))
            self._connection.commit()
        except SQLAlchemyError:
            self.release()
            try:
                self._acquire()
            except JournalError:
                return False
        return True
