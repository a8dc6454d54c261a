"""JournalReader: past sessions, and what is known of one."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from typing import Any

from msgspec import Struct
from sqlalchemy import Table, func, select

from mismartera.errors import JournalError
from mismartera.journal import tables
from mismartera.journal.database import Database
from mismartera.journal.state import JournalState

_CHUNK = 2_000


class PastSession(Struct, frozen=True):
    """A row of ``sessions``. ``config`` as it was run (``symbols`` those it began with); ``outcome`` None: it did
    not end by itself.
    """

    id: int
    name: str
    began_us: int
    ended_us: int | None
    outcome: str | None
    host: str
    pid: int
    config: Mapping[str, Any]
    folder: str
    versions: Mapping[str, Any]
    began_with: Mapping[str, Any]
    store: str
    store_version: int | None
    until_us: int | None
    resumed: int | None


class JournalReader:
    """Reads a journal, also while a session writes it."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def sessions(self) -> list[PastSession]:
        """All sessions, the oldest first."""
        with self._database.reading() as connection:
            rows = connection.execute(select(tables.sessions).order_by(tables.sessions.c.id)).mappings().all()
        return [_past_session(dict(row)) for row in rows]

    def session(self, name: str) -> PastSession:
        """The session with this number, or the last one for "last". JournalError if there is none."""
        found = self.sessions()
        if name == "last" and found:
            return found[-1]
        for session in found:
            if str(session.id) == name:
                return session
        known = ", ".join(str(session.id) for session in found[-10:]) or "none"
        raise JournalError(f"{self._database.label} has no session {name!r}; allowed: last, or one of {known}")

    def last_of(self, name: str) -> PastSession | None:
        """The newest session of this name."""
        return next((session for session in reversed(self.sessions()) if session.name == name), None)

    def rows(self, table: Table, session_id: int, after: int = 0) -> Iterator[Mapping[str, Any]]:
        """The rows of one of the tables of entries after that ``seq``, in order, some thousand at a time."""
        while True:
            query = (
                select(table)
                .where(table.c.session_id == session_id, table.c.seq > after)
                .order_by(table.c.seq)
                .limit(_CHUNK)
            )
            with self._database.reading() as connection:
                found = connection.execute(query).mappings().all()
            yield from map(dict, found)
            if len(found) < _CHUNK:
                return
            after = found[-1]["seq"]

    def sizes(self, session_id: int) -> dict[str, int]:
        """How many rows each table has of the session."""
        with self._database.reading() as connection:
            return {
                table.name: connection.execute(
                    select(func.count()).select_from(table).where(table.c.session_id == session_id)
                ).scalar_one()
                for table in tables.ENTRIES
            }

    def state(self, session: PastSession, until_seq: int | None = None) -> JournalState:
        """What the session had come to, by its entries up to ``until_seq``."""
        state = JournalState()
        data = session.config["session_data_config"]
        own = session.began_with["streams"]
        state.acted |= set(session.began_with["acted"])
        configured = {s: tuple(own[s]) if s in own else None for s in data["symbols"]}
        state.configured(configured, session.began_with["generations"])
        events, commands = self.rows(tables.events, session.id), self.rows(tables.commands, session.id)
        for table, row in _merged(events, commands):
            if until_seq is not None and row["seq"] > until_seq:
                break
            if table == "events":
                state.event(row["seq"], row["time_us"], row["name"], json.loads(row["fields"]))
            else:
                state.command(row["seq"], row)
        return state


def _merged(
    events: Iterator[Mapping[str, Any]], commands: Iterator[Mapping[str, Any]]
) -> Iterator[tuple[str, Mapping[str, Any]]]:
    event, command = next(events, None), next(commands, None)
    while event is not None or command is not None:
        if command is None or (event is not None and event["seq"] < command["seq"]):
            assert event is not None, "one of them is there"
            yield "events", event
            event = next(events, None)
        else:
            yield "commands", command
            command = next(commands, None)


def _past_session(row: Mapping[str, Any]) -> PastSession:
    values = {**row, **{name: json.loads(row[name]) for name in ("config", "versions", "began_with")}}
    return PastSession(**values)
