"""Transitions: activating and deactivating, and telling everybody, once each (R5)."""

from __future__ import annotations

from mismartera.bars.instants import SECOND_US
from mismartera.session.analysis import AnalysisEngine
from mismartera.session.gate import Gate, GateState
from mismartera.session.publisher import Publisher
from mismartera.session.state import SessionState


class Transitions:
    """Moves the gate, opens or shuts the reads with it, publishes the event, and notifies the strategies."""

    def __init__(self, gate: Gate, state: SessionState, analysis: AnalysisEngine, publisher: Publisher) -> None:
        self._gate = gate
        self._state = state
        self._analysis = analysis
        self._publisher = publisher

    def activate(self, reason: str, lag_us: int, symbol: str | None) -> None:
        """Strategies are notified and may read."""
        self._gate.move(GateState.ACTIVE)
        self._state.active = self._state.readable = self._state.history_readable = True
        self._publisher.publish("session_activated", reason=reason, lag_seconds=lag_us / SECOND_US, symbol=symbol)
        self._analysis.notify("on_session_active", True, reason)  # noqa: FBT003  # the callback's own signature

    def deactivate(self, reason: str, lag_us: int, symbol: str | None) -> None:
        """Strategies are notified no more; what a session that has ended showed stays readable."""
        closing = reason not in {"lag", "backlog"}
        self._gate.move(GateState.CLOSED if closing else GateState.CATCHING_UP)
        self._state.active = False
        self._state.readable = self._state.history_readable = closing
        self._publisher.publish(
            "session_deactivated", reason=reason, lag_seconds=lag_us / SECOND_US, symbol=symbol
        )
        self._analysis.notify("on_session_active", False, reason)  # noqa: FBT003  # the callback's own signature

    def cause(self, state: GateState, reason: str) -> None:
        """The session stays inactive, for another cause."""
        before = self._gate.move(state)
        self._publisher.publish("session_state", **{"from": before, "to": state, "reason": reason})

    def symbol(self, event: str, reason: str, lag_us: int, symbol: str, generation: int) -> None:
        """One symbol is withheld or released (``catchup_scope: "symbol"``)."""
        self._publisher.publish(event, reason=reason, lag_seconds=lag_us / SECOND_US, symbol=symbol)
        active = event == "symbol_activated"
        self._analysis.notify_of(symbol, generation, "on_symbol_active", symbol, active, reason)
