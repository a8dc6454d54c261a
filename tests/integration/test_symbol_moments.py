"""The moments at which a symbol can come or go: before the open, at it, in a pause, at the close, overnight."""

from __future__ import annotations

import threading

import pytest
from tests.conftest import MakeSystem
from tests.integration.test_symbol_management import closes, minutes_to
from tests.runs import DAY, HALF_DAY, Log, Recorder, clock_time, config, moment

from mismartera import SystemManager
from mismartera.errors import UsageError

BOTH_DAYS = (DAY, HALF_DAY)


def test_a_symbol_added_before_the_start_is_there_at_the_open(make_system: MakeSystem) -> None:
    strategy, log = Recorder(), Log()
    system = make_system(config("AAA"), strategy, log=log)
    assert system.coordinator.add_symbol("CCC")
    assert not system.coordinator.add_symbol("AAA")
    assert system.coordinator.get_pending_symbols() == {"AAA", "CCC"}
    system.run()
    assert log.lines[:6] == [
        "09:30 session_opened 2024-07-02",
        "09:30 symbol_pending configured AAA",
        "09:30 symbol_pending added CCC",
        "09:30 symbol_loaded caught_up AAA",
        "09:30 symbol_loaded caught_up CCC",
        "09:30 session_activated open 0",
    ]
    assert len(strategy.ends("CCC")) == 390
    assert not any(" lag " in line for line in log.lines)


def test_a_symbol_removed_before_the_start_was_never_there(make_system: MakeSystem) -> None:
    strategy, log = Recorder(), Log()
    system = make_system(config("AAA", "BBB"), strategy, log=log)
    assert system.coordinator.remove_symbol("BBB")
    assert system.coordinator.add_symbol("CCC")
    assert system.coordinator.remove_symbol("CCC")
    system.run()
    assert not any("BBB" in line or "CCC" in line for line in [*log.lines, *strategy.told])
    assert strategy.told[0] == "start"
    assert system.coordinator.get_loaded_symbols() == {"AAA"}


def test_a_symbol_added_at_the_open_misses_nothing(make_system: MakeSystem) -> None:
    strategy, log = Recorder(), Log()
    system = make_system(config("AAA", schedule=[("09:30", "add", "DDD")]), strategy, log=log)
    assert system.run_until("09:30")
    assert clock_time(system.get_time_manager().now_us()) == "09:30"
    assert system.coordinator.get_loaded_symbols() == {"AAA", "DDD"}
    assert system.coordinator.add_symbol("CCC")
    assert system.coordinator.wait_loaded("CCC", timeout=10)
    system.resume()
    assert system.wait(30)
    assert strategy.ends("CCC") == strategy.ends("DDD") == strategy.ends("AAA") == minutes_to("16:00", 390)
    assert not any(" lag " in line for line in log.lines)


def test_a_symbol_added_in_a_pause_is_readable_at_once_and_its_fresh_bars_come_at_resume(
    make_system: MakeSystem,
) -> None:
    strategy = Recorder()
    system = make_system(config("AAA", streaming={"catchup_threshold_seconds": 180}), strategy)
    assert system.run_until("10:00:30")
    assert system.coordinator.add_symbol("CCC")
    assert system.coordinator.wait_loaded("CCC", timeout=10)
    assert closes(system, "CCC") == minutes_to("10:00", 30)
    assert strategy.ends("CCC") == []
    assert system.coordinator.add_symbol("DDD")
    assert system.coordinator.wait_loaded("DDD", timeout=10)
    assert closes(system, "DDD") == minutes_to("10:00", 30)
    assert system.coordinator.remove_symbol("DDD")
    assert closes(system, "DDD") is None
    assert clock_time(system.get_time_manager().now_us()) == "10:00:30"
    system.resume()
    assert system.wait(30)
    assert strategy.ends("CCC")[:4] == ["09:58", "09:59", "10:00", "10:01"]
    assert [bar.lag_seconds for bar in strategy.bars if bar.symbol == "CCC"][:4] == [150.0, 90.0, 30.0, 0.0]
    assert strategy.ends("DDD") == []


def test_a_symbol_added_at_the_last_instant_or_at_the_close_is_delivered_its_fresh_bars(
    make_system: MakeSystem,
) -> None:
    strategy, log = Recorder(), Log()
    strategy.on["AAA 16:00"] = lambda: strategy.session.add_symbol("BBB")
    system = make_system(config("AAA", schedule=[("16:00", "add", "CCC")]), strategy, log=log)
    assert system.run_until("16:00")
    assert system.coordinator.get_loaded_symbols() == {"AAA", "BBB", "CCC"}
    assert system.coordinator.add_symbol("DDD")
    assert system.coordinator.wait_loaded("DDD", timeout=10)
    system.resume()
    assert system.wait(30)
    for symbol in ("BBB", "CCC", "DDD"):
        assert strategy.ends(symbol) == ["15:59", "16:00"]
        assert closes(system, symbol) == minutes_to("16:00", 390)
    assert strategy.told[-3:] == ["close", "session inactive close", "stop"]


def test_a_symbol_added_while_the_session_closes_comes_with_the_next_one(make_system: MakeSystem) -> None:
    class AddsAtTheClose(Recorder):
        def on_session_close(self) -> None:
            assert self.session.add_symbol("CCC") == (self.session.now.day == 2)

    strategy, log = AddsAtTheClose(), Log()
    system = make_system(config("AAA", dates=BOTH_DAYS), strategy, log=log)
    system.run()
    assert (
        log.since("16:00")[-11:]
        == [
            "16:00 session_deactivated close 0",
            "16:00 session_closed 2024-07-02",
            "09:30 session_opened 2024-07-03",
            "09:30 symbol_pending added CCC",
            "09:30 symbol_loaded caught_up CCC",
            "09:30 session_activated open 0",
            "13:00 session_deactivated close 0",
            "13:00 session_closed 2024-07-03",
        ][-11:]
    )
    assert len(strategy.ends("CCC")) == 210


def test_a_symbol_added_stays_for_the_next_session_and_a_removed_one_does_not_come_back(
    make_system: MakeSystem,
) -> None:
    strategy, log = Recorder(), Log()
    schedule = [("10:00", "add", "CCC"), ("15:00", "remove", "AAA")]
    system = make_system(config("AAA", "BBB", dates=BOTH_DAYS, schedule=schedule), strategy, log=log)
    system.run()
    second_day = [bar for bar in strategy.bars if bar.end > moment("09:00", HALF_DAY)]
    assert [f"{bar.symbol} {clock_time(bar.end_us)}" for bar in second_day[:4]] == [
        "BBB 09:31", "CCC 09:31", "BBB 09:32", "CCC 09:32",
    ]  # fmt: skip
    assert len(second_day) == 420
    assert log.of("CCC") == ["pending", "loaded"]
    assert {bar.generation for bar in strategy.bars} == {1}
    assert system.config.session_data_config.symbols == ("BBB", "CCC")


def test_entries_outside_every_session_act_at_the_next_open_before_its_first_bar(make_system: MakeSystem) -> None:
    strategy, log = Recorder(), Log()
    night, morning, evening = f"{DAY}T20:00", f"{HALF_DAY}T08:00", f"{HALF_DAY}T14:00"
    schedule = [(night, "add", "CCC"), (morning, "remove", "BBB"), (evening, "add", "DDD")]
    system = make_system(config("AAA", "BBB", dates=BOTH_DAYS, schedule=schedule), strategy, log=log)
    system.run()
    after = log.lines[log.lines.index("09:30 session_opened 2024-07-03") :]
    assert after[:4] == [
        "09:30 session_opened 2024-07-03",
        "09:30 session_activated open 0",
        "09:30 symbol_pending added CCC",
        "09:30 symbol_removed removed BBB",
    ]
    assert len(strategy.ends("CCC")) == 210
    assert len(strategy.ends("BBB")) == 390
    late = "schedule[2] (add DDD at 2024-07-03T14:00:00)"
    assert system.warnings == [f"{late} lies after the last session of the run: it did not act"]


def test_an_empty_session_streams_nothing_until_it_gets_its_first_symbol(make_system: MakeSystem) -> None:
    strategy, log = Recorder(), Log()
    system = make_system(config(), strategy, log=log)
    assert system.run_until("11:00")
    assert system.session_data.is_session_active()
    assert system.coordinator.get_loaded_symbols() == frozenset()
    assert system.config.session_data_config.symbols == ()
    assert system.coordinator.add_symbol("CCC")
    assert system.coordinator.wait_loaded("CCC", timeout=10)
    system.resume()
    assert system.wait(30)
    assert strategy.ends("CCC") == minutes_to("16:00", 302)
    assert log.lines[:2] == ["09:30 session_opened 2024-07-02", "09:30 session_activated open 0"]


def test_a_session_that_loses_its_last_symbol_goes_on_empty(make_system: MakeSystem) -> None:
    strategy, log = Recorder(), Log()
    system = make_system(config("AAA", schedule=[("10:00", "remove", "AAA")]), strategy, log=log)
    system.run()
    assert len(strategy.ends("AAA")) == 30
    assert log.lines[-2:] == ["16:00 session_deactivated close 0", "16:00 session_closed 2024-07-02"]


def test_a_known_symbol_without_a_bar_today_is_loaded_and_empty(make_system: MakeSystem) -> None:
    strategy, log = Recorder(), Log()
    system = make_system(config("AAA", schedule=[("12:00", "add", "IDLE")]), strategy, log=log)
    system.run()
    assert log.of("IDLE") == ["pending", "loaded"]
    assert closes(system, "IDLE") == []
    figures = system.summary()["quality"]["IDLE"]["2024-07-02"]["1m"]
    assert (figures["expected"], figures["present"], figures["percent"]) == (390, 0, 0.0)
    assert not any(" lag " in line for line in log.lines)


def test_wait_loaded_says_whether_the_symbol_came(make_system: MakeSystem) -> None:
    inside, held, answers = threading.Event(), threading.Event(), list[str]()
    system: SystemManager

    def hold() -> None:
        inside.set()
        held.wait(30)

    def ask_on_the_engine() -> None:
        with pytest.raises(UsageError, match="on the engine's own thread"):
            system.coordinator.wait_loaded("AAA")
        answers.append("refused")

    strategy = Recorder({"AAA 10:00": hold, "AAA 10:30": ask_on_the_engine})
    system = make_system(config("AAA"), strategy)
    assert system.coordinator.add_symbol("BBB")
    waiting = threading.Thread(target=lambda: answers.append(str(system.coordinator.wait_loaded("BBB"))))
    waiting.start()
    assert system.coordinator.remove_symbol("BBB"), "who waits for it learns that it does not come"
    waiting.join(30)
    assert answers == ["False"]
    assert not system.coordinator.wait_loaded("BBB", timeout=0)
    system.start()
    assert system.coordinator.wait_loaded("AAA", timeout=30)
    assert inside.wait(30)
    assert system.coordinator.add_symbol("CCC")
    with pytest.raises(TimeoutError, match="CCC is not loaded"):
        system.coordinator.wait_loaded("CCC", timeout=0.01)
    held.set()
    assert system.coordinator.wait_loaded("CCC", timeout=30)
    assert system.wait(30)
    assert answers == ["False", "refused"]
    for _ in range(5):  # a new thread may be given the identity that the engine's had
        asking = threading.Thread(target=lambda: answers.append(str(system.coordinator.wait_loaded("CCC", 1))))
        asking.start()
        asking.join()
    assert answers[2:] == ["True"] * 5
