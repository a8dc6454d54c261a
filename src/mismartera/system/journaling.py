"""SessionJournal: a live session's journal, from its first entry to its last."""

from __future__ import annotations

import os
import platform
import socket
import sqlite3
from collections.abc import Callable, Mapping, Sequence
from datetime import date
from importlib.metadata import version
from pathlib import Path

from mismartera.catalog import DataManager
from mismartera.config import SessionConfig
from mismartera.errors import JournalError
from mismartera.feeds.port import Feed
from mismartera.journal import Counts, Database, Event, JournalWriter, open_database
from mismartera.journal.lock import lock_journal
from mismartera.journal.sessions import NewSession, begin_session, end_session
from mismartera.live.keeping import Keeper
from mismartera.session.beginning import FROM_NOTHING
from mismartera.session.coordinator import SessionCoordinator
from mismartera.session.ports import EventSink, Reads, SessionRecorder
from mismartera.system.live import LiveSource
from mismartera.system.record import Backlog
from mismartera.timing import WallClock
from mismartera.trace import Recorder

_STOP_SECONDS = 30.0
_OF_RESULTS = ("mismartera", "numpy", "polars", "deltalake", "exchange-calendars", "TA-Lib", "SQLAlchemy")


def versions_now() -> dict[str, str]:
    """The versions of whatever decides on a session's results."""
    return {"python": platform.python_version(), **{name: version(name) for name in _OF_RESULTS}}


class SessionJournal:
    """The only writer of the journal behind ``database``, for one session.

    JournalError names whoever else writes it. ``beginning`` and ``resumed`` (its number): the session goes on with
    that one. ``configured``: the symbols of the configuration as it was written, if it is resumed.
    """

    def __init__(
        self, database: Database, wall: WallClock, warn: Callable[[str], None], *,
        folder: Path | None = None,
    ) -> None:  # fmt: skip
        self._database = database
        self._lock = lock_journal(database)
        self._wall = wall
        self._folder = folder
        self._is_open = False
        self._counts_of: Callable[[str], dict[str, int] | None] = lambda symbol: None  # noqa: ARG005  # set later
        self.beginning = FROM_NOTHING
        self.resumed: int | None = None
        self.configured: Sequence[str] | None = None
        self.session_id = 0
        self._writer = JournalWriter(database, self._lock, warn, self._lost)
        self.recorder = Recorder(self._writer, wall)

    @property
    def keeps_bars(self) -> bool:
        """True: they are stored."""
        return True

    @property
    def engine_wall(self) -> WallClock:
        """The engine's clock."""
        return self.recorder.engine_wall

    @property
    def sinks(self) -> tuple[EventSink, ...]:
        """Its listeners to the session."""
        return (self.recorder.sink,)

    @property
    def recorders(self) -> tuple[SessionRecorder, ...]:
        """Its keepers of finished sessions."""
        return (self,)

    def record(
        self, day: date, symbols: Sequence[str], intervals: Mapping[str, Sequence[str]], data: Reads
    ) -> None:
        """See :meth:`SessionRecorder.record`: R1's counts of the day."""
        del intervals, data
        for symbol in symbols:
            counts = self._counts_of(symbol)
            if counts is not None:
                self._writer.put(Counts(day.isoformat(), symbol, counts))

    def bind(self, coordinator: SessionCoordinator) -> None:
        """Ask ``coordinator`` for R1's counts at the end of a day."""
        self._counts_of = coordinator.get_counts

    def source(self, feed: Feed, wall: WallClock, keeper: Keeper, until_us: int | None) -> LiveSource:
        """A feed, recorded."""
        return LiveSource(self.recorder.feed(feed), wall, keeper, until_us, ends=self.recorder)

    def begin(self, config: SessionConfig, data: DataManager, until_us: int | None) -> None:
        """The session begins. JournalError if that cannot be written."""
        configured = config.session_data_config.symbols if self.configured is None else self.configured
        began_with = {
            "streams": {symbol: list(labels) for symbol, labels in self.beginning.streams.items()},
            "generations": dict(self.beginning.generations), "acted": sorted(self.beginning.acted),
            "configured": list(configured), "has_turns": True,
        }  # fmt: skip
        self.session_id = begin_session(
            self._database,
            NewSession(
                name=config.session_name, began_us=self._wall.now_us(), host=socket.gethostname(), pid=os.getpid(),
                config=config.to_dict(), folder=str(self._folder or Path.cwd()),
                versions={**versions_now(), "SQLite": sqlite3.sqlite_version},
                began_with=began_with, store=str(data.path), store_version=data.version if data.exists() else None,
                until_us=until_us, resumed=self.resumed,
            ),
        )  # fmt: skip
        self._is_open = True
        self._writer.start(self.session_id)

    @property
    def backlog(self) -> Backlog:
        """How far its disk is behind."""
        return Backlog(self._writer.entries_waiting, self._database.wal_bytes())

    def audit(self, who: str, what: str, result: str) -> None:
        """Somebody has asked for something from outside, and was answered so."""
        self._writer.put(Event(self._wall.now_us(), "audit", {"who": who, "what": what, "result": result}))

    def wait_durable(self, seconds: float) -> bool:
        """True once all that happened before is durable; False if it is not after so long."""
        return self._writer.wait_durable(seconds)

    def end(self, outcome: str) -> None:
        """The session has ended: all of it is durable afterwards. JournalError if that is not possible."""
        try:
            if self._is_open:
                self._is_open = False
                if not self._writer.stop(_STOP_SECONDS):
                    raise JournalError(
                        f"the journal {self._database.label} could not be written to its end: what it has of "
                        f"session {self.session_id} is whole, the last entries are missing"
                    )
                end_session(self._database, self.session_id, self._wall.now_us(), outcome)
        finally:
            self.close()

    def close(self) -> None:
        """Let others write the journal. Idempotent."""
        self._lock.release()
        self._database.close()

    def _lost(self, error: BaseException) -> None:
        def end() -> None:
            raise error

        self.recorder.inbox.urge(end)


def open_journal(
    where: Path | str, wall: WallClock, warn: Callable[[str], None], *, folder: Path | None = None
) -> SessionJournal:
    """The journal in the file, or behind the URL, ``where``, made if it is not there. JournalError."""
    database = open_database(where, make=True)
    try:
        return SessionJournal(database, wall, warn, folder=folder)
    except BaseException:
        database.close()
        raise
