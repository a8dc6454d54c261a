"""Symbols come and go in a live session: S01 to S12 of the fault catalogue, in whole runs."""

from __future__ import annotations

import threading
from collections.abc import Callable

import pytest
from tests.live.conftest import MakeStage
from tests.live.markets import draw
from tests.live.stage import Stage
from tests.live.watching import Watcher
from tests.runs import moment, us

from mismartera.errors import MismarteraError, UsageError

SLOW = 20.0
"""Seconds that an answer of the service takes where a symbol is to be caught in the middle of its loading."""


def states(stage: Stage, symbol: str) -> list[str]:
    names = ("symbol_pending", "symbol_loaded", "symbol_failed", "symbol_removed")
    return [line["event"].removeprefix("symbol_") for line in stage.log.of(*names, symbol=symbol)]


def unsubscribed(stage: Stage, symbol: str) -> bool:
    requests = [request for connection in stage.server.connections for request in connection.requests]
    return any(r["action"] == "unsubscribe" and symbol in r["bars"] for r in requests)


def test_s01_two_threads_add_one_symbol_and_one_load_serves_both(make_stage: MakeStage) -> None:
    stage = make_stage(draw(), symbols=["AAA"], until="10:08")
    answers: list[bool] = []

    def add() -> None:
        answers.append(stage.system.coordinator.add_symbol("BBB"))
        assert stage.system.coordinator.wait_loaded("BBB", timeout=10)

    def both() -> None:
        threads = [threading.Thread(target=add) for _ in range(2)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()

    stage.at("10:02:20", both)
    stage.play()
    assert sorted(answers) == [False, True]
    assert states(stage, "BBB") == ["pending", "loaded"]


@pytest.mark.parametrize("time", ["10:02:20", "10:02:59", "10:03:01"])
def test_a_symbol_that_joins_is_whole_and_the_others_are_told_nothing_twice(
    make_stage: MakeStage, time: str
) -> None:
    watcher = Watcher()
    stage = make_stage(draw(), symbols=["AAA", "BBB"], until="10:10", strategies=[watcher])
    stage.at(time, lambda: stage.system.coordinator.add_symbol("CCC"))
    stage.play()
    assert states(stage, "CCC") == ["pending", "loaded"]
    assert watcher.ends("CCC")[-1] >= "10:09"


def test_s02_removed_while_it_loads_it_is_gone_and_unsubscribed(make_stage: MakeStage) -> None:
    watcher = Watcher()
    stage = make_stage(draw(), symbols=["AAA", "BBB"], until="10:08", strategies=[watcher])

    def add_and_remove() -> None:
        stage.faults.rest_delay_seconds = SLOW
        stage.system.coordinator.add_symbol("CCC")
        asked = len(stage.server.rest_requests)
        assert stage.server.wait_until(lambda: len(stage.server.rest_requests) > asked)
        assert stage.system.coordinator.remove_symbol("CCC")
        stage.faults.rest_delay_seconds = 0.0

    stage.at("10:02:20", add_and_remove)
    stage.play()
    assert states(stage, "CCC") == ["pending", "removed"]
    assert watcher.ends("CCC") == []
    assert unsubscribed(stage, "CCC")


def test_s03_of_add_remove_add_only_the_last_generation_delivers(make_stage: MakeStage) -> None:
    stage = make_stage(draw(), symbols=["AAA"], until="10:10")
    coordinator = stage.system.coordinator

    def hurry() -> None:
        for _ in range(5):
            coordinator.add_symbol("BBB")
            coordinator.remove_symbol("BBB")
        coordinator.add_symbol("BBB")

    stage.at("10:02:20", hurry)
    stage.play()
    assert states(stage, "BBB")[-2:] == ["pending", "loaded"]
    assert {bar["generation"] for bar in stage.log.of("bar", symbol="BBB")} == {6}


def test_s03_a_loaded_symbol_that_goes_and_comes_back_is_a_new_generation(make_stage: MakeStage) -> None:
    stage = make_stage(draw(), until="10:10")
    stage.at("10:03:20", lambda: stage.system.coordinator.remove_symbol("BBB"))
    stage.at("10:05:20", lambda: stage.system.coordinator.add_symbol("BBB"))
    stage.play()
    assert states(stage, "BBB") == ["pending", "loaded", "removed", "pending", "loaded"]
    assert [bar["generation"] for bar in stage.log.of("bar", symbol="BBB")][-1] == 2


def test_s04_removed_in_its_own_callback_it_is_told_nothing_more(make_stage: MakeStage) -> None:
    watcher = Watcher()
    watcher.on["BBB 10:03"] = lambda: watcher.session.remove_symbol("BBB")
    stage = make_stage(draw(), until="10:06", strategies=[watcher])
    stage.play()
    assert watcher.ends("BBB")[-1] == "10:03"
    assert unsubscribed(stage, "BBB")
    assert watcher.ends("CCC")[-1] == "10:06"


def test_s05_a_removal_waits_for_the_callback_that_runs(make_stage: MakeStage) -> None:
    inside, go_on, order = threading.Event(), threading.Event(), list[str]()
    watcher = Watcher()

    def hold() -> None:
        inside.set()
        go_on.wait(5)
        order.append("callback")

    watcher.on["BBB 10:03"] = hold
    stage = make_stage(draw(), until="10:08", strategies=[watcher])

    def remove() -> None:
        assert inside.wait(5)
        threading.Timer(0.05, go_on.set).start()
        stage.system.coordinator.remove_symbol("BBB")
        order.append("removed")

    stage.at("10:02:40", remove)
    stage.play()
    assert order == ["callback", "removed"]
    assert watcher.ends("BBB")[-1] == "10:03"


def test_s06_added_from_a_callback_it_loads(make_stage: MakeStage) -> None:
    watcher = Watcher()
    watcher.on["AAA 10:03"] = lambda: watcher.session.add_symbol("BBB")
    stage = make_stage(draw(), symbols=["AAA"], until="10:08", strategies=[watcher])
    stage.play()
    assert states(stage, "BBB") == ["pending", "loaded"]
    assert watcher.ends("BBB")[-1] == "10:08"


@pytest.mark.parametrize("time", ["12:59:59", "13:00:00", "13:00:01"])
def test_s06_added_around_the_close_it_hangs_nothing(make_stage: MakeStage, time: str) -> None:
    day = "2024-07-03"
    bars = draw(first="12:50", last="13:00", day=day)
    stage = make_stage(bars, symbols=["AAA", "BBB"], start="12:55", until="13:05", day=day)
    stage.is_whole = False  # the morning is missing for CCC, too: see C01 for the half day
    added: list[object] = []

    def add() -> None:
        try:
            added.append(stage.system.coordinator.add_symbol("CCC"))
        except MismarteraError as error:
            added.append(str(error))

    stage.at(time, add)
    stage.play()
    assert added
    assert states(stage, "CCC") in ([], ["pending"], ["pending", "loaded"])


def test_s07_one_bad_symbol_of_ten_fails_alone(make_stage: MakeStage) -> None:
    names = [f"S{number}" for number in range(9)]
    stage = make_stage(draw(names), symbols=[*names[:4], "NOPE", *names[4:]], until="10:06")
    stage.faults.bad_symbols = frozenset({"NOPE"})
    stage.play()
    assert stage.summary["symbols_loaded"] == names
    assert list(stage.summary["symbols_failed"]) == ["NOPE"]
    assert (
        "NOPE" in stage.summary["symbols_failed"]["NOPE"] or "invalid" in stage.summary["symbols_failed"]["NOPE"]
    )


def test_s07_a_symbol_that_answers_with_nothing_is_not_loaded(make_stage: MakeStage) -> None:
    stage = make_stage(draw(), symbols=["AAA", "NONE"], until="10:06")
    stage.play()
    assert "NONE has no bar in the last 10 sessions" in stage.summary["symbols_failed"]["NONE"]


def test_s07_all_symbols_unknown_ends_the_run(make_stage: MakeStage) -> None:
    stage = make_stage(draw(), symbols=["NOPE", "NONE"], until="10:06")
    stage.faults.bad_symbols = frozenset({"NOPE"})
    stage.play(fails=True)
    assert states(stage, "NOPE")[-1] == states(stage, "NONE")[-1] == "failed"


def test_s07_no_symbols_are_no_symbols(make_stage: MakeStage) -> None:
    stage = make_stage(draw(), symbols=[], until="10:04")
    stage.play()
    assert not stage.log.of("bar")
    assert stage.server.handshakes <= 2


@pytest.mark.parametrize("name", ["../../etc/x", "-A", "A\0", "A" * 33, "\uff21", "", "A//B"])
def test_s08_a_name_that_is_none_is_refused_at_once(make_stage: MakeStage, name: str) -> None:
    stage = make_stage(draw(), symbols=["AAA"], until="10:02", speed=1200)
    with pytest.raises(ValueError, match="symbol"):
        stage.system.coordinator.add_symbol(name)
    stage.system.stop()


def test_s08_names_with_dots_lower_case_and_device_names_are_kept(make_stage: MakeStage) -> None:
    names = ["BRK.B", "CON", "abc"]
    stage = make_stage(draw(names), symbols=names, until="10:04")
    stage.play()
    assert stage.summary["symbols_loaded"] == names
    assert {
        bar.symbol for name in names for bar in stage.store.get_bars(name, "1m", moment("10:00"), moment("10:04"))
    } == set(names)


def test_s09_a_load_that_hangs_fails_for_a_while_and_is_tried_again(make_stage: MakeStage) -> None:
    stage = make_stage(draw(), symbols=["AAA"], until="10:14", streaming={"load_timeout_seconds": 60}, speed=1000)

    def add() -> None:
        stage.faults.rest_status = 503
        stage.system.coordinator.add_symbol("BBB")

    stage.at("10:02:20", add)
    stage.set("10:04:00", rest_status=None)
    stage.play()
    assert states(stage, "BBB") == ["pending", "failed", "pending", "loaded"]
    failed = stage.log.of("symbol_failed", symbol="BBB")[0]["reason"]
    assert "next try at" in failed


def test_s10_a_feed_slower_than_real_time_is_never_fresh(make_stage: MakeStage) -> None:
    stage = make_stage(draw(), until="10:10")
    stage.faults.delay_seconds = 120
    stage.is_whole = False  # what is newer than two minutes comes from REST at the end
    stage.play(fails=True)
    assert "not loaded after 60 s: the feed is behind" in stage.log.of("symbol_failed")[0]["reason"]
    assert not stage.log.of("bar")
    assert not stage.log.of("session_activated")


def test_s11_stopped_in_the_middle_of_loading_it_ends(make_stage: MakeStage) -> None:
    stage = make_stage(draw(), until="10:30")
    stage.faults.rest_hang = 10
    stage.system.start()
    assert stage.server.wait_until(lambda: bool(stage.server.rest_requests))
    stage.system.stop()
    stage.system.stop()
    with pytest.raises(UsageError, match="runs once"):
        stage.system.start()
    assert not stage.system.is_running()


def test_s11_stopped_from_a_callback_it_ends_after_the_instant(make_stage: MakeStage) -> None:
    watcher = Watcher()
    stage = make_stage(draw(), until="10:30", strategies=[watcher])
    watcher.on["BBB 10:03"] = stage.system.stop
    stage.is_whole = False
    stage.play()
    assert watcher.told[-1] == "stop"
    assert watcher.ends("AAA")[-1] == "10:03"


def test_s12_bars_of_one_frame_come_in_rank_order_whatever_the_frame_s(make_stage: MakeStage) -> None:
    watcher = Watcher()
    bars = draw()
    stage = make_stage([*reversed(bars)], symbols=["BBB", "CCC", "AAA"], until="10:10", strategies=[watcher])
    stage.play()
    order = ["BBB", "CCC", "AAA"]
    for end_us in range(us("10:02"), us("10:10"), 60_000_000):
        names = [bar.symbol for bar in watcher.bars if (bar.end_us, bar.interval) == (end_us, "1m")]
        assert names == sorted(names, key=order.index)


def test_ten_symbols_come_and_go_and_the_counts_are_back_where_they_were(make_stage: MakeStage) -> None:
    names = [f"S{number}" for number in range(10)]
    stage = make_stage(draw(["AAA", *names]), symbols=["AAA"], until="10:10")

    def each(act: Callable[[str], object]) -> Callable[[], object]:
        return lambda: [act(name) for name in names]

    stage.at("10:02:20", each(stage.system.coordinator.add_symbol))
    stage.at("10:06:20", each(stage.system.coordinator.remove_symbol))
    stage.play()
    assert stage.system.coordinator.get_loaded_symbols() == {"AAA"}
    assert all(unsubscribed(stage, name) for name in names)
    assert stage.server.connections[-1].subscribed["bars"] == ["AAA"]
