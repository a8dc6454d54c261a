"""Bugs that others had (section 1 of the fault catalogue) which no other file here has a scenario for."""

from __future__ import annotations

import os
import threading
from pathlib import Path

import pytest
from tests.live.conftest import MakeStage
from tests.live.markets import SYMBOLS, draw
from tests.live.test_feed_faults import inactive_at
from tests.live.watching import Watcher
from tests.runs import us


def test_bug_2_a_reconnect_is_not_believed_before_data_flow(make_stage: MakeStage) -> None:
    stage = make_stage(draw(), until="10:12")
    stage.set("10:03:20", mute=True)
    stage.drop("10:03:25")
    stage.set("10:08:20", mute=False)
    stage.play()
    assert [line for line in stage.log.of("feed_connected") if us("10:03:25") < line["now_us"] < us("10:04:30")]
    assert inactive_at(stage, "10:08:10"), "connected, subscribed, silent"
    assert not inactive_at(stage, "10:11:50")


def test_bug_3_a_disconnect_before_the_first_connect_and_backfill_older_than_the_newest_bar(
    make_stage: MakeStage,
) -> None:
    stage = make_stage(draw(), until="10:14", speed=1200)
    stage.faults.drop_in_handshake = 2
    stage.set("10:05:20", handshake_status=503)
    stage.drop("10:05:30")
    stage.set("10:08:20", handshake_status=None)
    stage.play()
    filled = [line for line in stage.log.of("backfilled", symbol="AAA") if line["now_us"] > us("10:08")]
    assert sum(line["bars"] for line in filled) >= 2


def test_bug_4_every_connection_asks_for_every_symbol_anew(make_stage: MakeStage) -> None:
    stage = make_stage(draw(), until="10:12")
    for minute in (3, 5, 7):
        stage.drop(f"10:0{minute}:20")
    stage.play()
    talked = [connection for connection in stage.server.connections if connection.is_authenticated]
    assert len(talked) == 4
    for connection in talked:
        asked = [s for request in connection.requests if request["action"] == "subscribe" for s in request["bars"]]
        assert sorted(asked) == list(SYMBOLS)


@pytest.mark.parametrize("seconds", [40, 100])
def test_bug_7_live_bars_come_at_every_point_of_a_joining_symbol_s_backfill(
    make_stage: MakeStage, seconds: float
) -> None:
    watcher = Watcher()
    stage = make_stage(
        draw(), symbols=["AAA"], until="10:12", strategies=[watcher], streaming={"load_timeout_seconds": 300}
    )

    def add() -> None:
        stage.faults.rest_delay_seconds = seconds
        stage.system.coordinator.add_symbol("BBB")

    stage.at("10:02:50", add)
    stage.set("10:07:00", rest_delay_seconds=0)
    stage.play()
    assert stage.log.of("symbol_loaded", symbol="BBB")
    assert watcher.ends("BBB")[-1] == "10:12"


def test_bug_8_a_minute_that_still_forms_enters_nothing(make_stage: MakeStage) -> None:
    stage = make_stage(draw(), until="10:12")
    stage.set("10:02:20", forming=True, handshake_status=503)
    stage.drop("10:02:25")
    stage.set("10:05:20", handshake_status=None)
    stage.set("10:10:20", forming=False)
    stage.play()
    assert not stage.log.of("revision"), "nothing had to be put right"


def test_bug_10_the_last_window_before_a_halt_closes_by_the_clock(make_stage: MakeStage) -> None:
    watcher = Watcher()
    bars = [bar for bar in draw() if not us("10:04") <= bar.start_us < us("10:12")]
    stage = make_stage(bars, until="10:15", strategies=[watcher])
    stage.play()
    first = [bar for bar in stage.log.of("bar", symbol="AAA", interval="5m") if bar["end_us"] == us("10:05")]
    assert [bar["bar_count"] for bar in first] == [4]
    assert first[0]["now_us"] < us("10:07"), "long before the next bar"


def test_bug_14_a_removed_symbol_is_unsubscribed_and_its_bars_are_nobody_s(make_stage: MakeStage) -> None:
    watcher = Watcher()
    stage = make_stage(draw(), until="10:08", strategies=[watcher])
    stage.at("10:03:20", lambda: stage.system.coordinator.remove_symbol("BBB"))
    stage.play()
    assert watcher.ends("BBB")[-1] == "10:03"
    assert stage.server.connections[-1].subscribed["bars"] == ["AAA", "CCC"]


def test_bug_15_unknown_for_a_while_a_symbol_fails_is_kept_and_comes_back(make_stage: MakeStage) -> None:
    stage = make_stage(draw(), until="10:10", streaming={"load_timeout_seconds": 30})
    stage.faults.rest_status = 500
    stage.set("10:02:30", rest_status=None)
    stage.play()
    assert set(stage.summary["symbols_loaded"]) == set(SYMBOLS)
    assert not stage.summary["symbols_failed"]
    assert len(stage.log.of("symbol_failed")) >= 3


def test_bug_18_a_slow_strategy_and_a_burst_lose_no_bar(make_stage: MakeStage) -> None:
    slow = Watcher()
    stage = make_stage(draw(), until="10:14", strategies=[slow])
    stage.set("10:02:20", burst=100)
    slow.on["AAA 10:04"] = lambda: stage.hold_until("10:07")
    stage.set("10:08:20", burst=1)
    stage.play()
    assert stage.log.of("session_deactivated", reason="lag")
    assert slow.ends("AAA")[-1] == "10:14"
    assert "10:05" not in slow.ends("AAA"), "the catch-up is silent"


def open_files() -> int:
    return len(list(Path("/proc/self/fd").iterdir()))


@pytest.mark.skipif(not os.path.exists("/proc/self/fd"), reason="counts the open files of this process")  # noqa: PTH110
def test_bug_20_reconnects_and_changes_of_symbols_leave_nothing_behind(make_stage: MakeStage) -> None:
    stage = make_stage(draw(), symbols=["AAA", "BBB"], until="10:25", speed=1200)
    coordinator = stage.system.coordinator
    seen: list[tuple[int, int]] = []

    def measure() -> None:
        seen.append((threading.active_count(), open_files()))

    def turn() -> None:
        stage.server.drop_all()
        coordinator.add_symbol("CCC")
        coordinator.remove_symbol("CCC")

    stage.at("10:02:50", measure)
    for minute in range(3, 21):
        for second in (10, 30):
            stage.at(f"10:{minute:02}:{second}", turn)
    stage.at("10:24:30", measure)
    stage.play()
    (threads, files), (threads_after, files_after) = seen
    assert threads_after <= threads + 2, "those of the requests wait for the next one"
    assert files_after <= files + 4
    assert stage.server.handshakes <= 60


def test_a_storm_of_drops_is_answered_with_a_bounded_number_of_connections(make_stage: MakeStage) -> None:
    stage = make_stage(draw(), until="10:20", speed=1200)
    stage.set("10:02:20", drop_before_auth=10_000)
    stage.drop("10:02:30")
    stage.set("10:12:20", drop_before_auth=0)
    stage.play()
    assert stage.server.handshakes <= 45, "ten minutes with a back-off that is capped at 30 s"
    assert not inactive_at(stage, "10:19:50")
