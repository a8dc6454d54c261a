"""The rows of ``sessions``: one is made when a session begins, and closed when it ends by itself."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from msgspec import Struct
from sqlalchemy import insert, update
from sqlalchemy.exc import SQLAlchemyError

from mismartera.errors import JournalError
from mismartera.journal import tables
from mismartera.journal.database import Database, reason_of


class NewSession(Struct, frozen=True):
    """What is known when a session begins. ``versions``: of whatever decides on its results; ``began_with``: the
    symbols' own streams and generations, and the schedule's entries that have acted before.
    """

    name: str
    began_us: int
    host: str
    pid: int
    config: Mapping[str, Any]
    folder: str
    versions: Mapping[str, Any]
    began_with: Mapping[str, Any]
    store: str
    store_version: int | None
    until_us: int | None = None
    resumed: int | None = None


def begin_session(database: Database, session: NewSession) -> int:
    """Make its row; the number of the session. JournalError if that is not possible."""
    values = {name: getattr(session, name) for name in NewSession.__struct_fields__}
    values |= {name: json.dumps(values[name], sort_keys=True) for name in ("config", "versions", "began_with")}
    try:
        with database.writing() as connection:
            found = connection.execute(insert(tables.sessions).values(**values)).inserted_primary_key
    except SQLAlchemyError as error:
        raise JournalError(f"the journal {database.label} cannot be written: {reason_of(error)}") from error
    assert found is not None, "the database numbers the sessions"
    return int(found[0])


def end_session(database: Database, session_id: int, ended_us: int, outcome: str) -> None:
    """The session has ended by itself, or was told to. JournalError if that cannot be noted."""
    query = update(tables.sessions).where(tables.sessions.c.id == session_id)
    try:
        with database.writing() as connection:
            connection.execute(query.values(ended_us=ended_us, outcome=outcome))
    except SQLAlchemyError as error:
        raise JournalError(f"the journal {database.label} cannot be written: {reason_of(error)}") from error
