"""PlayedSession: a session of a journal, to be run once more as it was."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from mismartera.catalog import DataManager
from mismartera.config import SessionConfig
from mismartera.errors import JournalError
from mismartera.feeds.port import Feed
from mismartera.journal import JournalReader, PastSession
from mismartera.live.keeping import Keeper
from mismartera.session.beginning import Beginning
from mismartera.session.coordinator import SessionCoordinator
from mismartera.session.ports import EventSink, SessionRecorder
from mismartera.system.live import LiveSource
from mismartera.system.record import Backlog
from mismartera.timing import WallClock
from mismartera.trace import Player


class PlayedSession:
    """Takes the place of a live session's feed, clock and journal. ``until_us``: it ends there."""

    def __init__(self, reader: JournalReader, session: PastSession, until_us: int | None = None) -> None:
        self.config = SessionConfig.from_dict(dict(session.config))
        began = session.began_with
        if self.config.session_data_config.streaming.catchup_scope == "strategy" and not began.get("has_turns"):
            raise JournalError(
                f'session {session.id} has catchup_scope "strategy", and the version that recorded it did not '
                "note when strategies looked at their session: it cannot be played again; allowed: sessions of "
                "the scopes session and symbol, and those that this version has recorded"
            )
        self.session = session
        self.player = Player(reader, session, until_us)
        if not self.player.has_begun:
            raise JournalError(
                f"session {session.id} was cut off before anything was on record of what it saw: there is nothing "
                "to play; allowed: a later one"
            )
        self.beginning = Beginning(
            {symbol: tuple(labels) for symbol, labels in began["streams"].items()}, began["generations"],
            tuple(began["acted"]),
        )  # fmt: skip

    @property
    def feed(self) -> Feed:
        """What the feed said."""
        return self.player.feed

    @property
    def wall(self) -> WallClock:
        """What the clock read: outside of the engine and its intake, when the session began."""
        return self.player.engine_wall

    @property
    def engine_wall(self) -> WallClock:
        """What the engine's clock read."""
        return self.player.engine_wall

    @property
    def sinks(self) -> tuple[EventSink, ...]:
        """A listener in place of the journal's."""
        return (self.player.sink,)

    @property
    def recorders(self) -> tuple[SessionRecorder, ...]:
        """None: it was kept then."""
        return ()

    @property
    def keeps_bars(self) -> bool:
        """False: they were stored then."""
        return False

    def bind(self, coordinator: SessionCoordinator) -> None:
        """Let ``coordinator`` be given what other threads gave in the session."""

        def give(command: Mapping[str, Any]) -> None:
            if command["what"] == "add":
                streams = command["streams"]
                coordinator.add_symbol(command["symbol"], streams.split(",") if streams else None)
            else:
                coordinator.remove_symbol(command["symbol"])

        self.player.give_by(give)

    def source(self, feed: Feed, wall: WallClock, keeper: Keeper, until_us: int | None) -> LiveSource:
        """The feed of the past."""
        player = self.player
        return LiveSource(
            feed, wall, keeper, until_us, driver=player.driver, requests=player.requests_of_past, ends=player
        )

    def begin(self, config: SessionConfig, data: DataManager, until_us: int | None) -> None:
        """Nothing: it has begun."""

    @property
    def backlog(self) -> Backlog | None:
        """None: nothing is written."""
        return None

    def audit(self, who: str, what: str, result: str) -> None:
        """Nothing: it has been."""

    def wait_durable(self, seconds: float) -> bool:  # noqa: ARG002
        """It has been durable for long."""
        return True

    def end(self, outcome: str) -> None:
        """Nothing: it has ended."""
