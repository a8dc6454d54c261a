"""Recorder: stands between the threads of a live session and the world, and notes what they see of it.

The engine and the intake are plain synchronous objects: what they do follows from what the clock reads, from what
they take out of their inboxes and when, and from what the feed says. All of that goes through here.
"""

from __future__ import annotations

import threading
from collections.abc import Callable

from mismartera.feeds.port import Feed
from mismartera.journal import JournalWriter
from mismartera.live.door import IntakeDoor, Order
from mismartera.live.requests import Requests
from mismartera.session.turns import Turns
from mismartera.timing import WallClock
from mismartera.trace import items
from mismartera.trace.items import Kind, TraceLog
from mismartera.trace.recorded import (
    JournalSink,
    LoggedCommands,
    RecordedDoor,
    RecordedFeed,
    RecordedInbox,
    RecordedRequests,
    RecordedWall,
)
from mismartera.trace.sights import RecordedSights
from mismartera.trace.turns import RecordedTurns


class Recorder:
    """One live session's. ``is_engine`` tells whether the calling thread is the engine's; it is set when that is
    known. ``make_inbox``: where waiting is something else than that of threads.
    """

    def __init__(
        self, writer: JournalWriter, wall: WallClock, make_inbox: Callable[..., RecordedInbox] = RecordedInbox
    ) -> None:
        self._writer = writer
        self._wall = wall
        self._asking = threading.local()
        """Which request the calling thread works on."""
        self.is_engine: Callable[[], bool] = lambda: False
        self.is_seeing: Callable[[], bool] = lambda: False
        """The same where the engine sees the world."""
        self._turns: RecordedTurns | None = None
        self.engine = TraceLog(items.ENGINE)
        self.intake = TraceLog(items.INTAKE)
        # What the engine has seen of the intake's doings must not be there without what the intake had seen.
        writer.pull_from(self.engine.pull)
        writer.pull_from(self.intake.pull)

        def is_engine() -> bool:  # what is set later
            return self.is_engine()

        def is_seeing() -> bool:  # and so is this
            return self.is_seeing()

        self.engine_wall = RecordedWall(wall, self.engine, is_seeing)
        self.intake_wall = RecordedWall(wall, self.intake, lambda: True)
        self.inbox = make_inbox(self.engine, is_seeing, writer.nudge)
        self.commands = LoggedCommands(self.engine, is_engine, self.inbox, writer, wall)
        self.sights = RecordedSights(self.engine, is_engine, self.commands)
        self.sink = JournalSink(writer)

    def feed(self, feed: Feed) -> Feed:
        """``feed``, whose answers are noted."""
        return RecordedFeed(feed, self._writer, self.intake, self._asking)

    def order(self, order: Order) -> Order:
        """An order of the engine for its intake."""

        def carry_out() -> None:
            self.intake.note(Kind.ORDER, 0)
            order()

        return carry_out

    def requests(self, requests: Requests) -> Requests:
        """``requests``, whose answers are noted when the intake is handed them."""
        return RecordedRequests(requests, self.intake, self._asking)

    def door(self, on_work: Callable[[], None]) -> IntakeDoor:
        """The intake's."""
        return RecordedDoor(on_work, self._writer, self.intake)

    def bind(self, is_engine: Callable[[], bool]) -> None:
        """Know the engine's thread."""
        turns = self._turns
        self.is_engine = is_engine if turns is None else turns.is_acting
        self.is_seeing = is_engine if turns is None else turns.is_seeing

    def make_turns(self, is_engine: Callable[[], bool], changed: threading.Condition) -> Turns:
        """The turns of strategies on threads of their own. ``changed``: the registry's lock."""
        turns = self._turns = self.inbox.standing = RecordedTurns(
            self.engine, is_engine, changed, self._writer.nudge
        )
        return turns
