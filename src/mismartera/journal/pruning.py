"""Pruning: old sessions leave the journal, so that it does not grow for ever."""

from __future__ import annotations

from collections.abc import Sequence

from sqlalchemy import delete
from sqlalchemy.exc import SQLAlchemyError

from mismartera.errors import JournalError
from mismartera.journal.database import Database, reason_of
from mismartera.journal.reader import JournalReader, PastSession
from mismartera.journal.tables import ENTRIES, sessions


def prunable(reader: JournalReader, *, keep: int, before_us: int | None = None) -> list[PastSession]:
    """The sessions that may go: all but the newest ``keep`` of each name (at least one: a session is resumed from
    it), and of these only those that began before ``before_us``.
    """
    assert keep >= 1, "the last session of a name is needed to go on with"
    kept: dict[str, int] = {}
    found: list[PastSession] = []
    for session in reversed(reader.sessions()):
        kept[session.name] = kept.get(session.name, 0) + 1
        if kept[session.name] > keep and (before_us is None or session.began_us < before_us):
            found.append(session)
    return found[::-1]


def prune(database: Database, found: Sequence[PastSession]) -> None:
    """Remove these sessions and give their room back. One session, one transaction: a crash leaves whole ones.

    Whoever calls holds the journal's lock. JournalError if it cannot be written.
    """
    try:
        for session in found:
            with database.writing() as connection:
                for table in ENTRIES:
                    connection.execute(delete(table).where(table.c.session_id == session.id))
                connection.execute(delete(sessions).where(sessions.c.id == session.id))
        if database.is_sqlite and found:
            with database.engine.connect() as connection:
                connection.exec_driver_sql("VACUUM")
                connection.exec_driver_sql("PRAGMA wal_checkpoint(TRUNCATE)")
    except SQLAlchemyError as error:
        raise JournalError(f"the journal {database.label} cannot be written: {reason_of(error)}") from error
