"""What the stream sends is wrong, double, late or too much: F08 to F22 of the fault catalogue, in whole runs."""

from __future__ import annotations

import math
from dataclasses import replace
from typing import Any

import pytest
from tests.live.conftest import MakeStage
from tests.live.markets import SYMBOLS, corrected, draw, found, later
from tests.live.watching import Watcher
from tests.runs import us

from mismartera.bars.instants import SECOND_US, to_datetime
from mismartera.testing.alpaca_market import JsonDict, MarketBar, MarketStatus


def test_f08_a_bar_that_comes_twice_counts_as_a_duplicate(make_stage: MakeStage) -> None:
    watcher = Watcher()
    stage = make_stage(draw(), until="10:08", strategies=[watcher])
    stage.faults.duplicate = True
    stage.play()
    assert all(stage.summary["counts"][symbol]["duplicate"] >= 7 for symbol in SYMBOLS)
    assert not watcher.revisions


def conflict(bars: list[MarketBar], symbol: str, time: str, seconds: float) -> MarketBar:
    """A plain bar that contradicts one of ``bars``, so much later; the vendor's store has this one."""
    bar = found(bars, symbol, time)
    return replace(bar, close=bar.low, release_us=bar.release_us + round(seconds * SECOND_US))


def test_f09_a_plain_bar_that_differs_is_a_revision_not_a_second_bar(make_stage: MakeStage) -> None:
    bars, watcher = draw(), Watcher()
    stage = make_stage([*bars, conflict(bars, "BBB", "10:03", 4)], until="10:08", strategies=[watcher])
    stage.play()
    assert watcher.revised("BBB") == ["10:04"]
    assert watcher.ends("BBB").count("10:04") == 1
    assert stage.summary["counts"]["BBB"]["revised"] == 1


def test_f09_a_plain_bar_that_rest_does_not_know_is_put_right_by_it(make_stage: MakeStage) -> None:
    bars = draw()
    stage = make_stage(bars, until="10:08")
    wrong = conflict(bars, "BBB", "10:03", 4)
    stage.at("10:04:20", lambda: stage.server.send([wrong.message()]))
    stage.play()
    assert [line["start"][11:16] for line in stage.log.of("revision", symbol="BBB", interval="1m")] == [
        "14:03"
    ] * 2


def test_f10_a_correction_after_the_strategy_saw_the_bar_is_told_as_a_revision(make_stage: MakeStage) -> None:
    bars, watcher = draw(), Watcher()
    stage = make_stage([*bars, corrected(bars, "AAA", "10:02")], until="10:08", strategies=[watcher])
    stage.play()
    assert watcher.revised("AAA") == ["10:03"]
    assert watcher.ends("AAA").count("10:03") == 1
    told = stage.log.of("revision", symbol="AAA", interval="1m")
    assert len(told) == 1
    assert told[0]["high"] == found(bars, "AAA", "10:02").high + 1


def test_f10_a_correction_in_the_frame_of_its_bar_is_seen_at_once(make_stage: MakeStage) -> None:
    bars, watcher = draw(), Watcher()
    stage = make_stage([*bars, corrected(bars, "AAA", "10:02", 0.5)], until="10:06", strategies=[watcher])
    stage.play()
    assert watcher.ends("AAA").count("10:03") == 1


def test_f10_a_correction_of_a_finished_window_flows_through_its_derived_bar(make_stage: MakeStage) -> None:
    bars, watcher = draw(), Watcher()
    stage = make_stage([*bars, corrected(bars, "AAA", "10:04", 100)], until="10:10", strategies=[watcher])
    stage.play()
    assert watcher.revised("AAA", "5m") == ["10:05"]
    assert watcher.ends("AAA", "5m").count("10:05") == 1


def test_f11_a_bar_within_its_grace_is_in_order(make_stage: MakeStage) -> None:
    watcher = Watcher()
    stage = make_stage(later(draw(), "BBB", "10:03", 7), until="10:08", speed=300, strategies=[watcher])
    stage.play()
    assert "10:04" in watcher.ends("BBB")
    assert watcher.ends("BBB") == sorted(watcher.ends("BBB"))


@pytest.mark.parametrize("seconds", [40, 130])
def test_f11_a_bar_after_its_grace_is_late_and_told_as_a_revision(make_stage: MakeStage, seconds: float) -> None:
    watcher = Watcher()
    stage = make_stage(later(draw(), "BBB", "10:03", seconds), until="10:10", strategies=[watcher])
    stage.play()
    assert watcher.revised("BBB") == ["10:04"]
    assert "10:04" not in watcher.ends("BBB")
    assert stage.summary["counts"]["BBB"]["late"] == 1
    assert stage.summary["deactivations"] <= 2, "one late minute is no lag"


def message(bars: list[MarketBar], time: str, **changes: Any) -> JsonDict:
    return {**found(bars, "AAA", time).message(), **changes}


def test_f12_a_bar_from_the_future_is_rejected(make_stage: MakeStage) -> None:
    bars, watcher = draw(), Watcher()
    stage = make_stage(bars, until="10:08", strategies=[watcher])
    stage.at("10:03:20", lambda: stage.server.send([message(bars, "10:30")]))
    stage.play()
    assert stage.summary["counts"]["AAA"]["rejected"] == 1
    assert watcher.ends("AAA") == sorted(watcher.ends("AAA"))


BAD_NUMBERS: list[dict[str, object]] = [
    {"c": math.nan}, {"h": math.inf}, {"l": -math.inf}, {"l": -1.0}, {"o": 0}, {"v": -5}, {"h": 0.01},
    {"c": 1e308}, {"o": "12"},
]  # fmt: skip


def test_f13_impossible_numbers_reach_nobody(make_stage: MakeStage) -> None:
    bars = draw()
    stage = make_stage(bars, until="10:08")

    def send() -> None:
        for changes in BAD_NUMBERS:
            stage.server.send([message(bars, "10:04", **changes), found(bars, "BBB", "10:02").message()])

    stage.at("10:05:01", send)
    stage.play()
    counts = stage.summary["counts"]
    assert counts["AAA"]["rejected"] == len(BAD_NUMBERS)
    assert counts["BBB"]["duplicate"] >= len(BAD_NUMBERS), "the rest of each frame is good"


def test_f14_times_in_the_wrong_unit_or_off_the_minute_are_rejected(make_stage: MakeStage) -> None:
    bars = draw()
    stage = make_stage(bars, until="10:08")
    start_us = us("10:03")
    bad: list[object] = [
        start_us // 1000, start_us * 1000, start_us // SECOND_US, "2024-07-02T10:03:00",
        to_datetime(start_us + 30 * SECOND_US),
    ]  # fmt: skip

    def send() -> None:
        for t in bad:
            stage.server.send([message(bars, "10:03", t=t)])

    stage.at("10:04:20", send)
    stage.play()
    assert stage.summary["counts"]["AAA"]["rejected"] == len(bad)
    assert any("millisecond" in warning or "rejected" in warning for warning in stage.system.warnings)


def test_f15_garbage_costs_one_frame_at_most(make_stage: MakeStage) -> None:
    stage = make_stage(draw(), until="10:08")
    for raw in (b"\xc1", b"\x81\xa1T\xa1b", b"\x93\x01\x02\x03", b"\xff" * 10_000, b"[]", b"\x90"):
        stage.at("10:03:20", lambda raw=raw: stage.server.send_raw(raw))  # type: ignore[misc]
    stage.set("10:05:20", garbage_frames=3, unknown_types=True)
    stage.play()
    assert not stage.log.of("gap")


def test_f16_one_bad_message_in_each_frame_loses_none_of_the_others(make_stage: MakeStage) -> None:
    stage = make_stage(draw(), until="10:08")
    stage.faults.bad_message = True
    stage.play()
    assert not stage.log.of("backfilled", symbol="BBB", **{"from": "2024-07-02T14:04:00+00:00"})
    assert {bar["source"] for bar in stage.log.of("bar", interval="1m")} == {"live"}


@pytest.mark.parametrize("code", [406, 500])
def test_f17_refused_for_a_while_it_waits_and_comes_back_without_a_storm(make_stage: MakeStage, code: int) -> None:
    stage = make_stage(draw(), until="10:10", speed=1500)
    stage.set("10:02:10", auth_error=code, errors_left=2)
    stage.drop("10:02:20")
    stage.play()
    assert 3 <= stage.server.handshakes <= 6
    assert stage.log.of("bar")[-1]["now_us"] > us("10:09")


@pytest.mark.parametrize("code", [402, 404, 409])
def test_f17_refused_for_good_the_run_says_why_and_ends(make_stage: MakeStage, code: int) -> None:
    stage = make_stage(draw(), until="10:10", speed=1500)
    stage.set("10:02:10", auth_error=code)
    stage.drop("10:02:20")
    stage.play(fails=code in {401, 402, 409})
    if code in {401, 402, 409}:
        assert len(stage.log.of("feed_failed")) == 1
    assert stage.server.handshakes <= 40


def test_f17_too_many_symbols_fail_and_the_others_go_on(make_stage: MakeStage) -> None:
    stage = make_stage(draw(), until="10:06")
    stage.faults.symbol_limit = 2
    stage.play()
    assert list(stage.summary["symbols_failed"]) == ["CCC"]
    assert {bar["symbol"] for bar in stage.log.of("bar")} == {"AAA", "BBB"}


@pytest.mark.parametrize("code", [407, 999])
def test_f17_our_slowness_and_codes_that_nobody_knows_are_told(make_stage: MakeStage, code: int) -> None:
    stage = make_stage(draw(), until="10:08")
    stage.faults.session_error, stage.faults.errors_left = code, 1
    stage.play()
    assert any(
        str(code) in text for text in [*stage.system.warnings, *map(str, stage.log.of("feed_disconnected"))]
    )
    assert stage.log.of("bar")[-1]["now_us"] > us("10:07")


def test_f18_bars_that_nobody_asked_for_are_dropped(make_stage: MakeStage) -> None:
    stage = make_stage(draw(), until="10:06")
    stage.faults.strangers = True
    stage.play()
    assert {line["symbol"] for line in stage.log.lines if line.get("symbol")} == set(SYMBOLS)


def test_f19_a_symbol_that_is_never_confirmed_fails_and_the_others_load(make_stage: MakeStage) -> None:
    stage = make_stage(draw(), until="10:08")
    stage.faults.never_confirm = frozenset({"CCC"})
    stage.play()
    assert list(stage.summary["symbols_failed"]) == ["CCC"]
    assert stage.summary["symbols_loaded"] == ["AAA", "BBB"]


def test_f19_forgotten_subscriptions_are_a_dead_stream_and_are_sent_again(make_stage: MakeStage) -> None:
    stage = make_stage(draw(), until="10:12")
    stage.at("10:03:20", stage.server.forget_all)
    stage.play()
    assert len(stage.server.connections) == 2
    assert stage.server.connections[1].requests[0]["bars"] == list(SYMBOLS)
    assert stage.log.of("session_deactivated", reason="stale")


def test_f20_two_sources_that_agree_are_one_and_that_disagree_are_settled_by_rest(make_stage: MakeStage) -> None:
    bars, watcher = draw(), Watcher()
    stage = make_stage(bars, until="10:08", strategies=[watcher])
    same, other = found(bars, "AAA", "10:03"), conflict(bars, "BBB", "10:03", 0)
    stage.at("10:04:10", lambda: stage.server.send([same.message(), other.message()]))
    stage.play()
    assert stage.summary["counts"]["AAA"]["duplicate"] >= 1
    assert stage.summary["counts"]["BBB"]["revised"] == 2, "by the second source, and back by the service"
    assert watcher.ends("BBB").count("10:04") == 1


def test_f21_a_halted_symbol_keeps_its_status_and_does_not_vanish(make_stage: MakeStage) -> None:
    skip = [("BBB", f"10:0{minute}") for minute in range(3, 7)]
    words = [
        MarketStatus("BBB", us("10:03") + SECOND_US, "H", "Halted"),
        MarketStatus("BBB", us("10:07") - SECOND_US, "T", "Resumed"),
    ]
    stage = make_stage(draw(skip=skip), words, until="10:10")
    stage.play()
    assert [line["event"] for line in stage.log.of("halted", "resumed", symbol="BBB")] == ["halted", "resumed"]
    assert len(stage.log.of("quiet", symbol="BBB")) == 4
    assert "BBB" in stage.summary["symbols_loaded"]
    assert not stage.log.of("session_deactivated", reason="stale")


def test_f21_the_minute_in_which_a_halt_begins_has_its_bar(make_stage: MakeStage) -> None:
    skip = [(symbol, f"10:0{minute}") for symbol in SYMBOLS for minute in range(5, 8)]
    words = [MarketStatus(symbol, us("10:04:30"), "H", "Halted") for symbol in SYMBOLS]
    words += [MarketStatus(symbol, us("10:07:50"), "T", "Resumed") for symbol in SYMBOLS]
    watcher = Watcher()
    stage = make_stage(draw(skip=skip), words, until="10:10", strategies=[watcher])
    stage.play()
    assert len(stage.log.of("quiet")) == 9
    assert [line["event"] for line in stage.log.of("halted", "resumed", symbol="AAA")] == ["halted", "resumed"]
    assert stage.log.of("resumed", symbol="AAA")[0]["now_us"] > us("10:07")
    first = next(b for b in watcher.bars if (b.symbol, b.interval, b.end_us) == ("CCC", "5m", us("10:05")))
    assert first.bar_count == 5, "it waits for the bar of the minute in which the halt began"
    assert not watcher.revisions


def test_f21_a_symbol_that_trades_no_more_stays_with_quiet_minutes(make_stage: MakeStage) -> None:
    bars = [bar for bar in draw() if bar.symbol != "BBB" or bar.start_us < us("10:03")]
    stage = make_stage(bars, until="10:09")
    stage.play()
    assert "BBB" in stage.summary["symbols_loaded"]
    assert len(stage.log.of("quiet", symbol="BBB")) == 6


def test_f22_a_burst_is_read_whole_while_a_strategy_works(make_stage: MakeStage) -> None:
    watcher = Watcher()
    watcher.on["AAA 10:05"] = lambda: stage.hold_until("10:06:30")
    stage = make_stage(draw(), until="10:12", strategies=[watcher])
    stage.set("10:03:20", burst=100)
    stage.set("10:06:20", burst=1)
    stage.play()
    assert stage.summary["counts"]["AAA"]["duplicate"] >= 150
    assert len(stage.server.connections) == 1
