"""A live session and a backtest of what it has recorded are the same, bit for bit; a start at any moment, too."""

from __future__ import annotations

from dataclasses import replace
from random import Random

import pytest
from tests.live.conftest import MakeStage
from tests.live.markets import SYMBOLS, corrected, draw, later
from tests.live.truth import differences
from tests.live.watching import Watcher
from tests.runs import us

from mismartera.bars.instants import MINUTE_US, SECOND_US
from mismartera.testing.alpaca_market import MarketBar


def unruly(seed: int) -> list[MarketBar]:
    """Minutes without trades, late ones, corrections."""
    rng = Random(seed)
    bars = [bar for bar in draw(seed=seed) if bar.start_us < us("10:00") or rng.random() < 0.9]
    for minute in (2, 5, 9):
        symbol = rng.choice(SYMBOLS)
        bars = later(bars, symbol, f"10:{minute:02}", rng.choice([6, 25, 70]))
        present = [bar for bar in bars if (bar.symbol, bar.start_us) == (symbol, us(f"10:{minute:02}"))]
        bars += [corrected(bars, symbol, f"10:{minute:02}", 90) for _ in present]
    return bars


@pytest.mark.parametrize("seed", [1, 2])
def test_a_recorded_day_run_as_a_backtest_is_the_live_one_bit_for_bit(make_stage: MakeStage, seed: int) -> None:
    stage = make_stage(unruly(seed), start="09:28", until="09:50", streams=("1m", "5m", "15m"), speed=1200)
    stage.drop("09:36:20")
    stage.play()
    recorded = stage.backtest(stage.store, SYMBOLS)
    assert not differences(stage.dumps.tables, recorded, stage.until_us)
    assert any(row["SMA_2"] is not None for row in stage.dumps.tables[stage.day, "AAA", "5m"])


@pytest.mark.parametrize("seed", [4])
def test_a_day_with_faults_is_recorded_as_it_was(make_stage: MakeStage, seed: int) -> None:
    stage = make_stage(unruly(seed), until="10:15", speed=1200)
    stage.set("10:03:20", handshake_status=503)
    stage.drop("10:03:30")
    stage.set("10:06:20", handshake_status=None)
    stage.set("10:08:20", duplicate=True, bad_message=True)
    stage.play()
    recorded = stage.backtest(stage.store, SYMBOLS)
    assert not differences(stage.dumps.tables, recorded, stage.until_us)


@pytest.mark.parametrize("start", ["09:59:59", "10:00:00", "10:00:01"])
def test_bug_9_a_start_around_a_boundary_neither_loses_a_full_window_nor_tells_a_part(
    make_stage: MakeStage, start: str
) -> None:
    watcher = Watcher()
    stage = make_stage(draw(), start=start, until="10:10", strategies=[watcher])
    stage.play()
    fives = [bar for bar in watcher.bars if bar.interval == "5m"]
    assert {bar.bar_count for bar in fives} == {5}
    ends = [watcher.ends(symbol, "5m") for symbol in SYMBOLS]
    assert [found[-2:] for found in ends] == [["10:05", "10:10"]] * 3
    loaded_in_time = [["10:00"]] if start < "10:00" else []  # within the second, if the machine is quick
    assert all(found[:-2] in [[], *loaded_in_time] for found in ends)


@pytest.mark.parametrize("seed", [1])
def test_bug_11_whatever_the_delay_of_each_bar_the_derived_ones_are_the_same(
    make_stage: MakeStage, seed: int
) -> None:
    rng, watcher = Random(seed), Watcher()
    bars = [
        replace(bar, release_us=bar.start_us + MINUTE_US + round(rng.uniform(0, 5) * SECOND_US)) for bar in draw()
    ]
    stage = make_stage(bars, until="10:16", speed=450, strategies=[watcher])
    stage.play()
    assert [watcher.ends(symbol, "5m")[-3:] for symbol in SYMBOLS] == [["10:05", "10:10", "10:15"]] * 3
    assert not watcher.revisions


def test_a_start_before_the_open_begins_active_and_has_every_bar(make_stage: MakeStage) -> None:
    watcher = Watcher()
    stage = make_stage(draw(), start="09:27", until="09:35", strategies=[watcher])
    stage.play()
    assert stage.log.told("session_activated")[0] == "09:30 session_activated open"
    assert watcher.ends("AAA") == ["09:31", "09:32", "09:33", "09:34", "09:35"]


def test_a_start_in_mid_session_begins_deactivated_with_a_backlog_that_nobody_is_told(
    make_stage: MakeStage,
) -> None:
    watcher = Watcher()
    stage = make_stage(draw(), start="10:00:30", until="10:05", strategies=[watcher])
    stage.play()
    moves = stage.log.told("session_activated", "session_deactivated")
    assert moves[0].endswith("session_deactivated backlog")
    assert watcher.ends("AAA")[0] >= "10:01"
    assert len(stage.dumps.tables[stage.day, "AAA", "1m"]) == 35


def test_until_ends_with_the_bars_that_ended_by_then(make_stage: MakeStage) -> None:
    watcher = Watcher()
    stage = make_stage(later(draw(), "BBB", "10:04", 5), until="10:05", speed=300, strategies=[watcher])
    stage.play()
    assert watcher.ends("AAA")[-1] == watcher.ends("AAA", "5m")[-1] == "10:05"
    assert stage.dumps.tables[stage.day, "BBB", "1m"][-1]["timestamp"] == us("10:04")
    assert stage.log.lines[-1]["event"] == "session_closed"
