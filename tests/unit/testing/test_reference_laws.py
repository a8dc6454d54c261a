"""The laws of the rules (R1, R4, R6, R9), held against the reference model itself on drawn tables."""

from __future__ import annotations

from collections import Counter
from datetime import datetime
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st
from tests.unit.testing.tables import DAY, at, config, run, us

from mismartera.bars.instants import MINUTE_US, SECOND_US, to_iso, to_us
from mismartera.testing.reference import RefBar, ReferenceResult

Table = dict[tuple[str, str], list[RefBar]]


@st.composite
def tables(draw: st.DrawFn, symbols: str = "ABC") -> Table:
    """Bars of one minute with holes, from before the open to after the close, some of them invalid."""
    stored: Table = {}
    for symbol in symbols:
        slots = draw(st.lists(st.integers(-5, 35), unique=True, max_size=30))
        prices = st.integers(1, 9)
        stored[symbol, "1m"] = [
            RefBar(us("09:30") + slot * MINUTE_US, low + 0.1, low + 0.5, low + 0.1 * draw(st.integers(-1, 1)),
                   low + 0.3, draw(st.sampled_from([0.1, 0.2, 0.7, 1e9, -1.0])))
            for slot in slots for low in [float(draw(prices))]
        ] or [RefBar(us("2024-06-03 09:30"), 1.0, 1.0, 1.0, 1.0, 1.0)]  # fmt: skip
    return stored


TIMES = st.integers(0, 119).map(lambda quarter: f"09:{30 + quarter // 4}:{quarter % 4 * 15:02d}")
STREAMING = st.fixed_dictionaries({
    "catchup_threshold_seconds": st.sampled_from([1, 60, 90, 300]),
    "catchup_check_interval": st.sampled_from([1, 3, 10]),
    "catchup_scope": st.sampled_from(["session", "symbol"]),
})  # fmt: skip
STREAMS = st.sampled_from([["1m"], ["5m"], ["1m", "7m"], ["2m", "5m", "1d"]])
GATES = ("session_activated", "session_deactivated")
WANTED: dict[str, Any] = {"hours": ("09:30", "10:00")}


def us_of(text: str) -> int:
    """Microseconds of an event's time."""
    return to_us(datetime.fromisoformat(text))


def bars(result: ReferenceResult, symbol: str) -> list[dict[str, Any]]:
    return [event for event in result.events if event["event"] == "bar" and event["symbol"] == symbol]


@settings(deadline=None, max_examples=60)
@given(tables(), STREAMS, STREAMING, TIMES, st.sampled_from(["any", "complete"]))
def test_a_late_symbol_cannot_be_told_from_one_that_was_there_since_the_open(
    stored: Table, streams: list[str], streaming: dict[str, Any], time: str, derived: str
) -> None:
    indicators = [{"name": "EMA", "interval": streams[0], "params": {"timeperiod": 2}}]
    common: dict[str, Any] = {"streaming": streaming, "derived_bars": derived, "indicators": indicators, **WANTED}
    always = run(config(["A", "B", "C"], streams, **common), stored)
    late = run(config(["A", "B"], streams, schedule=[at(time, add="C")], **common), stored)
    assert late.dumps == always.dumps
    assert late.quality == always.quality
    assert late.counts == always.counts
    for symbol in "AB":
        assert bars(late, symbol) == bars(always, symbol)
    now = us(f"{DAY} {time}")
    threshold_us = streaming["catchup_threshold_seconds"] * SECOND_US
    fresh = [event for event in bars(always, "C") if now - us_of(event["end"]) <= threshold_us]
    as_joined = [
        event
        | {"time": max(event["time"], to_iso(now)), "lag_seconds": max(now - us_of(event["end"]), 0) / SECOND_US}
        for event in fresh
    ]
    assert bars(late, "C") == as_joined


@settings(deadline=None, max_examples=60)
@given(tables(), STREAMS, STREAMING, TIMES, TIMES)
def test_counts_balance_no_stale_bar_is_shown_and_time_never_goes_back(
    stored: Table, streams: list[str], streaming: dict[str, Any], first: str, second: str
) -> None:
    schedule = [at(first, remove="A"), at(second, add="A"), at(first, add="C"), at(second, remove="B")]
    result = run(config(["A", "B"], streams, schedule=schedule, streaming=streaming, **WANTED), stored)
    for counts in result.counts.values():
        assert counts["received"] == sum(counts.values()) - counts["received"]
    times = [us_of(event["time"]) for event in result.events]
    assert times == sorted(times)
    shown = [event for event in result.events if event["event"] == "bar"]
    assert all(0 <= event["lag_seconds"] <= streaming["catchup_threshold_seconds"] for event in shown)
    keys = Counter((event["symbol"], event["interval"], event["start"], event["generation"]) for event in shown)
    assert set(keys.values()) <= {1}
    gates = [event["event"] for event in result.events if event["event"] in GATES]
    assert gates == list(GATES) * (len(gates) // 2)


@settings(deadline=None, max_examples=60)
@given(tables(), STREAMS, STREAMING, TIMES, TIMES)
def test_bars_from_later_on_change_nothing_that_came_before(
    stored: Table, streams: list[str], streaming: dict[str, Any], time: str, cut: str
) -> None:
    wanted = config(["A", "B"], streams, schedule=[at(time, add="C")], streaming=streaming, **WANTED)
    now = us(f"{DAY} {cut}")
    past = {key: [bar for bar in table if bar.start_us + MINUTE_US <= now] for key, table in stored.items()}
    for key, table in past.items():  # the symbols stay known to the store
        table.append(RefBar(us("2024-06-03 09:31"), 1.0, 1.0, 1.0, 1.0, 1.0))
        stored[key].append(table[-1])
    known = [event for event in run(wanted, stored).events if us_of(event["time"]) <= now]
    assert [event for event in run(wanted, past).events if us_of(event["time"]) <= now] == known
