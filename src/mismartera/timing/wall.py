"""The clocks of a live session: the wall's own, and one for rehearsals that runs faster and on any day."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from typing import Protocol

from mismartera.bars.instants import SECOND_US
from mismartera.timing.clock import PacedClock


class WallClock(Protocol):
    """What waits for the world outside: all durations are given in this clock's seconds.

    Who waits asks how many seconds of the wall a duration takes, and waits that long on a condition.
    """

    def now_us(self) -> int:
        """The present instant in microseconds since the epoch, UTC; never less than it was before."""
        ...

    def wall_seconds(self, seconds: float) -> float:
        """How many seconds of the wall ``seconds`` of this clock take."""
        ...

    def monotonic(self) -> float:
        """Wall seconds since some moment: for :meth:`begin`, and for how long something has worked."""
        ...

    def begin(self, moment: float) -> None:
        """The vendor was reached at ``moment`` (of :meth:`monotonic`). The earliest of all moments counts."""
        ...


class SystemClock:
    """The wall clock, except that it never goes back: while the wall is set back it runs on by itself.

    It follows the wall forward, so that the present is right after a laptop's sleep. From any thread.
    """

    def __init__(
        self,
        wall_us: Callable[[], int] = lambda: time.time_ns() // 1000,  # noqa: TID251 (this package's task)
        monotonic: Callable[[], float] = time.monotonic,  # noqa: TID251 (this package's task)
    ) -> None:
        self._wall_us = wall_us
        self._monotonic = monotonic
        self._lock = threading.Lock()
        self._last_us = wall_us()
        self._last_seconds = monotonic()

    def now_us(self) -> int:
        """The present instant."""
        with self._lock:
            seconds = self._monotonic()
            passed_us = round((seconds - self._last_seconds) * SECOND_US)
            wall_us = self._wall_us()
            self._last_us = wall_us if wall_us >= self._last_us else self._last_us + passed_us
            self._last_seconds = seconds
            return self._last_us

    def wall_seconds(self, seconds: float) -> float:
        """The same: this is the wall's clock."""
        return seconds

    def monotonic(self) -> float:
        """Wall seconds since some moment."""
        return self._monotonic()

    def begin(self, moment: float) -> None:
        """Nothing: the wall runs already."""


class RehearsalClock:
    """Stands at ``start_us`` until the vendor is first reached, and then runs ``speed`` times as fast as the wall.

    From any thread.
    """

    def __init__(
        self,
        start_us: int,
        speed: float = 1.0,
        monotonic: Callable[[], float] = time.monotonic,  # noqa: TID251 (this package's task)
    ) -> None:
        self._monotonic = monotonic
        self._lock = threading.Lock()
        self._start_us = start_us
        self._clock = PacedClock(speed, monotonic, start_us)
        self._begun: float | None = None

    @property
    def speed(self) -> float:
        """Seconds of this clock per second of the wall."""
        return self._clock.speed

    def now_us(self) -> int:
        """The present instant."""
        return self._clock.now_us()

    def wall_seconds(self, seconds: float) -> float:
        """``seconds`` of this clock in seconds of the wall, whether it runs already or not."""
        return seconds / self._clock.speed

    def monotonic(self) -> float:
        """Wall seconds since some moment."""
        return self._monotonic()

    def begin(self, moment: float) -> None:
        """Run, as if from ``moment`` on; a moment before the one that was told first moves the clock forward."""
        with self._lock:
            if self._begun is None:
                self._begun = min(moment, self._monotonic())
                self._clock.start_at(self._start_us + self._passed_us(self._monotonic() - self._begun))
            elif moment < self._begun:
                self._clock.advance_to(self._clock.now_us() + self._passed_us(self._begun - moment))
                self._begun = moment

    def _passed_us(self, wall_seconds: float) -> int:
        return round(wall_seconds * self._clock.speed * SECOND_US)
