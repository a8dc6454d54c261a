"""Player: takes the world's place, and shows the engine and the intake of a past session what they saw then.

One thread: the intake is let go on whenever the engine takes something of it, as far as it had come then. What
they do follows from what they see, so they do it again: the same deliveries, transitions and events.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterator, Mapping, Sequence
from itertools import count
from typing import Any, TypeVar

from mismartera.bars.instants import to_iso
from mismartera.errors import MismarteraError
from mismartera.feeds.port import BackfillResult, FeedMessage, FeedSink
from mismartera.journal import JournalReader, PastSession, tables
from mismartera.live.door import IntakeDoor, Order
from mismartera.live.intake import Intake
from mismartera.live.requests import Requests
from mismartera.session.inbox import FOREIGN, INTAKE, Inbox
from mismartera.session.inbox import Command as Act
from mismartera.session.ports import Field
from mismartera.trace import items
from mismartera.trace.items import Kind, TraceReader
from mismartera.trace.messages import ANSWER, Answered, decode_answer, decode_message
from mismartera.trace.recording import FIRST_LOGGED

T = TypeVar("T")


class TraceEndedError(SystemExit):
    """All that the journal has of the session was played, or as much as was asked for. No strategy catches it."""


class DepartedError(SystemExit):
    """What is played does something else than the session did: other code, or code that looks elsewhere."""


class Player:
    """One past session's. ``is_engine`` tells whether the calling thread is the engine's.

    ``until_us``: it ends before the engine's clock passes this. ``lost``: how many commands of threads that nobody
    has noted (signals that a strategy emitted on a thread of its own) are missing.
    """

    def __init__(self, reader: JournalReader, session: PastSession, until_us: int | None = None) -> None:
        self._session = session
        self._until_us = until_us
        self._engine = TraceReader(_payloads(reader, session.id, items.ENGINE))
        self._intake = TraceReader(_payloads(reader, session.id, items.INTAKE))
        self._given = {
            row["number"]: row for row in reader.rows(tables.commands, session.id) if row["number"] >= 0
        }
        self._messages = (r for r in reader.rows(tables.arrivals, session.id) if r["kind"] != ANSWER)
        self._is_in_intake = self._is_stopped = False
        self._engine_us = session.began_us
        self._outputs: deque[Act] = deque()
        self.lost = 0
        self.is_engine: Callable[[], bool] = lambda: False
        self.give: Callable[[Mapping[str, Any]], object] = lambda row: None  # noqa: ARG005  # set by whoever knows
        self.engine_wall = _Wall(self.engine_now_us)
        self.intake_wall = _Wall(lambda: self.intake_item(Kind.CLOCK))
        self.inbox = _Inbox(self)
        self.commands = _Commands()
        self.requests_of_past = _Requests(reader, session)
        self.feed = _Feed(self, self.requests_of_past)
        self.driver = _Driver()
        self.sink = _Silent()

    # The engine

    def engine_now_us(self) -> int:
        """What the engine's clock reads."""
        if not self._is_in_intake and self.is_engine():
            self._engine_us = self.engine_item(Kind.CLOCK)
        return self._engine_us

    def engine_item(self, kind: Kind) -> int:
        """What the engine sees next, which must be of ``kind``."""
        while True:
            found = self._engine.peek()
            if found is None or self._is_stopped:
                raise TraceEndedError
            if found[0] == Kind.CLOCK and self._until_us is not None and found[1] > self._until_us:
                raise TraceEndedError
            if found[0] != Kind.COMMAND or kind is Kind.ORIGIN:
                break
            self._engine.skip()
            self.give(self._given[found[1]])
        if found[0] != kind:
            raise self._departed(self._engine, kind, found)
        self._engine.skip()
        return found[1]

    def is_asking(self) -> bool:
        """True if the engine asks, and not the intake or another thread."""
        return not self._is_in_intake and self.is_engine()

    def stop(self) -> None:
        """End where it is. From any thread."""
        self._is_stopped = True

    def _departed(self, trace: TraceReader, kind: Kind, found: tuple[int, int]) -> DepartedError:
        return DepartedError(
            f"the replay has departed from the session at {to_iso(self._engine_us)} (item {trace.number}: "
            f"{Kind(found[0]).name} was recorded, {kind.name} is asked for): is the code, or a strategy, another "
            "one, or does a strategy look at something besides its session?"
        )

    # The intake

    def told(self, command: Act) -> None:
        """The intake tells the engine."""
        self._outputs.append(command)

    def next_told(self) -> Act:
        """What the intake tells the engine next."""
        intake = self.driver.intake
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
            raise TraceEndedError
        if found[0] != kind:
            raise self._departed(self._intake, kind, found)
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
            raise TraceEndedError
        return decode_message(row["kind"], row["payload"])

    # What the parts are given

    def bind(self, is_engine: Callable[[], bool]) -> None:
        """Know the engine's thread."""
        self.is_engine = is_engine

    def order(self, order: Order) -> Order:
        """An order of the engine for its intake."""
        return order

    def requests(self, requests: Requests) -> Requests:
        """Those of the past."""
        return requests

    def door(self, on_work: Callable[[], None]) -> IntakeDoor:
        """The intake's."""
        return _Door(on_work, self)


def _payloads(reader: JournalReader, session_id: int, stream: str) -> Iterator[bytes]:
    return (row["payload"] for row in reader.rows(tables.traces, session_id) if row["stream"] == stream)


class _Wall:
    def __init__(self, now_us: Callable[[], int]) -> None:
        self.now_us = now_us

    def wall_seconds(self, seconds: float) -> float:
        return seconds

    def monotonic(self) -> float:
        return 0.0

    def begin(self, moment: float) -> None:
        """Nothing: it has been."""


class _Inbox(Inbox):
    """What the engine saw of its flags, and took out."""

    def __init__(self, player: Player) -> None:
        self._player = player
        super().__init__()

    def _seen(self) -> bool:
        return bool(self._player.engine_item(Kind.FLAG)) if self._player.is_asking() else False

    @property
    def attention(self) -> bool:  # a plain attribute where nothing is played
        return self._seen()

    @attention.setter
    def attention(self, up: bool) -> None:
        """Nothing: it is up when it was."""

    @property
    def stopping(self) -> bool:
        return self._seen()

    @stopping.setter
    def stopping(self, up: bool) -> None:
        if up:
            self._player.stop()

    @property
    def pausing(self) -> bool:
        return self._seen()

    @pausing.setter
    def pausing(self, up: bool) -> None:
        """Nothing: the session is paused when it was."""

    def post(self, command: Act) -> None:
        self.urge(command)

    def urge(self, command: Act, origin: int = FOREIGN) -> None:
        if origin == INTAKE:
            self._player.told(command)

    def look_again(self) -> None:
        """Nothing."""

    def take_all(self) -> list[Act]:
        player, taken = self._player, []
        for _ in range(player.engine_item(Kind.TAKEN)):
            origin = player.engine_item(Kind.ORIGIN)
            if origin == INTAKE:
                taken.append(player.next_told())
            elif origin >= FIRST_LOGGED:
                taken.append(player.commands.act_of(origin - FIRST_LOGGED))
            else:
                player.lost += 1
        return taken

    def wait(self, seconds: float | None) -> bool:  # noqa: ARG002  # it has been waited for
        return bool(self._player.engine_item(Kind.FLAG))

    def hold(self) -> None:
        """It has held then."""


class _Commands:
    """Commands are acted on when they were."""

    def __init__(self) -> None:
        self._numbers = count()
        self._acts: dict[int, Act] = {}
        self.removals_waiting = 0

    def accept(self, what: str, symbol: str, streams: tuple[str, ...] | None, act: Act) -> None:  # noqa: ARG002
        is_removal = what == "remove"
        self.removals_waiting += is_removal

        def carry_out() -> None:
            act()
            self.removals_waiting -= is_removal

        self._acts[next(self._numbers)] = carry_out

    def act_of(self, number: int) -> Act:
        found = self._acts.pop(number, None)
        if found is None:
            raise DepartedError(f"the replay has departed from the session: command {number} was not given again")
        return found

    def acted(self, label: str) -> None:
        """It is on record."""


class _Door(IntakeDoor):
    """What the intake was told, in the order in which it was."""

    def __init__(self, on_work: Callable[[], None], player: Player) -> None:
        super().__init__(on_work)
        self._player = player

    def begin(self) -> None:
        self._player.intake_item(Kind.STEP)

    def next_order(self) -> Order | None:
        if self._player.intake_if(Kind.ORDER) is not None:
            found = super().next_order()
            if found is None:
                raise TraceEndedError  # the engine was cut off before it gave this order
            return found
        number = self._player.intake_if(Kind.ANSWER)
        return None if number is None else self._player.requests_of_past.answer(number)

    def messages(self) -> list[FeedMessage]:
        size = self._player.intake_if(Kind.MESSAGES) or 0
        return [self._player.next_message() for _ in range(size)]


class _Requests:
    """Requests are made when their answers came; the vendor says what it said then."""

    def __init__(self, reader: JournalReader, session: PastSession) -> None:
        self._reader = reader
        self._session = session
        self._numbers = count()
        self._asked: dict[int, Callable[[], None]] = {}
        self._answers: dict[int, deque[Answered]] | None = None
        self._answering = -1

    def ask(self, call: Callable[[], T], done: Callable[[T | MismarteraError], None]) -> None:
        def carry_out() -> None:
            try:
                answer: T | MismarteraError = call()
            except MismarteraError as error:
                answer = error
            done(answer)

        self._asked[next(self._numbers)] = carry_out

    def answer(self, number: int) -> Order:
        """The order that hands the intake its answer."""
        self._answering = number
        found = self._asked.pop(number, None)
        if found is None:
            raise DepartedError(f"the replay has departed from the session: request {number} was not made again")
        return found

    def next_answer(self) -> BackfillResult:
        """What the vendor's store said next, or raised."""
        if self._answers is None:
            self._answers = {}
            for row in self._reader.rows(tables.arrivals, self._session.id):
                if row["kind"] == ANSWER:
                    number, answer = decode_answer(row["payload"])
                    self._answers.setdefault(number, deque()).append(answer)
        waiting = self._answers.get(self._answering)
        if not waiting:
            raise DepartedError(
                f"the replay has departed from the session: request {self._answering} asks for more"
            )
        found = waiting.popleft()
        if isinstance(found, MismarteraError):
            raise found
        return found

    def stop(self) -> None:
        """Nothing is under way."""


class _Feed:
    """What the feed said."""

    def __init__(self, player: Player, requests: _Requests) -> None:
        self._player = player
        self._requests = requests

    @property
    def last_data_us(self) -> int | None:
        us = self._player.intake_item(Kind.DATA)
        return None if us < 0 else us

    def start(self, sink: FeedSink) -> None:
        """Nothing."""

    def subscribe(self, symbols: Sequence[str]) -> None:
        """Nothing."""

    def unsubscribe(self, symbols: Sequence[str]) -> None:
        """Nothing."""

    def backfill(self, symbols: Sequence[str], interval: str, start_us: int, end_us: int) -> BackfillResult:  # noqa: ARG002
        return self._requests.next_answer()

    def reconnect(self, reason: str) -> None:
        """Nothing."""

    def stop(self) -> None:
        """Nothing."""


class _Driver:
    """The intake goes on when the engine takes something of it."""

    def __init__(self) -> None:
        self.intake: Intake | None = None

    def wake(self) -> None:
        """Nothing."""

    def start(self, intake: Intake, on_error: Callable[[BaseException], None]) -> None:  # noqa: ARG002  # it is raised
        self.intake = intake

    def stop(self) -> None:
        """Nothing."""


class _Silent:
    """A listener as the journal is one: it wants the gaps."""

    wants_bars = False
    wants_gaps = True

    def event(self, name: str, now_us: int, fields: Mapping[str, Field]) -> None:
        """Nothing."""

    def bar(self, bar: object) -> None:
        """Never called."""
        raise AssertionError(bar)
