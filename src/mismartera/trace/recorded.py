"""The ends of a session at which is noted what goes through them."""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from itertools import count
from typing import TypeVar

from mismartera.errors import MismarteraError
from mismartera.feeds.port import BackfillResult, BarsArrived, Feed, FeedMessage, FeedSink
from mismartera.journal import Arrival, Command, Event, JournalWriter
from mismartera.live.door import IntakeDoor
from mismartera.live.requests import Requests
from mismartera.session.inbox import LOGGED, Inbox
from mismartera.session.inbox import Command as Act
from mismartera.session.ports import Field
from mismartera.timing import WallClock
from mismartera.trace.items import Kind, TraceLog
from mismartera.trace.messages import ANSWER, encode_answer, encode_message, kind_of

T = TypeVar("T")


class RecordedWall:
    """A clock whose readings are noted."""

    def __init__(self, wall: WallClock, log: TraceLog, is_noted: Callable[[], bool]) -> None:
        self._wall = wall
        self._note = log.clock
        self._is_noted = is_noted
        self.wall_seconds = wall.wall_seconds
        self.monotonic = wall.monotonic
        self.begin = wall.begin

    def now_us(self) -> int:
        """See the port."""
        is_noted = self._is_noted()
        us = self._wall.now_us()
        if is_noted:
            self._note(us)
        return us


class RecordedInbox(Inbox):
    """Notes what the engine's thread sees of its flags, and whose commands it takes. ``standing`` is entered while
    it waits.
    """

    def __init__(self, log: TraceLog, is_noted: Callable[[], bool], nudge: Callable[[], None]) -> None:
        self._is_noted = is_noted
        self.standing: AbstractContextManager[None] = nullcontext()
        self._log = log
        self._nudge = nudge
        self._attention = self._stopping = self._pausing = False
        super().__init__()
        self._origins: list[int] = []

    def _seen(self, flag: bool) -> bool:  # what was seen
        if self._is_noted():
            self._log.note(Kind.FLAG, int(flag))
        return flag

    @property
    def attention(self) -> bool:  # a plain attribute where nobody takes notes
        """See the port."""
        return self._seen(self._attention)

    @attention.setter
    def attention(self, up: bool) -> None:
        self._attention = up

    @property
    def stopping(self) -> bool:
        """See the port."""
        return self._seen(self._stopping)

    @stopping.setter
    def stopping(self, up: bool) -> None:
        self._stopping = up

    @property
    def pausing(self) -> bool:
        """See the port."""
        return self._seen(self._pausing)

    @pausing.setter
    def pausing(self, up: bool) -> None:
        self._pausing = up

    def post(self, command: Act) -> None:
        """See the port."""
        with self._changed:
            self.check_room()
            self.urge(command)

    def urge_all(self, commands: Sequence[Act], origin: int) -> None:
        """See the port."""
        with self._changed:
            self._commands.extend(commands)
            self._origins.extend([origin] * len(commands))
            self._wake()

    def take_all(self) -> list[Act]:
        """See the port."""
        with self._changed:
            commands, origins = list(self._commands), self._origins
            self._commands.clear()
            self._origins = []
            self._attention = self._stopping or self._pausing
        self._log.note_taken(origins)
        if commands:
            self._nudge()
        return commands

    def wait(self, seconds: float | None) -> bool:
        """See the port."""
        bounded = None if seconds is None else min(seconds, threading.TIMEOUT_MAX)
        with self.standing, self._changed:
            is_up = self._changed.wait_for(lambda: self._attention, bounded)
        return self._seen(is_up)

    def hold(self) -> None:
        """See the port."""
        with self.standing, self._changed:
            self._holding = True
            self._changed.notify_all()
            self._changed.wait_for(lambda: self._stopping or not self._pausing or bool(self._commands))
            self._holding = False
            self._attention = bool(self._commands) or self._stopping or self._pausing


class LoggedCommands:
    """The :class:`~mismartera.session.command_log.CommandLog` of a journal: the engine acts on what is durable."""

    def __init__(
        self, log: TraceLog, is_engine: Callable[[], bool], inbox: Inbox, writer: JournalWriter, wall: WallClock
    ) -> None:
        self._log = log
        self._is_engine = is_engine
        self._inbox = inbox
        self._writer = writer
        self._wall = wall
        self._numbers = count()
        self.foreign = 0
        """How many came from other threads than the engine's."""
        self._removals_accepted = self._removals_done = 0
        """Each is written by one thread at a time: under the registry's lock, and on the engine's."""

    @property
    def removals_waiting(self) -> int:
        """See :attr:`CommandLog.removals_waiting`."""
        return self._removals_accepted - self._removals_done

    def accept(self, what: str, symbol: str, streams: tuple[str, ...] | None, act: Act) -> None:
        """See :meth:`CommandLog.accept`."""
        number = next(self._numbers)
        is_removal = what == "remove"
        self._removals_accepted += is_removal
        who = "engine" if self._is_engine() else "user"
        if who == "user":
            self.foreign += 1  # under the registry's lock
            self._log.note(Kind.COMMAND, number)

        def carry_out() -> None:
            act()
            self._removals_done += is_removal

        entry = Command(number, self._wall.now_us(), what, who, symbol, streams)
        self._writer.settle(entry, lambda: self._inbox.urge(carry_out, LOGGED + number))

    def acted(self, label: str) -> None:
        """See :meth:`CommandLog.acted`."""
        self._writer.put(Command(-1, self._wall.now_us(), "acted", label))


class JournalSink:
    """Takes the session's events into the journal; its bars are those that the feed has sent."""

    wants_bars = False
    wants_gaps = True

    def __init__(self, writer: JournalWriter) -> None:
        self._writer = writer

    def event(self, name: str, now_us: int, fields: Mapping[str, Field]) -> None:
        """See :meth:`EventSink.event`."""
        self._writer.put(Event(now_us, name, fields))

    def bar(self, bar: object) -> None:
        """Never called."""
        raise AssertionError(bar)


class RecordedDoor(IntakeDoor):
    """Notes what the intake takes of the feed's messages."""

    def __init__(self, on_work: Callable[[], None], writer: JournalWriter, log: TraceLog) -> None:
        super().__init__(on_work)
        self._writer = writer
        self._log = log

    def begin(self) -> None:
        """See the port."""
        super().begin()
        self._log.note(Kind.STEP, 0)

    def messages(self) -> list[FeedMessage]:
        """See the port."""
        found = super().messages()
        if found:
            for message in found:
                self._writer.put(_arrival(message))
            self._log.note(Kind.MESSAGES, len(found))
        return found


def _arrival(message: FeedMessage) -> Arrival:
    arrived_us, bars = (message.arrived_us, len(message)) if isinstance(message, BarsArrived) else (None, 0)
    return Arrival(kind_of(message), arrived_us, bars, lambda: encode_message(message))


class RecordedRequests:
    """Numbers the requests, and notes when the answer of each reaches the intake."""

    def __init__(self, requests: Requests, log: TraceLog, asking: threading.local) -> None:
        self._requests = requests
        self._asking = asking
        self._log = log
        self._numbers = count()

    def ask(self, call: Callable[[], T], done: Callable[[T | MismarteraError], None]) -> None:
        """See the port."""
        number = next(self._numbers)

        def numbered() -> T:
            self._asking.number = number
            return call()

        def told(answer: T | MismarteraError) -> None:
            self._log.note(Kind.ANSWER, number)
            done(answer)

        self._requests.ask(numbered, told)

    def stop(self) -> None:
        """See the port."""
        self._requests.stop()


class RecordedFeed:
    """Notes what the vendor's store answers, and when data came last."""

    def __init__(self, feed: Feed, writer: JournalWriter, log: TraceLog, asking: threading.local) -> None:
        self._feed = feed
        self._asking = asking
        self._writer = writer
        self._log = log
        self.subscribe = feed.subscribe
        self.unsubscribe = feed.unsubscribe
        self.reconnect = feed.reconnect
        self.leave = feed.leave
        self.stop = feed.stop

    @property
    def last_data_us(self) -> int | None:
        """See the port."""
        us = self._feed.last_data_us
        self._log.note(Kind.DATA, -1 if us is None else us)
        return us

    def start(self, sink: FeedSink) -> None:
        """See the port."""
        self._feed.start(sink)

    def backfill(self, symbols: Sequence[str], interval: str, start_us: int, end_us: int) -> BackfillResult:
        """See the port."""
        try:
            found = self._feed.backfill(symbols, interval, start_us, end_us)
        except MismarteraError as error:
            self._note(error, 0)
            raise
        self._note(found, len(found.block))
        return found

    def _note(self, answer: BackfillResult | MismarteraError, bars: int) -> None:
        number = self._asking.number
        self._writer.put(Arrival(ANSWER, None, bars, lambda: encode_answer(number, answer)))
