"""Isolation (R9, I11): what one strategy does wrong changes nothing for the others, nor in the session."""

from __future__ import annotations

from typing import Any

from hypothesis import given
from hypothesis import strategies as st
from tests.property.helpers import make_engine
from tests.property.watching import Notes
from tests.property.worlds import World, worlds

from mismartera.session.strategy import Strategy
from mismartera.testing.invariants import breaches

CALLBACKS = (
    "on_start", "on_session_open", "on_session_active", "on_symbol_active", "on_symbol_loaded",
    "on_symbol_removed", "on_symbol_failed", "on_bar", "on_bar", "on_slice", "on_slice",
    "on_session_close", "on_stop",
)  # fmt: skip


class Raiser(Strategy):
    """Raises in one callback, at its how-maniest call; counts the calls that come after that."""

    def __init__(self, where: str, left: int) -> None:
        super().__init__()
        self.where, self.left = where, left
        self.calls_after = 0
        self.has_raised = False

    def step(self, callback: str) -> None:
        self.calls_after += self.has_raised
        if callback != self.where:
            return
        self.left -= 1
        if self.left < 0:
            self.has_raised = True
            raise RuntimeError(f"enough of {callback}")


def _callback(name: str) -> Any:
    def callback(self: Raiser, *args: object) -> None:
        self.step(name)

    return callback


for _name in set(CALLBACKS):
    setattr(Raiser, _name, _callback(_name))


@given(worlds(), st.sampled_from(CALLBACKS), st.integers(0, 30))
def test_a_strategy_that_raises_is_called_no_more_and_disturbs_nobody(world: World, where: str, left: int) -> None:
    raiser = Raiser(where, left)
    before, after, alone = Notes(world), Notes(world), Notes(world)
    disturbed = make_engine(world.config, world.bars, [before, raiser, after], is_strict=False).run()
    quiet = make_engine(world.config, world.bars, [alone]).run()
    for notes in (before, after):
        assert notes.bars == alone.bars
        assert notes.slices == alone.slices
        assert notes.indicators == alone.indicators
    told = [line for line in disturbed.events if line["event"] == "strategy_error"]
    assert [(line["strategy"], line["error"]) for line in told] == (
        [("Raiser", f"RuntimeError: enough of {where}")] if raiser.has_raised else []
    )
    assert raiser.calls_after == 0
    assert [line for line in disturbed.events if line not in told] == quiet.events
    threshold_seconds = world.config.session_data_config.streaming.catchup_threshold_seconds
    assert breaches(disturbed.events, threshold_seconds=threshold_seconds) == []
    assert disturbed.dumps == quiet.dumps
    errors = disturbed.summary["strategy_errors"]
    assert len(errors) == len(told)
    assert disturbed.summary | {"strategy_errors": []} == quiet.summary
