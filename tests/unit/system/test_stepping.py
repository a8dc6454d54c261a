"""Pause, step and speed of a backtest, as a person at a page uses them."""

from __future__ import annotations

import threading

import pytest
from tests.conftest import MakeSystem
from tests.runs import HALF_DAY, Recorder, SimulatedPace, clock_time, config, us

from mismartera import Bar, Strategy
from mismartera.errors import UsageError


@pytest.mark.parametrize("speed", [0, 60])
def test_a_step_shows_one_instant_and_stands_there(make_system: MakeSystem, speed: float) -> None:
    seen = Recorder()
    system = make_system(config("AAA", "BBB", speed=speed), seen, clock=SimulatedPace(60) if speed else None)
    system.run_until("10:00")
    before = len(seen.bars)
    assert system.step()
    assert [clock_time(bar.end_us) for bar in seen.bars[before:]] == ["10:01", "10:01"]
    assert system.is_paused
    assert clock_time(system.get_time_manager().now_us()) == "10:01"


def test_a_step_lets_an_entry_between_two_instants_act(make_system: MakeSystem) -> None:
    system = make_system(config("AAA", schedule=[("10:00:30", "add", "BBB")]))
    system.run_until("10:00")
    assert system.step()
    assert clock_time(system.get_time_manager().now_us()) == "10:00:30"
    assert system.coordinator.get_loaded_symbols() == {"AAA", "BBB"}


def test_steps_go_over_the_close_and_end_with_the_run(make_system: MakeSystem) -> None:
    system = make_system(config("FIFTEEN", dates=("2024-07-02", HALF_DAY)))
    system.run_until("09:45")
    moments = []
    while system.step():
        moments.append(system.get_time_manager().now_us())
    assert moments == [us("16:00"), us("09:30", HALF_DAY), us("13:00", HALF_DAY)]
    assert not system.is_running()


def test_steps_that_several_threads_ask_for_at_once_come_one_after_the_other(make_system: MakeSystem) -> None:
    system = make_system(config("AAA"))
    system.run_until("10:00")
    steps: list[bool] = []
    threads = [threading.Thread(target=lambda: steps.append(system.step())) for _ in range(5)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert steps == [True] * 5
    assert clock_time(system.get_time_manager().now_us()) == "10:05"


def test_a_step_needs_a_pause(make_system: MakeSystem) -> None:
    system = make_system(config("AAA"))
    with pytest.raises(UsageError, match="pause the run first"):
        system.step()


def test_a_run_at_speed_0_has_no_speed_to_change(make_system: MakeSystem) -> None:
    system = make_system(config("AAA"))
    with pytest.raises(UsageError, match="--speed"):
        system.set_speed(60)


def test_another_speed_takes_effect_for_whoever_waits_at_the_old_one(make_system: MakeSystem) -> None:
    begun = threading.Event()

    class First(Strategy):
        def on_bar(self, bar: Bar) -> None:
            begun.set()

    system = make_system(config("AAA", speed=1), First())
    system.start()
    system.set_speed(600)  # a minute takes a tenth of a second
    assert begun.wait(20)
    assert system.get_time_manager().now_us() >= us("09:31")


def test_a_speed_is_above_0(make_system: MakeSystem) -> None:
    system = make_system(config("AAA", speed=1))
    with pytest.raises(ValueError, match="above 0"):
        system.set_speed(0)
