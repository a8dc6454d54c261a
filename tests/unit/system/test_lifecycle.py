"""SystemManager: from the start of a run to its end, and how other threads steer it."""

from __future__ import annotations

import threading
from collections.abc import Callable
from datetime import datetime

import pytest
from tests.conftest import MakeSystem
from tests.runs import HALF_DAY, Log, Recorder, clock_time, config, moment, us

from mismartera import DataManager, SessionConfig, Strategy, SystemManager
from mismartera.errors import CalendarError, ConfigError, UsageError
from mismartera.system.outcome import Outcome

BOTH_DAYS = ("2024-07-02", HALF_DAY)


def now(system: SystemManager) -> str:
    return clock_time(system.get_time_manager().now_us())


def test_a_run_begins_once_and_ends(make_system: MakeSystem, market: DataManager) -> None:
    system = make_system(config("AAA"))
    told = [(system.is_running(), system.outcome)]
    with pytest.raises(UsageError, match="was not started"):
        system.wait()
    assert system.run_until("10:00")
    told.append((system.is_running(), system.outcome))
    with pytest.raises(UsageError, match="a system runs once"):
        system.start()
    assert not system.wait(timeout=0)
    system.resume()
    assert system.wait(30)
    assert system.wait(), "waiting twice is waiting once"
    told.append((system.is_running(), system.outcome))
    assert told == [(False, Outcome.NOT_STARTED), (True, Outcome.RUNNING), (False, Outcome.FINISHED)]
    with pytest.raises(UsageError, match="a system runs once"):
        system.start()
    assert system.get_data_manager() is market
    assert system.error is None


def test_no_thread_is_left_after_a_run_however_it_ends(make_system: MakeSystem) -> None:
    before = set(threading.enumerate())
    for _ in range(10):
        make_system(config("AAA", hours=("09:30", "09:32"))).run()
        stopped = make_system(config("AAA"))
        assert stopped.run_until("10:00")
        stopped.stop()
    assert set(threading.enumerate()) == before


def test_a_stop_ends_the_run_after_the_present_instant_and_can_be_repeated(make_system: MakeSystem) -> None:
    strategy, log = Recorder(), Log()
    system = make_system(config("AAA", "BBB"), strategy, log=log)
    assert system.run_until("10:00")
    system.stop()
    system.stop()
    assert (system.is_running(), system.outcome, system.wait()) == (False, Outcome.STOPPED, True)
    assert strategy.ends("AAA")[-1] == strategy.ends("BBB")[-1] == "10:00"
    assert strategy.told[-2:] == ["session inactive stopped", "stop"]
    assert log.lines[-1] == "10:00 session_deactivated stopped 0"
    view = system.session_data.get_bars("AAA", "1m")
    assert view is not None and len(view) == 30
    summary = system.summary()
    assert summary["counts"]["AAA"]["accepted"] == 30
    assert summary["quality"]["AAA"]["2024-07-02"]["1m"] == {"expected": 30, "present": 30, "percent": 100.0}


def test_a_callback_can_stop_the_run_and_the_rest_of_its_instant_is_delivered(make_system: MakeSystem) -> None:
    strategy = Recorder()
    strategy.on["AAA 09:45"] = lambda: system.stop()  # noqa: PLW0108  # the system is made below
    system = make_system(config("AAA", "BBB"), strategy)
    system.run()
    assert system.outcome is Outcome.STOPPED
    assert strategy.ends("BBB")[-1] == "09:45"


def test_a_system_stopped_before_its_start_opens_nothing(make_system: MakeSystem) -> None:
    strategy, log = Recorder(), Log()
    system = make_system(config("AAA"), strategy, log=log)
    system.stop()
    system.run()
    assert (strategy.told, log.lines, system.outcome) == ([], [], Outcome.STOPPED)


def test_a_pause_holds_after_the_instant_until_it_is_resumed(make_system: MakeSystem) -> None:
    asked = threading.Event()

    def pause() -> None:
        system.pause()  # in a callback it returns at once
        asked.set()

    strategy = Recorder({"AAA 09:45": pause})
    system = make_system(config("AAA", "BBB"), strategy)
    system.start()
    assert asked.wait(30)
    system.pause()  # from here it returns when the engine stands
    assert (now(system), strategy.ends("AAA")[-1], strategy.ends("BBB")[-1]) == ("09:45", "09:45", "09:45")
    assert system.session_data.is_session_active()
    assert system.is_running()
    assert not system.wait(timeout=0)
    system.resume()
    system.resume()
    assert system.wait(30)
    assert len(strategy.ends("AAA")) == len(strategy.ends("BBB")) == 390


def test_a_pause_before_the_start_holds_at_the_open(make_system: MakeSystem) -> None:
    strategy = Recorder()
    system = make_system(config("AAA"), strategy)
    system.pause()
    system.start()
    system.pause()
    assert (now(system), strategy.bars) == ("09:30", [])
    assert system.session_data.is_session_active()
    system.resume()
    assert system.wait(30)


def test_a_callback_can_take_a_pause_back(make_system: MakeSystem) -> None:
    def pause_and_resume() -> None:
        system.pause()
        system.resume()

    strategy = Recorder({"AAA 09:45": pause_and_resume})
    system = make_system(config("AAA"), strategy)
    system.run()
    assert len(strategy.bars) == 390


def test_a_pause_of_an_engine_that_is_busy_times_out_and_takes_effect_afterwards(make_system: MakeSystem) -> None:
    inside, release = threading.Event(), threading.Event()

    def work() -> None:
        inside.set()
        release.wait(30)

    strategy = Recorder({"AAA 09:45": work})
    system = make_system(config("AAA", streaming={"command_timeout_seconds": 0.01}), strategy)
    system.start()
    assert inside.wait(30)
    with pytest.raises(TimeoutError, match=r"still busy after 0\.01 s"):
        system.pause()
    with pytest.raises(TimeoutError, match="AAA is removed, but a strategy's callback"):
        system.coordinator.remove_symbol("AAA")
    assert system.coordinator.get_loaded_symbols() == frozenset()
    assert system.session_data.get_bars("AAA", "1m") is None
    release.set()
    system.resume()
    assert system.wait(30)
    assert strategy.ends("AAA")[-1] == "09:45"


def test_run_until_stands_at_the_time_with_that_instant_and_its_entries_done(make_system: MakeSystem) -> None:
    strategy, acted = Recorder(), list[str]()
    strategy.on["AAA 09:35"] = lambda: strategy.session.at("09:50", lambda: acted.append("called"))
    system = make_system(config("AAA", schedule=[("09:50", "add", "CCC")]), strategy)
    assert system.run_until("09:50")
    assert (now(system), strategy.ends("AAA")[-1], acted) == ("09:50", "09:50", ["called"])
    assert system.coordinator.get_loaded_symbols() == {"AAA", "CCC"}
    assert system.run_until("09:50:30")
    assert (now(system), strategy.ends("CCC")[-1]) == ("09:50:30", "09:50")
    assert system.run_until(moment("09:52"))
    assert (now(system), strategy.ends("AAA")[-1]) == ("09:52", "09:52")
    assert system.run_until(moment("09:40")), "a moment that has passed is now"
    assert now(system) == "09:52"


def test_run_until_takes_the_next_such_time_of_day(make_system: MakeSystem) -> None:
    system = make_system(config("AAA", dates=BOTH_DAYS))
    assert system.run_until("15:00")
    assert system.run_until("10:00")
    assert system.get_time_manager().get_current_time() == moment("10:00", HALF_DAY)
    assert not system.run_until("10:00"), "the run ends before the next one"
    assert system.outcome is Outcome.FINISHED
    assert not system.run_until("11:00"), "a run that has ended goes nowhere"


def test_run_until_the_close_stands_there_before_the_session_is_closed(make_system: MakeSystem) -> None:
    strategy = Recorder()
    system = make_system(config("AAA"), strategy)
    assert system.run_until("16:00")
    assert (now(system), strategy.ends("AAA")[-1]) == ("16:00", "16:00")
    assert system.session_data.is_session_active()
    assert "close" not in strategy.told
    system.resume()
    assert system.wait(30)
    assert strategy.told[-3:] == ["close", "session inactive close", "stop"]


@pytest.mark.parametrize("time", ["16:00:01", "20:00", "08:00"])
def test_run_until_a_time_outside_all_sessions_stands_at_the_next_open(make_system: MakeSystem, time: str) -> None:
    strategy = Recorder()
    system = make_system(config("AAA", dates=BOTH_DAYS), strategy)
    assert system.run_until("10:00")
    assert system.run_until(time)
    assert system.get_time_manager().get_current_time() == moment("09:30", HALF_DAY)
    assert len(strategy.bars) == 390
    assert not system.run_until(time)
    assert len(strategy.bars) == 600


def test_run_until_refuses_what_is_no_time(make_system: MakeSystem) -> None:
    system = make_system(config("AAA"))
    for wrong in (datetime(2024, 7, 2, 10), "25:00", "ten", ""):  # noqa: DTZ001  # naive on purpose
        with pytest.raises(ValueError, match=r"time|zone"):
            system.run_until(wrong)
    assert not system.is_running()
    assert system.run_until("10:00")


def test_the_engines_own_thread_cannot_wait_for_itself(make_system: MakeSystem) -> None:
    refused: list[str] = []

    def ask() -> None:
        waits: list[Callable[[], object]] = [
            lambda: system.run_until("10:00"), system.wait, lambda: system.coordinator.wait_loaded("AAA"),
        ]  # fmt: skip
        for wait in waits:
            with pytest.raises(UsageError, match="own thread") as raised:
                wait()
            refused.append(str(raised.value))

    system = make_system(config("AAA"), Recorder({"AAA 09:45": ask}))
    system.run()
    assert len(refused) == 3


def test_time_stands_at_the_open_then_at_each_bars_end_and_never_goes_back(make_system: MakeSystem) -> None:
    times: list[int] = []

    class Watch(Strategy):
        def on_session_open(self) -> None:
            times.append(us(f"{self.session.now:%H:%M}"))

        def on_slice(self, slice: object) -> None:
            times.append(us(f"{self.session.now:%H:%M}"))

        def on_session_close(self) -> None:
            times.append(us(f"{self.session.now:%H:%M}"))

    make_system(config("FIFTEEN"), Watch()).run()
    assert [clock_time(time) for time in times] == ["09:30", *[f"09:{m}" for m in range(31, 46)], "16:00"]


def test_what_cannot_be_run_is_refused_when_the_system_is_made(
    make_system: MakeSystem, market: DataManager
) -> None:
    live = SessionConfig.from_dict({
        "mode": "live", "session_data_config": {"symbols": ["AAA"]},
        "feed": {"type": "replay", "date": "2024-07-02"},
    })  # fmt: skip
    with pytest.raises(UsageError, match="a live session needs a feed and its clock"):
        make_system(live)
    with pytest.raises(ConfigError, match="XNYS has no trading session from 2024-07-04 to 2024-07-04"):
        make_system(config("AAA", dates=("2024-07-04", "2024-07-04")))
    with pytest.raises((ConfigError, CalendarError), match="XXXX"):
        make_system(SessionConfig.from_dict({
            "calendar": "XXXX", "session_data_config": {"symbols": ["AAA"]},
            "backtest_config": {"start_date": "2024-07-02", "end_date": "2024-07-02"},
        }))  # fmt: skip


def test_the_configuration_is_replaced_by_each_change_and_never_changed(make_system: MakeSystem) -> None:
    settings = config("AAA")
    system = make_system(settings)
    before = system.config
    assert system.run_until("10:00")
    assert system.coordinator.add_symbol("CCC")
    assert before.session_data_config.symbols == settings.session_data_config.symbols == ("AAA",)
    assert system.config.session_data_config.symbols == ("AAA", "CCC")
    assert system.config.session_data_config.streams == before.session_data_config.streams
