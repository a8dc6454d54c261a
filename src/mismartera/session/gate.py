"""Gate: is the session active, and when is its lag looked at (R5).

Lag is how far the clock is past the end of the oldest bar that has not been shown. Above the threshold the session
is deactivated, at or below it is activated; active only while it is open and nothing lags.
"""

from __future__ import annotations

from enum import StrEnum

import numpy as np
from numpy.typing import NDArray

Ints = NDArray[np.int64]


class GateState(StrEnum):
    """Why the session is active or not."""

    CLOSED = "closed"
    ACTIVE = "active"
    CATCHING_UP = "catching_up"
    STALE = "stale"
    PAUSED = "paused"


class Gate:
    """The state of the session and the cadence of its regular lag evaluations.

    The cadence counts the base bars that are shown while the session is active: the bars 0, N, 2N ... since the
    open are due (N = ``check_interval``), and the first instant that holds a due bar is evaluated, once.
    """

    def __init__(self, threshold_us: int, check_interval: int) -> None:
        self.threshold_us = threshold_us
        self.check_interval = check_interval
        self.state = GateState.CLOSED
        self.lag_evaluations = 0
        self._bars = self._end_us = 0

    @property
    def active(self) -> bool:
        """True while strategies are notified and may read."""
        return self.state is GateState.ACTIVE

    def is_stale(self, lag_us: int) -> bool:
        """True for a lag that deactivates."""
        return lag_us > self.threshold_us

    def open(self, end_us: int) -> None:
        """A session opens that ends then: the cadence starts anew."""
        self._bars, self._end_us = 0, end_us

    def is_over(self, now_us: int) -> bool:
        """True after the session's end, or the run's: what is not active then stays so."""
        return now_us > self._end_us

    def move(self, state: GateState) -> GateState:
        """Enter ``state``; returns the one before. Moving to where it stands is a fault of ours."""
        assert state is not self.state, f"the gate is {state} already"
        before, self.state = self.state, state
        return before

    def count(self, base_before: Ints) -> None:
        """Instants were shown while active: ``base_before`` counts base bars before each and after the last."""
        self.lag_evaluations += self.evaluations_in(base_before)
        self._bars += int(base_before[-1] - base_before[0])

    def evaluations_in(self, base_before: Ints) -> int:
        """How many regular evaluations these instants hold, which are not counted yet; none if there are none."""
        if len(base_before) < 2:
            return 0
        last_bar = base_before - base_before[0] + (self._bars - 1)
        return int(np.count_nonzero(np.diff(last_bar // self.check_interval)))
