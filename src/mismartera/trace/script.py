"""Script: what the threads of a past session saw, handed out item by item."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

from mismartera.bars.instants import to_iso
from mismartera.errors import DepartedError, TraceEndedError
from mismartera.feeds.port import FeedMessage
from mismartera.journal import JournalReader, PastSession, tables
from mismartera.live.intake import Intake
from mismartera.session.inbox import Command as Act
from mismartera.trace import items
from mismartera.trace.items import Kind, TraceReader
from mismartera.trace.messages import ANSWER, decode_message


class Script:
    """One past session's. ``is_engine`` tells whether the calling thread is the engine's, ``give`` gives a command
    once more, ``let_have`` lets a strategy have its turn; they are set by whoever knows. ``intake`` is let go on
    when the engine takes something of it.

    It ends before the engine's clock passes ``until_us``.
    """

    def __init__(self, reader: JournalReader, session: PastSession, until_us: int | None = None) -> None:
        self._until_us = until_us
        self._engine = TraceReader(_payloads(reader, session.id, items.ENGINE))
        self._intake = TraceReader(_payloads(reader, session.id, items.INTAKE))
        self._given = {
            row["number"]: row for row in reader.rows(tables.commands, session.id) if row["number"] >= 0
        }
        self._messages = (r for r in reader.rows(tables.arrivals, session.id) if r["kind"] != ANSWER)
        self._is_in_intake = self.is_stopped = False
        self._departure: DepartedError | None = None
        self._engine_us = session.began_us
        self._outputs: deque[Act] = deque()
        self.intake: Intake | None = None
        self.is_engine: Callable[[], bool] = lambda: False
        self.give: Callable[[Mapping[str, Any]], object] = lambda row: None  # noqa: ARG005
        self.let_have: Callable[[int], object] = lambda turn: None  # noqa: ARG005

    @property
    def has_begun(self) -> bool:
        """False if the session was cut off before anything that was seen in it was on record."""
        return self._intake.peek() is not None

    # The engine

    def engine_now_us(self) -> int:
        """What the engine's clock reads."""
        if not self._is_in_intake and self.is_engine():
            self._engine_us = self.engine_item(Kind.CLOCK)
        return self._engine_us

    def engine_item(self, kind: Kind) -> int:
        """What the engine sees next, which must be of ``kind``."""
        while True:
            found = None if self.is_stopped else self._engine.peek()
            if found is None:
                raise self.ended()
            if found[0] == Kind.TURN:
                self.let_all_have()
                continue
            if found[0] == Kind.CLOCK and self._until_us is not None and found[1] > self._until_us:
                raise self.ended()
            if found[0] != Kind.COMMAND or kind is Kind.ORIGIN:
                break
            self._engine.skip()
            if found[1] not in self._given:
                raise self.ended()  # it was cut off before the command was durable
            self.give(self._given[found[1]])
        if found[0] != kind:
            raise self._other_item(self._engine, kind, found)
        self._engine.skip()
        return found[1]

    def let_all_have(self) -> None:
        """Let strategies have the turns that come before anything else of the engine."""
        while not self.is_stopped and (found := self._engine.peek()) is not None and found[0] == Kind.TURN:
            self._engine.skip()
            self.let_have(found[1])

    def looked(self, number: int) -> bool:
        """The engine's look of this ``number``: commands that it saw are given; were reads shut by then?"""
        if self.is_stopped or (found := self._engine.peek_after(Kind.COMMAND)) is None:
            return False  # what it saw is not on record, nor anything that it did
        if found[0] != Kind.LOOK or found[1] >> 1 != number:
            return False
        return bool(self.engine_item(Kind.LOOK) & 1)

    def is_asking(self) -> bool:
        """True if the engine asks, and not the intake or another thread."""
        return not self._is_in_intake and self.is_engine()

    def stop(self) -> None:
        """End where it is. From any thread."""
        self.is_stopped = True

    def ended(self) -> TraceEndedError | DepartedError:
        """What to raise where nothing follows: whoever asks after that, to tidy up, is told the same."""
        self.is_stopped = True
        return self._departure or TraceEndedError()

    def departed(self, what: str, trace: TraceReader | None = None) -> DepartedError:
        """What to raise where something else is done, at the present item of ``trace`` (the engine's)."""
        number = (trace or self._engine).number
        self.is_stopped = True
        self._departure = DepartedError(
            f"the replay has departed from the session at {to_iso(self._engine_us)} (item {number}: {what}): is "
            "the code, or a strategy, another one, or does a strategy look at something besides its session?"
        )
        return self._departure

    def _other_item(self, trace: TraceReader, kind: Kind, found: tuple[int, int]) -> DepartedError:
        return self.departed(f"{Kind(found[0]).name} was recorded, {kind.name} is asked for", trace)

    # The intake

    def told(self, commands: Sequence[Act]) -> None:
        """The intake tells the engine."""
        self._outputs.extend(commands)

    def next_told(self) -> Act:
        """What the intake tells the engine next."""
        intake = self.intake
        while not self._outputs:
            assert intake is not None, "nothing is told before it has begun"
            self._is_in_intake = True
            try:
                intake.step()
            finally:
                self._is_in_intake = False
        return self._outputs.popleft()

    def intake_item(self, kind: Kind) -> int:
        """What the intake sees next, which must be of ``kind``."""
        found = self._intake.peek()
        if found is None:
            raise self.ended()
        if found[0] != kind:
            raise self._other_item(self._intake, kind, found)
        self._intake.skip()
        return found[1]

    def intake_if(self, kind: Kind) -> int | None:
        """The same if it is of ``kind``; None if it is something else."""
        found = self._intake.peek()
        if found is None or found[0] != kind:
            return None
        self._intake.skip()
        return found[1]

    def next_message(self) -> FeedMessage:
        """The feed's next."""
        row = next(self._messages, None)
        if row is None:
            raise self.ended()
        return decode_message(row["kind"], row["payload"])


def _payloads(reader: JournalReader, session_id: int, stream: str) -> Iterator[bytes]:
    return (row["payload"] for row in reader.rows(tables.traces, session_id) if row["stream"] == stream)
