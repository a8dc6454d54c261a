"""Transitions: activating and deactivating, and telling everybody, once each (R5)."""

from __future__ import annotations

from collections.abc import Sequence

from mismartera.bars.instants import SECOND_US
from mismartera.session.analysis import AnalysisEngine
from mismartera.session.gate import Gate, GateState
from mismartera.session.publisher import Publisher
from mismartera.session.state import SessionState
from mismartera.session.symbols import Member, SymbolRegistry, SymbolState


class Transitions:
    """Moves the gate, opens or shuts the reads with it, publishes the event, and notifies the strategies."""

    def __init__(
        self, gate: Gate, state: SessionState, analysis: AnalysisEngine, publisher: Publisher,
        registry: SymbolRegistry,
    ) -> None:  # fmt: skip
        self._gate = gate
        self._state = state
        self._analysis = analysis
        self._publisher = publisher
        self._registry = registry
        self._has_told = False

    def activate(self, reason: str, lag_us: int, symbol: str | None) -> None:
        """Strategies are notified and may read."""
        self._gate.move(GateState.ACTIVE)
        self._has_told = True
        self._state.open()
        self._publisher.publish("session_activated", reason=reason, lag_seconds=lag_us / SECOND_US, symbol=symbol)
        self._analysis.notify("on_session_active", True, reason)  # noqa: FBT003  # the callback's own signature

    def open_again(self) -> None:
        """The engine has the word again in an active session: whoever watched it may have shut the reads."""
        if self._gate.active and not self._state.active:
            self._state.open()

    def deactivate(
        self, reason: str, lag_us: int, symbol: str | None, state: GateState = GateState.CATCHING_UP
    ) -> None:
        """Strategies are notified no more; what a session that has ended showed stays readable.

        A session that opens inactive after another one was told inactive by that one's close.
        """
        closing = state is GateState.CLOSED
        before = self._gate.move(state)
        self._state.close(readable=closing)
        if before is GateState.CLOSED and self._has_told:
            self._publisher.publish("session_state", **{"from": before, "to": state, "reason": reason})
            return
        self._has_told = True
        self._publisher.publish(
            "session_deactivated", reason=reason, lag_seconds=lag_us / SECOND_US, symbol=symbol
        )
        self._analysis.notify("on_session_active", False, reason)  # noqa: FBT003  # the callback's own signature

    def cause(self, state: GateState, reason: str) -> None:
        """The session stays inactive, for another cause."""
        before = self._gate.move(state)
        if state is GateState.CLOSED:
            self._state.readable = self._state.history_readable = True
        self._publisher.publish("session_state", **{"from": before, "to": state, "reason": reason})

    def symbol(self, event: str, reason: str, lag_us: int, symbol: str, generation: int) -> None:
        """One symbol is withheld or released (``catchup_scope: "symbol"``)."""
        self._publisher.publish(event, reason=reason, lag_seconds=lag_us / SECOND_US, symbol=symbol)
        active = event == "symbol_activated"
        self._analysis.notify_of(symbol, generation, "on_symbol_active", symbol, active, reason)

    def withhold(self, symbols: Sequence[str], lag_us: int, *, by_symbol: bool) -> None:
        """Bars of ``symbols`` have become stale before they were handed over: deactivate the session, or them."""
        if not by_symbol:
            self.deactivate("lag", lag_us, symbols[0])
            return
        for symbol in dict.fromkeys(symbols):
            generation = self._state.withhold(symbol)
            if generation is not None:  # not withheld yet, nor removed by another symbol's callback
                self.symbol("symbol_deactivated", "lag", lag_us, symbol, generation)

    def loaded(self, member: Member) -> None:
        """``member`` is caught up: from now on it is read and delivered, unless it was removed meanwhile."""
        with self._registry.changed:
            data = self._state.symbols.get(member.symbol)
            is_early = member.state is SymbolState.FAILED  # it was to be tried again later
            was_told = member.is_told and not member.reason
            if not self._registry.advance(member, SymbolState.LOADED) or data is None:
                return
            data.loaded = True
            member.is_told = True
        if was_told:
            return
        if is_early:
            self._publisher.publish("symbol_pending", symbol=member.symbol, reason="retried")
        self._publisher.publish("symbol_loaded", symbol=member.symbol, reason="caught_up")
        self._analysis.notify_of(member.symbol, member.generation, "on_symbol_loaded", member.symbol)
