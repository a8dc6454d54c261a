"""Player: takes the world's place, and shows the engine and the intake of a past session what they saw then.

One thread: the intake is let go on whenever the engine takes something of it, as far as it had come then. What
they do follows from what they see, so they do it again: the same deliveries, transitions and events.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping
from typing import Any

from mismartera.journal import JournalReader, PastSession
from mismartera.live.door import IntakeDoor, Order
from mismartera.live.requests import Requests
from mismartera.session.turns import Turns
from mismartera.trace.items import Kind
from mismartera.trace.played import (
    PlayedCommands,
    PlayedDoor,
    PlayedDriver,
    PlayedFeed,
    PlayedInbox,
    PlayedRequests,
    PlayedWall,
    SilentSink,
)
from mismartera.trace.script import Script
from mismartera.trace.sights import PlayedSights
from mismartera.trace.turns import PlayedTurns


class Player:
    """One past session's. ``until_us``: it ends before the engine's clock passes this."""

    def __init__(self, reader: JournalReader, session: PastSession, until_us: int | None = None) -> None:
        script = self._script = Script(reader, session, until_us)
        self.engine_wall = PlayedWall(script.engine_now_us)
        self.intake_wall = PlayedWall(lambda: script.intake_item(Kind.CLOCK))
        self.commands = PlayedCommands()
        self.inbox = PlayedInbox(script, self.commands)
        self.requests_of_past = PlayedRequests(reader, session, script)
        self.feed = PlayedFeed(script, self.requests_of_past)
        self.driver = PlayedDriver(script)
        self.sights = PlayedSights(script)
        self.sink = SilentSink()

    @property
    def has_begun(self) -> bool:
        """See :attr:`Script.has_begun`."""
        return self._script.has_begun

    @property
    def lost(self) -> int:
        """How many commands are missing: those of threads that nobody follows, like a signal of a user's."""
        return self.inbox.lost

    def give_by(self, give: Callable[[Mapping[str, Any]], object]) -> None:
        """Let ``give`` give the commands that other threads gave."""
        self._script.give = give

    def bind(self, is_engine: Callable[[], bool]) -> None:
        """Know the engine's thread."""
        self._script.is_engine = is_engine

    def make_turns(self, is_engine: Callable[[], bool], changed: threading.Condition) -> Turns:  # noqa: ARG002
        """The turns of strategies on threads of their own."""
        return PlayedTurns(self._script)

    def order(self, order: Order) -> Order:
        """An order of the engine for its intake."""
        return order

    def requests(self, requests: Requests) -> Requests:
        """Those of the past."""
        return requests

    def door(self, on_work: Callable[[], None]) -> IntakeDoor:
        """The intake's."""
        return PlayedDoor(on_work, self._script, self.requests_of_past)
