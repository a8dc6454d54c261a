"""Gate: is the session active, and when is its lag looked at (R5).

Lag is how far the clock is past the end of the oldest bar that has not been shown. Above the threshold the session
is deactivated, at or below it is activated; active only while it is open and nothing lags.
"""

from __future__ import annotations

from enum import StrEnum


class GateState(StrEnum):
    """Why the session is active or not."""

    CLOSED = "closed"
    ACTIVE = "active"
    CATCHING_UP = "catching_up"


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
        self._bars = 0
        self._due_bar = 0

    @property
    def active(self) -> bool:
        """True while strategies are notified and may read."""
        return self.state is GateState.ACTIVE

    def is_stale(self, lag_us: int) -> bool:
        """True for a lag that deactivates."""
        return lag_us > self.threshold_us

    def open(self) -> None:
        """A session opens: the cadence starts anew."""
        self._bars = self._due_bar = 0

    def move(self, state: GateState) -> GateState:
        """Enter ``state``; returns the one before. Moving to where it stands is a fault of ours."""
        assert state is not self.state, f"the gate is {state} already"
        before, self.state = self.state, state
        return before

    def is_due(self, base_bars: int) -> bool:
        """Count the base bars of an instant that is shown while active; True if one of them is due."""
        self._bars += base_bars
        if self._due_bar >= self._bars:
            return False
        self._due_bar = -(-self._bars // self.check_interval) * self.check_interval
        self.lag_evaluations += 1
        return True
