"""The clock port and the two clocks of a backtest. No clock ever goes back."""

from __future__ import annotations

import math
import threading
import time
from collections.abc import Callable
from typing import Protocol

from mismartera.bars.instants import to_iso

_SPEED_MAX = 1_000_000


class Clock(Protocol):
    """What the engine needs of a clock. Instants are microseconds since the epoch, UTC.

    A clock stands still until ``start_at``. It does not sleep: who waits asks ``wall_seconds_until`` and waits on
    a condition, so that commands can wake it.
    """

    @property
    def is_live(self) -> bool:
        """True if it runs whatever the engine does: nobody moves it or lets it stand."""

    @property
    def is_paused(self) -> bool:
        """True between ``pause`` and ``resume``."""

    def now_us(self) -> int:
        """The present instant; never less than it was before."""

    def start_at(self, us: int) -> None:
        """Stand at ``us`` and run from there (unless paused). It may not lie in the clock's past."""

    def advance_to(self, us: int) -> None:
        """Be at ``us``, or later if the clock runs by itself and has passed it already."""

    def pause(self) -> None:
        """Stand still; pausing twice is pausing once."""

    def resume(self) -> None:
        """Go on from where ``pause`` stopped it."""

    def wall_seconds_until(self, us: int) -> float:
        """Wall seconds until the clock reads ``us``: 0 if it can be there now, inf if it stands still."""


class SteppedClock:
    """Speed 0: stands where it is put, and is moved by the engine from instant to instant."""

    def __init__(self, start_us: int = 0) -> None:
        self._now_us = start_us
        self._is_paused = False
        self.is_live = False

    @property
    def is_paused(self) -> bool:
        """True between ``pause`` and ``resume``; a stepped clock only remembers it."""
        return self._is_paused

    def now_us(self) -> int:
        """Where the clock was put last."""
        return self._now_us

    def start_at(self, us: int) -> None:
        """The same as ``advance_to``: a stepped clock does not run."""
        self.advance_to(us)

    def advance_to(self, us: int) -> None:
        """Move to ``us``, which must not lie before the present instant (assertion)."""
        assert us >= self._now_us, f"the clock stands at {to_iso(self._now_us)} and cannot go back to {to_iso(us)}"
        self._now_us = us

    def step_to(self, us: int) -> bool:
        """The same, as one call for the engine's loop; False, and nothing moves, if it stands later already."""
        if us < self._now_us:
            return False
        self._now_us = us
        return True

    def pause(self) -> None:
        """Remember that the run is paused."""
        self._is_paused = True

    def resume(self) -> None:
        """Remember that the run goes on."""
        self._is_paused = False

    def wall_seconds_until(self, us: int) -> float:  # noqa: ARG002 (the port's signature)
        """0: a stepped clock is wherever it is put."""
        return 0.0


class PacedClock:
    """Speed > 0: ``clock = resume point + wall time since then x speed``, frozen by a pause.

    ``monotonic`` gives wall seconds that never go back. May be read and paused from any thread.
    """

    def __init__(
        self,
        speed: float,
        monotonic: Callable[[], float] = time.monotonic,  # noqa: TID251 (this package's task)
        start_us: int = 0,
    ) -> None:
        self._speed = _checked(speed)
        self._monotonic = monotonic
        # One lock for all: a reader that held the old base across a pause could see the clock jump back.
        self._lock = threading.Lock()
        self._base_us = start_us
        self._base_seconds = 0.0
        self._is_started = False
        self._is_paused = False
        self.is_live = False

    @property
    def speed(self) -> float:
        """Seconds of the clock per second of the wall."""
        return self._speed

    def set_speed(self, speed: float) -> None:
        """Run on from the present instant at another speed; ValueError for one that is not above 0.

        Who waits for an instant has to ask again how long that takes.
        """
        checked = _checked(speed)
        with self._lock:
            self._rebase(self._now())
            self._speed = checked

    @property
    def is_paused(self) -> bool:
        """True between ``pause`` and ``resume``."""
        return self._is_paused

    def now_us(self) -> int:
        """The present instant."""
        with self._lock:
            return self._now()

    def start_at(self, us: int) -> None:
        """Run from ``us`` on, which must not lie before the present instant (assertion); paused: stand there."""
        with self._lock:
            now = self._now()
            assert us >= now, f"the clock reads {to_iso(now)} and cannot go back to {to_iso(us)}"
            self._rebase(us)
            self._is_started = True

    def advance_to(self, us: int) -> None:
        """Jump to a later instant and run on from there; nothing happens if the clock has reached it already."""
        with self._lock:
            if us > self._now():
                self._rebase(us)

    def pause(self) -> None:
        """Freeze the clock where it is."""
        with self._lock:
            self._rebase(self._now())
            self._is_paused = True

    def resume(self) -> None:
        """Run on from where the clock was frozen; nothing happens if it is not paused."""
        with self._lock:
            self._rebase(self._now())
            self._is_paused = False

    def wall_seconds_until(self, us: int) -> float:
        """Wall seconds until the clock reads ``us``; 0 if it has passed, inf while it stands still."""
        with self._lock:
            missing_us = us - self._now()
            if missing_us <= 0:
                return 0.0
            return missing_us / 1e6 / self._speed if self._is_running else math.inf

    @property
    def _is_running(self) -> bool:
        return self._is_started and not self._is_paused

    def _now(self) -> int:
        if not self._is_running:
            return self._base_us
        return self._base_us + round((self._monotonic() - self._base_seconds) * self._speed * 1e6)

    def _rebase(self, us: int) -> None:
        self._base_us = us
        self._base_seconds = self._monotonic()


def _checked(speed: float) -> float:
    if isinstance(speed, bool) or not 0 < speed <= _SPEED_MAX:
        raise ValueError(
            f"the speed of a paced clock is a number above 0, at most {_SPEED_MAX:,}: found {speed!r}"
        )
    return speed


def make_clock(speed: float, monotonic: Callable[[], float] = time.monotonic) -> Clock:  # noqa: TID251 (as above)
    """The clock of a backtest at ``speed``: stepped for 0 (as fast as possible), paced for more."""
    return SteppedClock() if speed == 0 else PacedClock(speed, monotonic)
