"""Equivalence (R6): a symbol added in mid-session cannot be told from one that was there since the open."""

from __future__ import annotations

from copy import deepcopy
from datetime import date, datetime
from typing import Any

from hypothesis import given
from hypothesis import strategies as st
from tests.property.helpers import EngineResult, Lines, make_engine
from tests.property.watching import Notes
from tests.property.worlds import World, time_of, worlds

from mismartera.bars import Bar, with_lag
from mismartera.bars.instants import MINUTE_US, SECOND_US

Told = tuple[EngineResult, Notes]


@given(worlds(with_schedule=False), st.floats(0, 1), st.sampled_from([MINUTE_US, SECOND_US]))
def test_a_late_symbol_cannot_be_told_from_one_that_was_there_since_the_open(
    world: World, share: float, unit: int
) -> None:
    """From the step at which it is loaded; and for all other symbols it changes nothing at any time."""
    late = world.json["session_data_config"]["symbols"][-1]
    at_us, always, joined = both(world, late, share, unit)
    if joined[0].failed or always[0].failed:
        return  # nothing else could be loaded: the run was over before the addition
    threshold_us = world.config.session_data_config.streaming.catchup_threshold_seconds * SECOND_US
    fresh = [bar for bar in of(always, late) if at_us - bar.end_us <= threshold_us]
    assert [as_if_prompt(bar) for bar in of(joined, late)] == fresh
    assert [bar.lag_seconds for bar in of(joined, late)] == [
        max(at_us - bar.end_us, 0) / SECOND_US for bar in fresh
    ]
    keys = {(bar.interval, bar.start_us) for bar in fresh}
    assert indicators(joined, late, keys) == indicators(always, late, keys)
    assert slices(joined, late) == {end: bars for end, bars in slices(always, late).items() if bars[0] in fresh}
    assert joined[0].dumps == always[0].dumps
    assert joined[0].counts == always[0].counts
    assert joined[0].quality == always[0].quality
    assert_others_are_told_the_same(joined, always, late)
    alone = told(world, without_symbol(world, late))
    if not alone[0].failed:  # without it nothing else could be loaded, and the run was over at the open
        assert_others_are_told_the_same(joined, alone, late)


def assert_others_are_told_the_same(one: Told, other: Told, late: str) -> None:
    for run in (one, other):
        assert not run[0].failed
    assert [bar for bar in one[1].bars if bar.symbol != late] == [
        bar for bar in other[1].bars if bar.symbol != late
    ]
    assert [row for row in one[1].indicators if row[0] != late] == [
        row for row in other[1].indicators if row[0] != late
    ]
    assert others(one[0].events, late) == others(other[0].events, late)


def both(world: World, late: str, share: float, unit: int) -> tuple[int, Told, Told]:
    """When ``late`` is added in the first session, the run with it from the open, and the run that adds it."""
    hours = world.json["session_data_config"]["hours"]
    time = time_of(world.json["calendar"], None if hours == "regular" else (hours["open"], hours["close"]))
    session = time.get_trading_session(date.fromisoformat(world.json["backtest_config"]["start_date"]))
    at_us = session.open_us + int(share * ((session.close_us - session.open_us) // unit)) * unit
    adding = without_symbol(world, late)
    at = datetime.fromtimestamp(at_us // SECOND_US, tz=session.zone).isoformat()
    adding["schedule"] = [{"at": at, "add": late}]
    return at_us, told(world, world.json), told(world, adding)


def without_symbol(world: World, symbol: str) -> dict[str, Any]:
    json = deepcopy(world.json)
    json["session_data_config"]["symbols"].remove(symbol)
    return json


def told(world: World, json: dict[str, Any]) -> Told:
    run = World(world.bars, json)
    notes = Notes(run)
    return make_engine(run.config, run.bars, [notes]).run(), notes


def of(run: Told, symbol: str) -> list[Bar]:
    return [bar for bar in run[1].bars if bar.symbol == symbol]


def as_if_prompt(bar: Bar) -> Bar:
    return with_lag(bar, 0.0)


def indicators(run: Told, symbol: str, keys: set[tuple[str, int]]) -> list[tuple[Any, ...]]:
    """What was read with the symbol's bars of these intervals and starts."""
    return [row for row in run[1].indicators if row[0] == symbol and row[1:3] in keys]


def slices(run: Told, symbol: str) -> dict[int, list[Bar]]:
    """The symbol's bars in the slices, by end, without their lag."""
    return {end: list(map(as_if_prompt, bars[symbol])) for end, bars in run[1].slices if symbol in bars}


def others(lines: Lines, late: str) -> Lines:
    """The log without what is told of ``late``, nor of the session's gate, which the addition may move."""
    gate = ("session_activated", "session_deactivated")
    moved = [line for line in lines if line["event"] in gate and line["reason"] in {"lag", "caught_up"}]
    return [line for line in lines if line.get("symbol") != late and line not in moved]
