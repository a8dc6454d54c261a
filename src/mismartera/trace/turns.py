"""The turns of strategies on threads of their own: each between two items of the engine, then and again.

Then: the engine never waits for a strategy. What a strategy wants in its turn is carried out by the engine itself
when it sees the world next (it reads the clock, or a flag), or on the strategy's own thread while the engine
stands and waits. So nothing else happens meanwhile, and the turn is an item of the engine like any other.
"""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable, Sequence
from typing import Any

from mismartera.errors import DepartedError, TraceEndedError
from mismartera.session.turns import Seat, T, Turn
from mismartera.trace.items import Kind, TraceLog
from mismartera.trace.script import Script

_WHAT_BITS = 4
_NUDGE_EACH = 4096
_LINGER_SECONDS, _LOOK_SECONDS = 5.0, 0.5


def turn_item(seat: Seat, what: Turn) -> int:
    """The value of the item: whose turn it is, for what, and whether it is active as it begins."""
    return (seat.number << _WHAT_BITS | what) << 1 | seat.is_active


class _Asked:
    """A turn that is asked for. ``is_had`` is let go once it was had by somebody else."""

    def __init__(self, seat: Seat, what: Turn, act: Callable[[], Any]) -> None:
        self.seat = seat
        self.what = what
        self._act = act
        self.value: Any = None
        self.error: BaseException | None = None
        self.is_had: threading.Lock | None = None

    def carry_out(self) -> None:
        """Act, and keep what comes of it."""
        try:
            self.value = self._act()
        except BaseException as error:  # noqa: BLE001  # it is raised on the strategy's thread
            self.error = error

    def result(self) -> Any:
        """What came of it; waits for that."""
        if self.is_had is not None:
            self.is_had.acquire()
        if self.error is not None:
            raise self.error
        return self.value


class RecordedTurns:
    """Turns between the items of ``log``, which is the engine's. A ``with`` block in which the engine stands.

    ``is_engine``: is the calling thread the engine's? ``changed`` is the registry's lock: no other thread adds or
    removes symbols during a turn. ``nudge``: the log may be written.
    """

    def __init__(
        self, log: TraceLog, is_engine: Callable[[], bool], changed: threading.Condition,
        nudge: Callable[[], None] = lambda: None,
    ) -> None:  # fmt: skip
        self._log = log
        self._nudge = nudge
        self._had = 0
        self._is_engine = is_engine
        self._changed = changed
        self._lock = threading.Lock()
        self._asked: deque[_Asked] = deque()
        self._is_standing = self._is_over = False
        self._actor: int | None = None
        """The thread that carries out a turn."""

    def is_acting(self) -> bool:
        """True if the calling thread is the engine's, or acts in its place."""
        return self._is_engine() or self._actor == threading.get_ident()

    def is_seeing(self) -> bool:
        """The same where the engine sees the world: what was asked for is carried out before it does."""
        if not self._is_engine():
            return self._actor == threading.get_ident()
        if self._asked and self._actor is None:
            with self._lock:
                self._carry_out_all()
        return True

    def __enter__(self) -> None:
        with self._lock:
            self._carry_out_all()
            self._is_standing = True

    def __exit__(self, *_: object) -> None:
        self._is_standing = False  # who comes now asks the engine
        with self._lock:  # whoever has his turn
            pass

    def begin(self, seats: Sequence[Seat]) -> None:
        """Nothing: they will come."""

    def take(self, seat: Seat, wait: Callable[[], object], act: Callable[[], T]) -> T:
        """See the port."""
        wait()
        return self.have(seat, Turn.TAKE, act)

    def have(self, seat: Seat, what: Turn, act: Callable[[], T]) -> T:
        """See the port."""
        asked = _Asked(seat, what, act)
        with self._lock:
            if self._is_standing:
                self._carry_out(asked)
            else:
                asked.is_had = threading.Lock()
                asked.is_had.acquire()
                self._asked.append(asked)
        result: T = asked.result()
        return result

    def join(self, thread: threading.Thread, timeout: float) -> bool:
        """See the port."""
        with self:
            thread.join(timeout)
        return not thread.is_alive()

    def end(self) -> None:
        """See the port: nobody takes notes any more."""
        with self._lock:
            self._carry_out_all()
            self._is_standing = self._is_over = True

    def _carry_out_all(self) -> None:
        while self._asked:
            asked = self._asked.popleft()
            self._carry_out(asked)
            assert asked.is_had is not None, "whoever waits for it has said so"
            asked.is_had.release()

    def _carry_out(self, asked: _Asked) -> None:
        if self._is_over:
            asked.carry_out()
            return
        self._actor = threading.get_ident()
        try:
            with self._changed, asked.seat.changed:
                self._log.note(Kind.TURN, turn_item(asked.seat, asked.what))
                asked.carry_out()
        finally:
            self._actor = None
        self._had += 1
        if not self._had % _NUDGE_EACH:  # a callback may look and look, while nothing else happens
            self._nudge()


class PlayedTurns:
    """Each turn is had when it was. The engine carries it out, when the thread of the strategy has come to it."""

    def __init__(self, script: Script) -> None:
        self._script = script
        self._changed = threading.Condition()
        self._seats: Sequence[Seat] = ()
        self._asked: dict[int, _Asked] = {}
        self._gone: set[int] = set()
        """The numbers of those that found nothing more to take: their threads end."""
        self._is_over = False
        script.let_have = self._let_have

    def begin(self, seats: Sequence[Seat]) -> None:
        """See the port."""
        self._seats = seats

    def take(self, seat: Seat, wait: Callable[[], object], act: Callable[[], T]) -> T:  # noqa: ARG002
        """See the port: it was waited for then."""
        return self.have(seat, Turn.TAKE, act)

    def have(self, seat: Seat, what: Turn, act: Callable[[], T]) -> T:
        """See the port. TraceEndedError if none follows."""
        asked = _Asked(seat, what, act)
        with self._changed:
            self._asked[seat.number] = asked
            self._changed.notify_all()
            self._changed.wait_for(lambda: self._asked.get(seat.number) is not asked or self._is_over)
            if self._asked.get(seat.number) is asked:
                raise TraceEndedError
        result: T = asked.result()
        return result

    def join(self, thread: threading.Thread, timeout: float) -> bool:  # noqa: ARG002  # it was waited for then
        """See the port."""
        self._script.let_all_have()
        return True

    def end(self) -> None:
        """See the port: who did not come to an end then does not now."""
        with self._changed:
            self._is_over = True
            self._changed.notify_all()
        for seat in self._seats:
            if seat.thread is not None:
                seat.thread.join(_LINGER_SECONDS)

    def _let_have(self, item: int) -> None:
        """The turn of this item. On the engine's thread."""
        number, what, is_active = item >> 1 + _WHAT_BITS, Turn(item >> 1 & (1 << _WHAT_BITS) - 1), item & 1
        seat = self._seats[number]
        with self._changed:
            while not self._changed.wait_for(lambda: number in self._asked or number in self._gone, _LOOK_SECONDS):
                if self._script.is_stopped:  # by a user, whom a strategy that comes to nothing keeps waiting
                    raise self._script.ended()
            asked = self._asked.get(number)
        if asked is None or asked.what is not what:
            wanted = "it has ended" if asked is None else f"{asked.what.name} is asked for"
            raise self._script.departed(f"a turn of {seat.name} to {what.name} was recorded, {wanted}")
        seat.is_active = bool(is_active)
        asked.carry_out()
        if isinstance(asked.error, (TraceEndedError, DepartedError)):
            raise asked.error
        with self._changed:
            if what is Turn.TAKE and asked.value is None:
                self._gone.add(number)
            del self._asked[number]
            self._changed.notify_all()
