"""Causes: what keeps a session from being active besides its own lag: a stale or slow feed, a pause."""

from __future__ import annotations

from mismartera.session.gate import Gate, GateState
from mismartera.session.transitions import Transitions

_WORST = (GateState.ACTIVE, GateState.CATCHING_UP, GateState.STALE, GateState.PAUSED)
"""The gate stands at the last one of these that is the case."""


class Causes:
    """Holds the gate: a session is active only when no cause remains. On the engine's thread only."""

    def __init__(self, gate: Gate, tell: Transitions) -> None:
        self._gate = gate
        self._tell = tell
        self._reasons: dict[GateState, str] = {}

    @property
    def any(self) -> bool:
        """True if the session is held."""
        return bool(self._reasons)

    @property
    def hide(self) -> bool:
        """True if nobody is told of bars: the session is held, or was inactive when it ended."""
        return not self._gate.active

    @property
    def keep_from_loading(self) -> bool:
        """True if nobody can tell whether a symbol is caught up. In a pause one can."""
        return bool(self._reasons.keys() - {GateState.PAUSED})

    def allow(self, now_us: int) -> bool:
        """True if nothing keeps a session that is inactive from being active. After its end it stays inactive."""
        is_inactive = self._gate.state not in (GateState.ACTIVE, GateState.CLOSED)
        return is_inactive and not self.any and not self._gate.is_over(now_us)

    def hold(self, cause: GateState, reason: str, lag_us: int = 0) -> None:
        """Keep the session from being active until :meth:`lift`; ``lag_us`` is told with it."""
        if cause in self._reasons:
            return
        self._reasons[cause] = reason
        state = self._gate.state
        if state is GateState.ACTIVE:
            self._tell.deactivate(reason, lag_us, None, cause)
        elif state is not GateState.CLOSED and _WORST.index(cause) > _WORST.index(state):
            self._tell.cause(cause, reason)

    def lift(self, cause: GateState) -> bool:
        """The cause is gone; True if nothing keeps an open session from catching up any more."""
        if self._reasons.pop(cause, None) is None or self._gate.state is GateState.CLOSED:
            return False
        worst = self._worst()
        if worst is not None and self._gate.state is cause:
            self._tell.cause(worst, self._reasons[worst])
        return not self.keep_from_loading

    def open(self) -> None:
        """A session opens: active, unless it is held."""
        worst = self._worst()
        if worst is None:
            self._tell.activate("open", 0, None)
        else:
            self._tell.deactivate(self._reasons[worst], 0, None, worst)

    def _worst(self) -> GateState | None:
        return max(self._reasons, key=_WORST.index, default=None)
