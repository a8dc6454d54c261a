"""Sessions, their ends and clocks: C01 to C07 of the fault catalogue, in whole live runs."""

from __future__ import annotations

from dataclasses import replace
from itertools import pairwise

import pytest
from tests.live.conftest import MakeStage
from tests.live.markets import DAY, draw, found, later
from tests.live.watching import Watcher
from tests.runs import us

from mismartera.bars.instants import SECOND_US

HALF_DAY = "2024-07-03"


def test_c01_bars_outside_the_half_day_s_hours_enter_nothing(make_stage: MakeStage) -> None:
    watcher = Watcher()
    bars = draw(first="12:40", last="13:10", day=HALF_DAY)
    stage = make_stage(bars, start="12:52", until="13:08", day=HALF_DAY, strategies=[watcher])
    stage.is_whole = False  # its backtest is below: a store with bars after the close needs no filter of ours
    stage.play()
    assert watcher.ends("AAA")[-1] == watcher.ends("AAA", "5m")[-1] == "13:00"
    assert [line["reason"] for line in stage.log.of("session_deactivated")][-1] == "close"
    assert stage.log.of("session_closed")
    assert max(row["timestamp"] for rows in stage.dumps.tables.values() for row in rows) == us("12:59", HALF_DAY)
    assert stage.server.handshakes == 1, "after the close nobody reconnects"


def test_c01_bars_before_the_open_enter_nothing_and_the_first_one_does(make_stage: MakeStage) -> None:
    watcher = Watcher()
    stage = make_stage(draw(first="09:10"), start="09:25", until="09:36", strategies=[watcher])
    stage.play()
    assert watcher.ends("AAA")[0] == "09:31"
    assert stage.summary["counts"]["AAA"]["out_of_hours"] >= 4


def test_c02_on_a_day_that_is_closed_the_next_session_is_waited_for(make_stage: MakeStage) -> None:
    day = "2025-01-09"  # a day of mourning: the exchange was closed
    stage = make_stage(draw(day=day), start="10:00", until="10:10", day=day)
    stage.is_whole = False
    stage.play()
    assert any("no session" in text for text in stage.system.warnings), stage.system.warnings
    assert not stage.log.of("session_opened")
    assert not stage.log.of("bar")


@pytest.mark.parametrize("day", ["2024-03-11", "2024-11-04"], ids=["spring", "autumn"])
def test_c03_on_the_first_days_after_a_change_of_the_clocks_the_open_is_the_open(
    make_stage: MakeStage, day: str
) -> None:
    watcher = Watcher()
    stage = make_stage(draw(day=day), start="09:28", until="09:36", day=day, strategies=[watcher])
    stage.play()
    assert watcher.ends("AAA")[0] == "09:31"


def test_c04_after_a_long_sleep_what_waits_is_read_before_a_stall_is_declared(make_stage: MakeStage) -> None:
    """The engine and its feed stand still for some minutes of the clock, as a machine does that sleeps."""
    watcher = Watcher()
    stage = make_stage(draw(), until="10:12", strategies=[watcher])
    watcher.on["BBB 10:03"] = lambda: stage.server.wait_until(lambda: stage.clock.now_us() > us("10:07"), 0.5)
    stage.play()
    assert stage.server.handshakes == 1
    assert watcher.ends("AAA")[-1] == "10:12"
    moves = [line["event"] for line in stage.log.of("session_activated", "session_deactivated")]
    assert all(one != other for one, other in pairwise(moves))


def test_c05_a_bar_in_flight_at_the_close_belongs_to_its_session(make_stage: MakeStage) -> None:
    bars = draw(first="12:40", last="13:00", day=HALF_DAY)
    last = found(bars, "BBB", "12:59", HALF_DAY)
    bars.remove(last)
    bars.append(replace(last, release_us=us("13:00", HALF_DAY) + 7 * SECOND_US))
    watcher = Watcher()
    stage = make_stage(bars, start="12:53", until="13:08", day=HALF_DAY, speed=300, strategies=[watcher])
    stage.play()
    assert "13:00" in watcher.ends("AAA")
    rows = stage.dumps.tables[HALF_DAY, "BBB", "1m"]
    assert rows[-1]["timestamp"] == us("12:59", HALF_DAY)


def test_c05_a_backfill_in_flight_at_the_close_belongs_to_its_session(make_stage: MakeStage) -> None:
    bars = draw(first="12:40", last="13:00", day=HALF_DAY)
    stage = make_stage(bars, start="12:53", until="13:08", day=HALF_DAY, speed=1200)
    stage.set("12:55:10", handshake_status=503)
    stage.drop("12:55:20")
    stage.set("12:58:30", handshake_status=None, rest_delay_seconds=80.0)
    stage.set("13:01:00", rest_delay_seconds=0.0)
    stage.play()
    assert {key[0] for key in stage.dumps.tables} == {HALF_DAY}


def test_c07_a_feed_that_wavers_around_the_threshold_loses_and_doubles_nothing(make_stage: MakeStage) -> None:
    bars, watcher = draw(), Watcher()
    for minute in range(2, 14):
        for symbol in ("AAA", "BBB", "CCC"):
            bars = later(bars, symbol, f"10:{minute:02}", 12.0 if minute % 3 else 1.0)
    stage = make_stage(bars, until="10:15", threshold=12.0, strategies=[watcher])
    stage.play()
    assert watcher.told.count("active caught_up") + watcher.told.count("inactive lag") > 0
    for symbol in ("AAA", "BBB", "CCC"):
        assert watcher.ends(symbol) == sorted(set(watcher.ends(symbol)))


def test_a_night_is_slept_through_and_the_next_session_begins_with_its_own_bars(make_stage: MakeStage) -> None:
    """Hours that leave a night of ten minutes: one process, two sessions."""
    bars = draw(first="23:40", last="23:59") + draw(first="00:00", last="00:30", day=HALF_DAY)
    watcher = Watcher()
    stage = make_stage(
        bars, start="23:50", until=f"{HALF_DAY}T00:15", strategies=[watcher],
        hours={"open": "00:05", "close": "23:55"},
    )  # fmt: skip
    stage.is_whole = False  # two days are not one backtest
    stage.play()
    assert [line["date"] for line in stage.log.of("session_opened")] == [DAY, HALF_DAY]
    rows = stage.dumps.tables[HALF_DAY, "AAA", "1m"]
    assert [row["timestamp"] for row in rows] == [us(f"00:{m:02}", HALF_DAY) for m in range(5, 15)]
    assert watcher.ends("AAA")[-1] == "00:15"
    assert stage.dumps.tables[DAY, "AAA", "1m"][-1]["timestamp"] == us("23:54")
    assert [line["reason"] for line in stage.log.of("session_activated")][-1] in {"open", "caught_up"}
