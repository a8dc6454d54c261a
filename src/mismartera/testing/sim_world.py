"""SimWorld: simulated time. One thread: whoever waits lets the world go on to its next event.

The engine waits in its inbox, a strategy that is slow waits in a callback; the intake steps whenever something is
there for it. So a whole live session is a plain function of its seed.
"""

from __future__ import annotations

import heapq
from collections.abc import Callable
from itertools import count
from random import Random
from typing import TypeVar

from mismartera.bars.instants import SECOND_US
from mismartera.errors import MismarteraError
from mismartera.live.intake import Intake
from mismartera.session.inbox import Inbox

T = TypeVar("T")
_STEPS_MAX = 400_000


class SimulationError(AssertionError):
    """The simulated run does what no run may do."""


class SimWorld:
    """The clock (a :class:`~mismartera.timing.WallClock`), the events to come, and the intake, once it runs.

    It is the driver of the intake, too.
    """

    def __init__(self, start_us: int) -> None:
        self._now_us = start_us
        self._events: list[tuple[int, int, Callable[[], None]]] = []
        self._number = count()
        self._intake: Intake | None = None
        self._sleeps: list[tuple[int, int]] = []
        self._steps = 0
        self.is_at_work = False
        """Something happens that is not the engine's doing."""
        self.after_step: Callable[[], None] = lambda: None

    # WallClock

    def now_us(self) -> int:
        """The present instant."""
        return self._now_us

    def wall_seconds(self, seconds: float) -> float:
        """The same: simulated seconds are all there are."""
        return seconds

    def monotonic(self) -> float:
        """Seconds."""
        return self._now_us / SECOND_US

    def begin(self, moment: float) -> None:
        """Nothing: the clock runs."""

    # Driver

    def wake(self) -> None:
        """Nothing: the world asks the intake itself."""

    def start(self, intake: Intake, on_error: Callable[[BaseException], None]) -> None:  # noqa: ARG002  # raised
        """The intake works from now on; what it raises ends the simulation."""
        self._intake = intake

    def stop(self) -> None:
        """The run is over."""
        if self._intake is not None:
            self._intake.stop()
            self._intake = None

    def hand_back(self, call: Callable[[], None]) -> None:
        """Let the intake make ``call`` at its next step."""
        if self._intake is not None:
            self._intake.do(call)

    # Events

    def at(self, at_us: int, event: Callable[[], None]) -> None:
        """Let ``event`` happen then, or now if that has passed."""
        heapq.heappush(self._events, (max(at_us, self._now_us), next(self._number), event))

    def after(self, seconds: float, event: Callable[[], None]) -> None:
        """Let ``event`` happen in so many seconds."""
        self.at(self._now_us + round(seconds * SECOND_US), event)

    def jump(self, seconds: float) -> None:
        """The machine sleeps: time passes, and nothing happens in it."""
        first_us = self._now_us
        self._now_us += round(seconds * SECOND_US)
        self._sleeps.append((first_us, self._now_us))

    def awake_us(self, since_us: int) -> int:
        """How long the machine was awake since then."""
        return self._now_us - since_us - self.slept_us(since_us, self._now_us)

    def slept_us(self, since_us: int, until_us: int) -> int:
        """How long the machine slept between these."""
        return sum(max(min(last, until_us) - max(first, since_us), 0) for first, last in self._sleeps)

    def advance(self, until_us: int | None, is_enough: Callable[[], bool]) -> bool:
        """Let things happen until ``is_enough`` (True) or ``until_us`` (False)."""
        while not is_enough():
            self._steps += 1
            if self._steps > _STEPS_MAX:
                raise SimulationError("it never ends")
            if self._intake is not None and self._intake.has_work:
                self._happen(self._intake.step)
                continue
            due = [us for us in (self._next_us(), until_us) if us is not None]
            if not due:
                raise SimulationError("everybody waits, and nothing will ever happen")
            self._now_us = max(self._now_us, min(due))
            if until_us is not None and self._now_us >= until_us and (self._next_us() or until_us) >= until_us:
                return is_enough()
            if self._events and self._events[0][0] <= self._now_us:
                self._happen(heapq.heappop(self._events)[2])
            elif self._intake is not None:
                self._happen(self._intake.step)
            else:
                self.after_step()
        return True

    def _happen(self, event: Callable[[], None]) -> None:
        self.is_at_work = True
        try:
            event()
            self.after_step()
        finally:
            self.is_at_work = False

    def sleep(self, seconds: float) -> None:
        """A callback takes so long: the world goes on, the engine does not."""
        until_us = self._now_us + round(seconds * SECOND_US)
        self.advance(until_us, lambda: False)

    def _next_us(self) -> int | None:
        times = [self._events[0][0]] if self._events else []
        if self._intake is not None and self._intake.next_us is not None:
            times.append(self._intake.next_us)
        return min(times, default=None)


class SimInbox(Inbox):
    """The engine's inbox: waiting lets the world go on."""

    def __init__(self, world: SimWorld) -> None:
        super().__init__()
        self._world = world

    def wait(self, seconds: float | None) -> bool:
        """See :meth:`Inbox.wait`."""
        until_us = None if seconds is None else self._world.now_us() + round(seconds * SECOND_US)
        return self._world.advance(until_us, lambda: self.attention)

    def hold(self) -> None:
        """See :meth:`Inbox.hold`."""
        self._world.advance(None, lambda: bool(self.stopping or not self.pausing or self._commands))
        self.attention = bool(self._commands) or self.stopping or self.pausing


class SimRequests:
    """Requests whose answers take some simulated time. ``rng`` draws how long."""

    def __init__(self, world: SimWorld, rng: Random) -> None:
        self._world = world
        self._rng = rng
        self.seconds = (0.05, 2.0)
        self.in_flight = 0
        self._is_over = False

    def ask(self, call: Callable[[], T], done: Callable[[T | MismarteraError], None]) -> None:
        """See :class:`~mismartera.live.requests.Requests`: what is answered is what is known when it is asked."""
        try:
            answer: T | MismarteraError = call()
        except MismarteraError as error:
            answer = error

        self.in_flight += 1

        def come() -> None:
            self.in_flight -= 1
            if not self._is_over:
                self._world.hand_back(lambda: done(answer))

        self._world.after(self._rng.uniform(*self.seconds), come)

    def stop(self) -> None:
        """Nothing is answered any more."""
        self._is_over = True
