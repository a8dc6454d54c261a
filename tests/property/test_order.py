"""The order of showing (R4), and the invariants of every log."""

from __future__ import annotations

import math
import random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.property.helpers import EngineResult, run_engine
from tests.property.watching import Notes
from tests.property.worlds import LONG_AGO, Rows, World, worlds

from mismartera.bars import Bar
from mismartera.bars.instants import MINUTE_US, SECOND_US, to_datetime
from mismartera.catalog import DataManager
from mismartera.testing.invariants import breaches, dump_breaches, unbalanced
from mismartera.testing.memory import MemoryBars
from mismartera.testing.reference_bars import RefBar

SEEDS = st.integers(0, 2**32).map(random.Random)  # Hypothesis's own randoms do not shuffle long lists


@given(worlds())
def test_every_log_keeps_the_invariants(world: World) -> None:
    result = run_engine(world.config, world.bars)
    threshold_seconds = world.config.session_data_config.streaming.catchup_threshold_seconds
    assert breaches(result.events, threshold_seconds=threshold_seconds) == []
    assert dump_breaches(result.events, result.dumps) == []
    assert unbalanced(result.counts) == []


@given(worlds())
def test_a_slice_has_the_bars_of_its_instant_in_the_order_of_their_notifications(world: World) -> None:
    notes = Notes(world)
    run_engine(world.config, world.bars, [notes])
    in_slices = [bar for _, bars in notes.slices for of_symbol in bars.values() for bar in of_symbol]
    assert in_slices == notes.bars


@given(worlds(), SEEDS)
def test_the_order_of_the_rows_in_the_source_changes_nothing(world: World, order: random.Random) -> None:
    shuffled: Rows = {}
    for series in order.sample(sorted(world.bars), len(world.bars)):
        shuffled[series] = order.sample(world.bars[series], len(world.bars[series]))
    assert_same(run_engine(world.config, shuffled), run_engine(world.config, world.bars))


@settings(max_examples=4)
@given(world=worlds(), order=SEEDS)
def test_the_order_of_writing_to_the_store_changes_nothing(
    world: World, order: random.Random, tmp_path_factory: pytest.TempPathFactory
) -> None:
    """A store that was written in portions, in any order, gives what the same bars in memory give."""
    stored = storable(world)
    store = DataManager(tmp_path_factory.mktemp("store"))
    portions = [
        (symbol, label, rows[at : at + size])
        for (symbol, label), rows in stored.items()
        for size in [len(rows) // 2 + 1]
        for at in range(0, len(rows), size)
    ]
    for symbol, label, rows in order.sample(portions, len(portions)):
        bars = [as_bar(symbol, label, row) for row in order.sample(rows, len(rows))]
        store.write_bars(symbol, label, bars)
    assert_same(run_engine(world.config, store), run_engine(world.config, MemoryBars(stored)))


def assert_same(one: EngineResult, other: EngineResult) -> None:
    assert one.events == other.events
    assert one.dumps == other.dumps
    assert one.counts == other.counts
    assert one.quality == other.quality


def storable(world: World) -> Rows:
    """The rows that a store takes: it refuses what breaks a rule."""
    return {
        (symbol, label): [row for row in rows if is_sound(row, label)] or [LONG_AGO]
        for (symbol, label), rows in world.bars.items()
    }


def is_sound(row: RefBar, label: str) -> bool:
    grid_us = SECOND_US if label == "1s" else MINUTE_US
    prices = (row.open, row.high, row.low, row.close)
    return (
        all(math.isfinite(value) for value in (*prices, row.volume))
        and min(prices) > 0
        and row.low <= min(row.open, row.close)
        and max(row.open, row.close) <= row.high
        and row.volume >= 0
        and row.start_us % grid_us == 0
    )


def as_bar(symbol: str, label: str, row: RefBar) -> Bar:
    start_us, open_, high, low, close, volume = row
    return Bar(symbol, label, to_datetime(start_us), open=open_, high=high, low=low, close=close, volume=volume)
