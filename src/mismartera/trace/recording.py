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
        self.engine = TraceLog(items.ENGINE)
        self.intake = TraceLog(items.INTAKE)
        # What the engine has seen of the intake's doings must not be there without what the intake had seen.
        writer.pull_from(self.engine.pull)
        writer.pull_from(self.intake.pull)

        def is_engine() -> bool:  # what is set later
            return self.is_engine()

        self.engine_wall = RecordedWall(wall, self.engine, is_engine)
        self.intake_wall = RecordedWall(wall, self.intake, lambda: True)
        self.inbox = make_inbox(self.engine, is_engine, writer.nudge)
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
        self.is_engine = is_engine
