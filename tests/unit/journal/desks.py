"""What the tests of the journal share: a journal, and a database whose commits go wrong on demand."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from sqlalchemy import Connection
from sqlalchemy.exc import OperationalError

from mismartera.journal import Database, Event, JournalReader, JournalWriter, open_database
from mismartera.journal.lock import Lock, lock_journal
from mismartera.journal.sessions import NewSession, begin_session

CONFIG = {"session_data_config": {"symbols": ["AAA", "BBB"]}}
FROM_NOTHING: dict[str, object] = {"streams": {}, "generations": {}, "acted": [], "configured": ["AAA", "BBB"]}


def new_session(**fields: object) -> NewSession:
    """A session that begins."""
    values = {
        "name": "test", "began_us": 0, "host": "here", "pid": 1, "config": CONFIG, "folder": ".", "versions": {},
        "began_with": FROM_NOTHING, "store": "store", "store_version": None,
    }  # fmt: skip
    return NewSession(**(values | fields))  # type: ignore[arg-type]  # the fields of one


class FlakyDatabase(Database):
    """``lost``: so many commits do not happen; ``unknown``: so many happen, and nobody is told."""

    lost = unknown = 0

    @contextmanager
    def writing(self) -> Iterator[Connection]:
        if self.lost:
            self.lost -= 1
            raise OperationalError("COMMIT", {}, OSError("disk I/O error"))
        with super().writing() as connection:
            yield connection
        if self.unknown:
            self.unknown -= 1
            raise OperationalError("COMMIT", {}, OSError("the connection is gone"))


class Desk:
    """The journal in the file, or behind the URL, ``where``, and its writer.

    ``warnings`` and ``lost`` are what it has told.
    """

    def __init__(self, where: Path | str, entries_max: int = 1000) -> None:
        self.where = where
        open_database(where, make=True).close()
        self.database = FlakyDatabase.at(where)
        self.lock: Lock = lock_journal(self.database)
        self.session_id = begin_session(self.database, new_session())
        self.warnings: list[str] = []
        self.lost: list[BaseException] = []
        self.writer = JournalWriter(self.database, self.lock, self.warnings.append, self.lost.append, entries_max)

    def start(self) -> JournalWriter:
        """Begin to write."""
        self.writer.start(self.session_id)
        return self.writer

    def values(self) -> list[int]:
        """The values of the signals that another process would find."""
        database = open_database(self.where, make=False)
        rows = JournalReader(database).rows(signal(0).table, self.session_id)
        texts = [str(row["fields"]) for row in rows]
        database.close()
        return [int(text.rsplit(":", 1)[1].rstrip("}")) for text in texts]

    def close(self) -> None:
        """End."""
        self.writer.stop(10)
        self.lock.release()
        self.database.close()


def signal(value: int) -> Event:
    """An event."""
    return Event(value, "signal", {"name": "n", "strategy": "s", "value": value})
