"""What the engine and the intake of a session that is played again see in place of the world."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Mapping, Sequence
from itertools import count
from typing import TypeVar

from mismartera.errors import DepartedError, MismarteraError
from mismartera.feeds.port import BackfillResult, FeedMessage, FeedSink
from mismartera.journal import JournalReader, PastSession, tables
from mismartera.live.door import IntakeDoor, Order
from mismartera.live.intake import Intake
from mismartera.session.inbox import DESK, INTAKE, LOGGED, Inbox
from mismartera.session.inbox import Command as Act
from mismartera.session.ports import Field
from mismartera.trace.items import Kind
from mismartera.trace.messages import ANSWER, Answered, decode_answer
from mismartera.trace.script import Script

T = TypeVar("T")


class PlayedWall:
    """A clock that reads what it read then."""

    def __init__(self, now_us: Callable[[], int]) -> None:
        self.now_us = now_us

    def wall_seconds(self, seconds: float) -> float:
        """See the port."""
        return seconds

    def monotonic(self) -> float:
        """See the port."""
        return 0.0

    def begin(self, moment: float) -> None:
        """Nothing: it has been."""


class PlayedInbox(Inbox):
    """What the engine saw of its flags, and took out."""

    def __init__(self, script: Script, commands: PlayedCommands) -> None:
        self._script = script
        self._logged = commands
        self._of_desks: deque[Act] = deque()
        self.lost = 0
        super().__init__()

    def _seen(self) -> bool:
        return bool(self._script.engine_item(Kind.FLAG)) if self._script.is_asking() else False

    @property
    def attention(self) -> bool:  # a plain attribute where nothing is played
        """See the port."""
        return self._seen()

    @attention.setter
    def attention(self, up: bool) -> None:
        """Nothing: it is up when it was."""

    @property
    def stopping(self) -> bool:
        """See the port."""
        return self._seen()

    @stopping.setter
    def stopping(self, up: bool) -> None:
        if up and not self._script.is_asking():  # somebody ends the replay; the session's own end is on record
            self._script.stop()

    @property
    def pausing(self) -> bool:
        """See the port."""
        return self._seen()

    @pausing.setter
    def pausing(self, up: bool) -> None:
        """Nothing: the session is paused when it was."""

    def post(self, command: Act) -> None:
        """See the port."""
        self.urge(command)

    def urge_all(self, commands: Sequence[Act], origin: int) -> None:
        """See the port."""
        if origin == INTAKE:
            self._script.told(commands)
        elif origin == DESK:
            self._of_desks.extend(commands)

    def look_again(self) -> None:
        """Nothing."""

    def take_all(self) -> list[Act]:
        """See the port."""
        script, taken = self._script, list[Act]()
        for _ in range(script.engine_item(Kind.TAKEN)):
            origin = script.engine_item(Kind.ORIGIN)
            if origin == INTAKE:
                taken.append(script.next_told())
            elif origin == DESK and self._of_desks:
                taken.append(self._of_desks.popleft())
            elif origin >= LOGGED:
                taken.append(self._logged.act_of(origin - LOGGED))
            else:
                self.lost += 1
        return taken

    def wait(self, seconds: float | None) -> bool:  # noqa: ARG002  # it has been waited for
        """See the port."""
        return bool(self._script.engine_item(Kind.FLAG))

    def hold(self) -> None:
        """It has held then."""


class PlayedCommands:
    """Commands are acted on when they were."""

    def __init__(self) -> None:
        self._numbers = count()
        self._acts: dict[int, Act] = {}
        self.removals_waiting = 0

    def accept(self, what: str, symbol: str, streams: tuple[str, ...] | None, act: Act) -> None:  # noqa: ARG002
        """See the port."""
        is_removal = what == "remove"
        self.removals_waiting += is_removal

        def carry_out() -> None:
            act()
            self.removals_waiting -= is_removal

        self._acts[next(self._numbers)] = carry_out

    def act_of(self, number: int) -> Act:
        """See the port."""
        found = self._acts.pop(number, None)
        if found is None:
            raise DepartedError(f"the replay has departed from the session: command {number} was not given again")
        return found

    def acted(self, label: str) -> None:
        """It is on record."""


class PlayedDoor(IntakeDoor):
    """What the intake was told, in the order in which it was."""

    def __init__(self, on_work: Callable[[], None], script: Script, requests: PlayedRequests) -> None:
        super().__init__(on_work)
        self._script = script
        self._requests = requests

    def begin(self) -> None:
        """See the port."""
        super().begin()
        self._script.intake_item(Kind.STEP)

    def next_order(self) -> Order | None:
        """See the port."""
        if self._script.intake_if(Kind.ORDER) is not None:
            found = super().next_order()
            if found is None:
                raise self._script.ended()  # the engine was cut off before it gave this order
            return found
        number = self._script.intake_if(Kind.ANSWER)
        return None if number is None else self._requests.answer(number)

    def messages(self) -> list[FeedMessage]:
        """See the port."""
        size = self._script.intake_if(Kind.MESSAGES) or 0
        return [self._script.next_message() for _ in range(size)]


class PlayedRequests:
    """Requests are made when their answers came; the vendor says what it said then."""

    def __init__(self, reader: JournalReader, session: PastSession, script: Script) -> None:
        self._reader = reader
        self._script = script
        self._session = session
        self._numbers = count()
        self._asked: dict[int, Callable[[], None]] = {}
        self._answers: dict[int, deque[Answered]] | None = None
        self._answering = -1

    def ask(self, call: Callable[[], T], done: Callable[[T | MismarteraError], None]) -> None:
        """See the port."""

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
        if not waiting and not any(self._answers.values()):
            raise self._script.ended()  # it was cut off
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


class PlayedFeed:
    """What the feed said."""

    def __init__(self, script: Script, requests: PlayedRequests) -> None:
        self._script = script
        self._requests = requests

    @property
    def last_data_us(self) -> int | None:
        """See the port."""
        us = self._script.intake_item(Kind.DATA)
        return None if us < 0 else us

    def start(self, sink: FeedSink) -> None:
        """Nothing."""

    def subscribe(self, symbols: Sequence[str]) -> None:
        """Nothing."""

    def unsubscribe(self, symbols: Sequence[str]) -> None:
        """Nothing."""

    def backfill(self, symbols: Sequence[str], interval: str, start_us: int, end_us: int) -> BackfillResult:  # noqa: ARG002
        """See the port."""
        return self._requests.next_answer()

    def reconnect(self, reason: str) -> None:
        """Nothing."""

    def leave(self) -> None:
        """Nothing."""

    def stop(self) -> None:
        """Nothing."""


class PlayedDriver:
    """The intake goes on when the engine takes something of it."""

    def __init__(self, script: Script) -> None:
        self._script = script

    def wake(self) -> None:
        """Nothing."""

    def start(self, intake: Intake, on_error: Callable[[BaseException], None]) -> None:  # noqa: ARG002  # it is raised
        """See the port."""
        self._script.intake = intake

    def stop(self) -> None:
        """Nothing."""


class SilentSink:
    """A listener as the journal is one: it wants the gaps."""

    wants_bars = False
    wants_gaps = True

    def event(self, name: str, now_us: int, fields: Mapping[str, Field]) -> None:
        """Nothing."""

    def bar(self, bar: object) -> None:
        """Never called."""
        raise AssertionError(bar)
