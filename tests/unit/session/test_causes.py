"""A session is active only when no cause remains, and each change is told once (R5, I2)."""

from __future__ import annotations

import itertools

from hypothesis import given
from hypothesis import strategies as st

from mismartera import TimeManager
from mismartera.session.analysis import AnalysisEngine
from mismartera.session.causes import Causes
from mismartera.session.delivery import Delivery
from mismartera.session.gate import Gate, GateState
from mismartera.session.publisher import Publisher
from mismartera.session.state import SessionState
from mismartera.session.symbols import SymbolRegistry
from mismartera.session.transitions import Transitions
from mismartera.testing.memory import EventLog

CAUSES = (GateState.CATCHING_UP, GateState.STALE, GateState.PAUSED)


class Stage:
    def __init__(self) -> None:
        time = TimeManager("XNYS")
        self.events = EventLog(time)
        self.gate, self.state = Gate(60_000_000, 10), SessionState()
        analysis = AnalysisEngine((), Delivery(), lambda *_: None)
        publisher = Publisher([self.events], time)
        self.tell = Transitions(self.gate, self.state, analysis, publisher, SymbolRegistry())
        self.causes = Causes(self.gate, self.tell)

    def lift(self, cause: GateState) -> None:
        may_catch_up = self.causes.lift(cause)
        assert not (may_catch_up and self.causes.keep_from_loading)
        if may_catch_up and not self.causes.any:
            self.tell.activate("caught_up", 0, None)


def names(stage: Stage) -> list[object]:
    return [event["event"] for event in stage.events.lines]


@given(st.lists(st.tuples(st.booleans(), st.sampled_from(CAUSES)), max_size=30), st.sets(st.sampled_from(CAUSES)))
def test_active_is_to_be_held_by_nothing_and_activations_alternate(
    steps: list[tuple[bool, GateState]], before: set[GateState]
) -> None:
    stage = Stage()
    holding = set(before)
    for cause in sorted(before):
        stage.causes.hold(cause, f"{cause} before")
    stage.causes.open()
    for is_hold, cause in steps:
        if is_hold:
            stage.causes.hold(cause, str(cause))
            holding.add(cause)
        else:
            stage.lift(cause)
            holding.discard(cause)
        assert stage.gate.active == stage.state.active == stage.state.readable == (not holding)
        if holding:
            assert stage.gate.state is max(holding, key=CAUSES.index)
    told = [name for name in names(stage) if name in {"session_activated", "session_deactivated"}]
    assert all(a != b for a, b in itertools.pairwise(told))


def test_a_session_that_is_held_at_its_open_says_why() -> None:
    stage = Stage()
    stage.causes.hold(GateState.STALE, "stale")
    stage.causes.open()
    assert stage.gate.state is GateState.STALE
    assert names(stage) == ["session_deactivated"]


def test_a_second_session_that_is_held_at_its_open_is_not_deactivated_twice() -> None:
    stage = Stage()
    stage.causes.open()
    stage.tell.deactivate("close", 0, None, GateState.CLOSED)
    stage.causes.hold(GateState.STALE, "stale")
    stage.causes.open()
    assert stage.gate.state is GateState.STALE
    assert not stage.state.readable
    assert names(stage) == ["session_activated", "session_deactivated", "session_state"]
