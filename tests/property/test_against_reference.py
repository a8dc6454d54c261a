"""The engine, vectorised and ahead of time, against the reference model, bar by bar: equal, bit for bit."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.property.helpers import EngineResult, run_engine, run_reference, without_reasons
from tests.property.worlds import World, worlds

from mismartera.session import chunk
from mismartera.session.chunk import MANY
from mismartera.testing.reference import ReferenceResult


@given(worlds(), st.sampled_from([2, MANY]))
def test_the_engine_says_what_the_reference_model_says(world: World, many: int) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(chunk, "MANY", many)
        engine = run_engine(world.config, world.bars)
    assert_equal(engine, run_reference(world.config, world.bars))


def assert_equal(engine: EngineResult, reference: ReferenceResult) -> None:
    said, expected = without_reasons(engine.events), without_reasons(reference.events)
    for number, (line, wanted) in enumerate(zip(said, expected, strict=False)):
        assert line == wanted, f"event {number} differs: after {said[max(number - 3, 0) : number]}"
    assert len(said) == len(expected), (said[len(expected) :], expected[len(said) :])
    assert list(engine.dumps) == list(reference.dumps)
    for key, rows in reference.dumps.items():
        assert engine.dumps[key] == rows, key
    assert engine.counts == reference.counts
    assert engine.quality == reference.quality
    assert engine.lag_evaluations == reference.lag_evaluations
    assert engine.failed == reference.failed
