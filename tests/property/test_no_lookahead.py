"""No look-ahead (R9, I5): neither does the future change the past, nor can any read see a bar before its end."""

from __future__ import annotations

from datetime import date, datetime, timedelta

from hypothesis import given
from hypothesis import strategies as st
from tests.property.helpers import bars_of, run_engine
from tests.property.watching import Watcher
from tests.property.worlds import LONG_AGO, Rows, World, time_of, worlds

from mismartera.bars.instants import to_us
from mismartera.bars.interval import parse_interval


@given(worlds(two_bases=False), st.floats(0, 1))
def test_bars_that_end_later_change_nothing_that_was_said_before(world: World, share: float) -> None:
    """A symbol with stored bars of two lengths is left out: which of them is its base is a matter of the day."""
    whole = run_engine(world.config, world.bars).events
    times = sorted({us(line["time"]) for line in whole})
    cut_us = times[min(int(share * len(times)), len(times) - 1)]
    seen = run_engine(world.config, cut(world, cut_us)).events
    assert [line for line in seen if us(line["time"]) <= cut_us] == [
        line for line in whole if us(line["time"]) <= cut_us
    ]


@given(worlds())
def test_no_read_in_a_callback_knows_more_than_the_clock(world: World) -> None:
    watcher = Watcher(world)
    result = run_engine(world.config, world.bars, [watcher])
    assert watcher.looks or not bars_of(result.events)
    for key, count, name, value in watcher.sightings:
        rows = result.dumps.get(key, [])
        if count == 0:
            assert value is None
        elif count <= len(rows):  # of a symbol that was removed there is no dump
            assert value == rows[count - 1][name], (key, count, name)


def cut(world: World, cut_us: int) -> Rows:
    """The bars that have ended by ``cut_us``; a symbol that loses all of them stays known."""
    rows: Rows = {}
    for (symbol, label), series in world.bars.items():
        kept = [row for row in series if end_of(world, row.start_us, label) <= cut_us]
        rows[symbol, label] = kept or [LONG_AGO]
    return rows


def end_of(world: World, start_us: int, label: str) -> int:
    """When a stored bar is over; a daily one with the session that it is dated at, however it is stamped."""
    if label != "1d":
        return start_us + parse_interval(label).length_us
    hours = world.json["session_data_config"]["hours"]
    time = time_of(world.json["calendar"], None if hours == "regular" else (hours["open"], hours["close"]))
    moment = datetime(1970, 1, 1) + timedelta(microseconds=start_us)  # noqa: DTZ001  # a label, not a moment
    on: date = moment.date()
    return time.get_trading_session(on).close_us if time.is_trading_date(on) else start_us


def us(text: str) -> int:
    return to_us(datetime.fromisoformat(text))
