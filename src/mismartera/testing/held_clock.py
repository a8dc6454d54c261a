"""HeldClock: the vendor's clock of a rehearsal whose client is killed and started again.

The client's clock begins at the moment of its first contact. So the server's stands still from the kill until
then: both read the same again, however long the start of a process takes.
"""

from __future__ import annotations

import threading

from mismartera.bars.instants import SECOND_US
from mismartera.timing import PacedClock, SystemClock


class HeldClock:
    """A :class:`~mismartera.timing.WallClock` that runs from each first contact on. From any thread."""

    def __init__(self, start_us: int, speed: float) -> None:
        self._monotonic = SystemClock().monotonic
        self._clock = PacedClock(speed, self._monotonic, start_us)
        self._clock.start_at(start_us)
        self._clock.pause()
        self._lock = threading.Lock()
        self.is_held = True

    @property
    def speed(self) -> float:
        """Seconds of this clock per second of the wall."""
        return self._clock.speed

    def now_us(self) -> int:
        """The present instant."""
        return self._clock.now_us()

    def wall_seconds(self, seconds: float) -> float:
        """How many seconds of the wall ``seconds`` of this clock take."""
        return seconds / self._clock.speed

    def monotonic(self) -> float:
        """Wall seconds since some moment."""
        return self._monotonic()

    def begin(self, moment: float) -> None:
        """The client has come at ``moment``: run, as if from then on."""
        with self._lock:
            if self.is_held:
                self.is_held = False
                passed = max(self._monotonic() - moment, 0.0) * self._clock.speed
                self._clock.advance_to(self._clock.now_us() + round(passed * SECOND_US))
                self._clock.resume()

    def hold(self, skip_seconds: float = 0.0) -> int:
        """Stand still until the next contact, ``skip_seconds`` later than now; the instant at which it stands."""
        with self._lock:
            self._clock.pause()
            self.is_held = True
            self._clock.advance_to(self._clock.now_us() + round(skip_seconds * SECOND_US))
            return self._clock.now_us()
