"""The stream and the service fail and come back: F01 to F07 of the fault catalogue, in whole runs."""

from __future__ import annotations

import pytest
from tests.live.conftest import MakeStage
from tests.live.markets import SYMBOLS, draw
from tests.live.stage import Stage
from tests.runs import clock_time, us

from mismartera.testing.alpaca_market import MarketStatus


def inactive_at(stage: Stage, time: str) -> bool:
    """Was the session deactivated when the clock read ``time``?"""
    moves = [
        line
        for line in stage.log.of("session_activated", "session_deactivated")
        if line["now_us"] <= us(time, stage.day)
    ]
    return not moves or bool(moves[-1]["event"] == "session_deactivated")


def silent(first: str, last: str) -> list[tuple[str, str]]:
    """Minutes of all symbols from ``first`` to before ``last``."""
    minutes = range(us(first), us(last), 60_000_000)
    return [(symbol, clock_time(start_us)) for symbol in SYMBOLS for start_us in minutes]


def test_a_day_without_faults_is_that_of_a_backtest(make_stage: MakeStage) -> None:
    stage = make_stage(draw(), until="10:10")
    stage.play()
    assert stage.summary["sessions"] == 1
    assert stage.server.handshakes == 1
    assert set(stage.summary["symbols_loaded"]) == set(SYMBOLS)


def test_f01_a_mute_stream_is_found_and_replaced(make_stage: MakeStage) -> None:
    stage = make_stage(draw(), until="10:14", feed={"stall_timeout_seconds": 90})
    stage.set("10:03:20", mute=True)
    stage.set("10:08:10", mute=False)
    stage.play()
    held = stage.log.of("session_deactivated", reason="stale")
    assert held
    stall_us, bar_us = 90_000_000, us("10:03") + 500_000
    assert stall_us <= held[0]["now_us"] - bar_us <= stall_us + 60_000_000, "found soon after the time-out"
    assert inactive_at(stage, "10:08:00"), "connections alone do not make it fresh"
    assert not inactive_at(stage, "10:13:50"), "it has caught up"
    assert 2 <= stage.server.handshakes <= 6, "found again and again, without a storm"


def test_f01_a_symbol_that_joins_does_not_make_a_mute_stream_look_alive(make_stage: MakeStage) -> None:
    stage = make_stage(
        draw(), until="10:08", symbols=["AAA", "BBB"], feed={"stall_timeout_seconds": 90}, speed=300
    )
    stage.set("10:03:20", mute=True)
    stage.at("10:04:20", lambda: stage.system.coordinator.add_symbol("CCC"))
    stage.play()
    held = stage.log.of("session_deactivated", reason="stale")
    assert held
    assert held[0]["now_us"] <= us("10:05:10"), "counted from the last data frame"


def test_f02_before_the_open_silence_means_nothing(make_stage: MakeStage) -> None:
    stage = make_stage(draw(), start="09:20", until="09:36")
    stage.play()
    assert stage.server.handshakes == 1
    assert stage.log.of("session_activated")[0]["reason"] == "open"
    assert not stage.log.of("session_deactivated", reason="stale")


def test_f02_a_market_that_is_halted_as_a_whole_is_quiet_not_dead(make_stage: MakeStage) -> None:
    halts = [MarketStatus(symbol, us("10:03") + 1_000_000, "H", "Halted") for symbol in SYMBOLS]
    ends = [MarketStatus(symbol, us("10:09") - 1_000_000, "T", "Resumed") for symbol in SYMBOLS]
    stage = make_stage(draw(skip=silent("10:03", "10:09")), [*halts, *ends], until="10:12")
    stage.play()
    assert stage.server.handshakes == 1
    assert [len(stage.log.of(name)) for name in ("halted", "resumed")] == [3, 3]
    assert not stage.log.of("session_deactivated", reason="stale"), "a halt does not deactivate the session"
    assert len(stage.log.of("quiet")) == 18


@pytest.mark.parametrize("stall", [90, 180], ids="{} s".format)
def test_f02_a_market_without_trades_is_quiet_not_dead(make_stage: MakeStage, stall: float) -> None:
    """180 s after a bar another minute has just ended: what it was is not known yet."""
    feed = {"stall_timeout_seconds": stall}
    stage = make_stage(draw(skip=silent("10:03", "10:09")), until="10:12", feed=feed)
    stage.play()
    assert stage.server.handshakes == 1
    assert not stage.log.of("session_deactivated", reason="stale")
    assert len(stage.log.of("quiet")) == 18


def test_f03_one_silent_symbol_is_asked_for_and_found_quiet(make_stage: MakeStage) -> None:
    stage = make_stage(draw(skip=[("BBB", "10:03"), ("BBB", "10:04"), ("CCC", "10:06")]), until="10:10")
    stage.play()
    told = [(line["symbol"], line["start"][11:16]) for line in stage.log.of("quiet")]
    assert told == [("BBB", "14:03"), ("BBB", "14:04"), ("CCC", "14:06")]
    assert stage.server.handshakes == 1
    assert not stage.log.of("gap")


def test_f03_one_symbol_whose_bars_are_lost_is_filled_from_rest(make_stage: MakeStage) -> None:
    stage = make_stage(draw(), until="10:10")

    def lose() -> None:
        for connection in stage.server.live:
            connection.subscribed["bars"].remove("BBB")

    stage.at("10:03:30", lose)
    stage.play()
    filled = stage.log.of("backfilled", symbol="BBB")
    assert sum(line["bars"] for line in filled if line["now_us"] > us("10:03:30")) >= 5
    assert stage.server.handshakes == 1, "the others flow: the stream is not dead"
    late = stage.log.of("bar", symbol="BBB", interval="1m")
    assert not [bar for bar in late if bar["now_us"] > us("10:04:30")]
    assert stage.log.of("revision", symbol="BBB", interval="1m"), "filled in late, they are told as revisions"


def test_f04_drops_at_every_point_end_connected_and_caught_up(make_stage: MakeStage) -> None:
    stage = make_stage(draw(), until="10:20", speed=600)
    stage.set("10:02:30", drop_in_frame=1, drop_in_handshake=2, drop_before_auth=1, silent_auth=1)
    stage.play()
    assert not inactive_at(stage, "10:19:50")
    assert stage.server.handshakes >= 5


def test_f05_drops_during_the_backfill_lose_and_double_nothing(make_stage: MakeStage) -> None:
    stage = make_stage(draw(), until="10:16", speed=600)

    def drop_in_backfill() -> None:
        stage.faults.handshake_status = None
        for _ in range(3):
            asked = len(stage.server.rest_requests)
            assert stage.server.wait_until(lambda asked=asked: len(stage.server.rest_requests) > asked)  # type: ignore[misc]
            stage.server.drop_all()

    stage.set("10:02:10", rest_delay_seconds=15.0, handshake_status=503)
    stage.drop("10:02:30")
    stage.at("10:05:10", drop_in_backfill)
    stage.set("10:10:00", rest_delay_seconds=0.0)
    stage.play()
    assert stage.server.handshakes >= 4
    assert not inactive_at(stage, "10:15:50")


@pytest.mark.parametrize(
    "fault",
    [{"rest_status": 503}, {"rest_status": 429, "retry_after": "20"}, {"rest_garbage": 3}, {"rest_hang": 1}],
    ids=["503", "429", "garbage", "hang"],
)
def test_f06_while_rest_fails_nothing_is_delivered(make_stage: MakeStage, fault: dict[str, object]) -> None:
    stage = make_stage(draw(), until="10:14")
    stage.set("10:02:10", **fault, handshake_status=503)
    stage.drop("10:02:30")
    stage.set("10:04:10", handshake_status=None)
    stage.set("10:07:10", rest_status=None)
    stage.play()
    if "rest_status" in fault:
        assert inactive_at(stage, "10:07:00"), "data flow, but what was missed is not there"
        late = [bar for bar in stage.log.of("bar") if us("10:03") < bar["now_us"] < us("10:07:10")]
        assert not late
    assert not inactive_at(stage, "10:13:50")


def test_f07_partial_pages_in_any_order_and_behind_live_are_merged_by_key(make_stage: MakeStage) -> None:
    stage = make_stage(draw(), until="10:14", speed=1200)
    stage.set("10:02:10", handshake_status=503)
    stage.drop("10:02:30")
    stage.set("10:06:10", handshake_status=None, page_size=3, repeat_boundary=True, reverse_pages=True)
    stage.at("10:06:11", lambda: setattr(stage.faults, "rest_lag_bars", 1))
    stage.set("10:11:00", rest_lag_bars=0)
    stage.play()
    assert not stage.log.of("gap")
    assert stage.log.of("backfilled")
