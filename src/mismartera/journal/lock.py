"""One writer of a journal: a second one is refused, and told who the first one is."""

from __future__ import annotations

import os
import socket
from pathlib import Path
from typing import Protocol

from sqlalchemy import Connection, text
from sqlalchemy.exc import SQLAlchemyError

from mismartera.bars.instants import to_iso
from mismartera.errors import JournalError
from mismartera.files.lock import FileLock, HeldError, in_words
from mismartera.journal.database import Database, reason_of
from mismartera.timing import SystemClock

_KEY = 0x6D69736D  # "mism", as a number that all its sessions share
_NAME_MAX = 63  # bytes that PostgreSQL keeps of a connection's name


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
    """PostgreSQL's own: it lives as long as its connection does, whose name tells others whose it is."""

    def __init__(self, database: Database) -> None:
        self._database = database
        since = to_iso(SystemClock().now_us())
        self._name = f"mismartera {os.getpid()} {since} {socket.gethostname()}"[:_NAME_MAX]
        self._connection: Connection | None = None
        self._is_released = False
        try:
            holder = self._acquire()
        except SQLAlchemyError as error:
            raise JournalError(f"the journal {database.label} cannot be reached: {reason_of(error)}") from error
        if holder is not None:
            raise JournalError(
                f"the journal {database.label} is in use by {holder}: one session at a time writes it"
            )

    def _acquire(self) -> str | None:
        """Get it; if it is another's, whose."""
        # A session that stays in a transaction keeps the server from tidying up: each statement is one of its own.
        connection = self._database.engine.connect().execution_options(isolation_level="AUTOCOMMIT")
        try:
            if connection.execute(text("SELECT pg_try_advisory_lock(:key)"), {"key": _KEY}).scalar():
                connection.execute(
                    text("SELECT set_config('application_name', :name, false)"), {"name": self._name}
                )
                self._connection = connection
                return None
            return _advisory_holder(connection)
        finally:
            if self._connection is not connection:
                connection.invalidate()
                connection.close()

    def release(self) -> None:
        self._is_released = True
        self._let_go()

    def _let_go(self) -> None:
        if self._connection is not None:
            self._connection.invalidate()  # a pooled connection would keep the lock
            self._connection.close()
            self._connection = None

    def is_held(self) -> bool:
        if self._connection is not None:
            try:
                self._connection.execute(text("SELECT 1"))
            except SQLAlchemyError:
                self._let_go()
            else:
                return True
        return not self._is_released and self._acquire() is None


def _advisory_holder(connection: Connection) -> str:
    query = (
        "SELECT a.application_name FROM pg_locks l JOIN pg_stat_activity a ON a.pid = l.pid "
        "WHERE l.locktype = 'advisory' AND l.granted AND l.classid = 0 AND l.objid = :key AND l.database = "
        "(SELECT oid FROM pg_database WHERE datname = current_database())"
    )
    name = connection.execute(text(query), {"key": _KEY}).scalar() or ""
    match name.split(maxsplit=3):
        case ["mismartera", pid, since, host]:
            return f"process {pid} on {host}, since {since}"
    return "another process"
