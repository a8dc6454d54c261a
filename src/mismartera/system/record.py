"""LiveRecord: what keeps the journal of a live session, or plays one from its journal."""

from __future__ import annotations

from typing import Protocol

from msgspec import Struct

from mismartera.catalog import DataManager
from mismartera.config import SessionConfig
from mismartera.feeds.port import Feed
from mismartera.live.keeping import Keeper
from mismartera.session.beginning import Beginning
from mismartera.session.coordinator import SessionCoordinator
from mismartera.session.ports import EventSink, SessionRecorder
from mismartera.system.live import LiveSource
from mismartera.timing import WallClock


class Backlog(Struct, frozen=True):
    """``entries`` wait to be durable. ``wal_bytes``: the size of SQLite's write-ahead log, which grows while a
    reader stays; None of another database.
    """

    entries: int
    wal_bytes: int | None


class LiveRecord(Protocol):
    """What keeps the journal of a live session, or plays one from its journal."""

    @property
    def engine_wall(self) -> WallClock:
        """The engine's clock."""
        ...

    @property
    def sinks(self) -> tuple[EventSink, ...]:
        """Its listeners to the session."""
        ...

    @property
    def recorders(self) -> tuple[SessionRecorder, ...]:
        """Its keepers of finished sessions."""
        ...

    @property
    def keeps_bars(self) -> bool:
        """True if the bars are to be stored: not those of a session that was."""
        ...

    @property
    def beginning(self) -> Beginning:
        """What the session goes on with."""
        ...

    def bind(self, coordinator: SessionCoordinator) -> None:
        """Know who runs the session."""
        ...

    def source(self, feed: Feed, wall: WallClock, keeper: Keeper, until_us: int | None) -> LiveSource:
        """What the session's bars come from."""
        ...

    def begin(self, config: SessionConfig, data: DataManager, until_us: int | None) -> None:
        """The session begins."""
        ...

    @property
    def backlog(self) -> Backlog | None:
        """How far its disk is behind; None if it writes nothing."""
        ...

    def audit(self, who: str, what: str, result: str) -> None:
        """Somebody has asked for something from outside, and was answered so."""
        ...

    def wait_durable(self, seconds: float) -> bool:
        """True once all that happened before is durable; False if it is not after so long."""
        ...

    def end(self, outcome: str) -> None:
        """It has ended."""
        ...
