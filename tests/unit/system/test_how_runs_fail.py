"""When a run has failed, what it says, and what it counted."""

from __future__ import annotations

from typing import Any

import pytest
from tests.conftest import MakeSystem
from tests.runs import Log, Recorder, SimulatedPace, config, moment

from mismartera import SessionConfig
from mismartera.errors import ConfigError, RunFailedError, UsageError
from mismartera.system.outcome import Outcome


def test_a_symbol_that_comes_later_saves_a_run_whose_first_symbols_all_failed(make_system: MakeSystem) -> None:
    strategy = Recorder()
    system = make_system(config("NOPE", schedule=[("10:00", "add", "AAA")]), strategy)
    system.run()
    assert system.outcome is Outcome.FINISHED
    assert system.coordinator.get_loaded_symbols() == {"AAA"}
    assert strategy.ends("AAA")[0] == "09:59"


@pytest.mark.parametrize("symbols", [(), ("NOPE",)])
def test_a_run_in_which_nothing_was_ever_loaded_has_failed(
    make_system: MakeSystem, symbols: tuple[str, ...]
) -> None:
    system = make_system(config(*symbols, schedule=[("10:00", "add", "NEVER")]), Recorder())
    with pytest.raises(RunFailedError, match="NEVER failed: NEVER is unknown to the store"):
        system.run()


def test_a_symbol_that_failed_and_was_then_asked_for_again_and_withdrawn_is_no_failure(
    make_system: MakeSystem,
) -> None:
    schedule = [("10:00", "add", "NEVER"), ("11:00", "add", "NEVER"), ("11:00", "remove", "NEVER")]
    system = make_system(config(schedule=schedule), Recorder())
    system.run()
    assert system.outcome is Outcome.FINISHED
    assert system.summary()["symbols_failed"] == {}


@pytest.mark.parametrize("error", [SystemExit, KeyboardInterrupt])
@pytest.mark.parametrize("logged", [True, False])
def test_bars_are_counted_to_the_one_whose_callback_ended_the_run(
    make_system: MakeSystem, error: type[BaseException], logged: bool
) -> None:
    def leave() -> None:
        raise error

    log, strategy = Log(wants_bars=logged), Recorder({"AAA 10:00": leave})
    system = make_system(config("AAA", "BBB"), strategy, log=log)
    system.run()
    assert system.outcome is Outcome.INTERRUPTED
    assert system.summary()["bars_delivered"] == len(strategy.bars) == 59


@pytest.mark.parametrize("what", ["symbols", "intervals"])
def test_a_text_is_no_collection_of_symbols_or_intervals(make_system: MakeSystem, what: str) -> None:
    strategy = Recorder()
    wish: Any = "AAA"
    setattr(strategy, what, wish)
    with pytest.raises(UsageError, match=f"{what} of strategy Recorder is the text 'AAA'"):
        make_system(config("AAA"), strategy)


def test_an_unknown_calendar_is_a_fault_of_the_configuration(make_system: MakeSystem) -> None:
    settings = config("AAA").to_dict()
    del settings["exchange_group"]
    with pytest.raises(ConfigError, match="calendar: calendar 'XXXX' does not exist"):
        make_system(SessionConfig.from_dict(settings | {"calendar": "XXXX"}), Recorder())


def test_a_fence_is_acknowledged_while_a_paced_run_waits(make_system: MakeSystem) -> None:
    """A removal from another thread waits for callbacks only, not for the clock."""
    system = make_system(config("AAA", "BBB", speed=60), Recorder(), clock=SimulatedPace(speed=60))
    assert system.run_until("09:40:30")
    assert system.coordinator.remove_symbol("BBB")
    assert system.run_until("09:50:30")
    assert system.coordinator.remove_symbol("AAA")
    assert system.coordinator.get_loaded_symbols() == frozenset()


def test_a_start_after_the_open_begins_deactivated_with_a_backlog(make_system: MakeSystem) -> None:
    log, strategy = Log(), Recorder()
    system = make_system(config("AAA"), strategy, log=log)
    system.get_time_manager().set_backtest_time(moment("12:00"))
    system.run()
    assert log.lines[3:6] == [
        "12:00 session_deactivated backlog 8940 AAA",
        "12:00 session_activated caught_up 60 AAA",
        "16:00 session_deactivated close 0",
    ]
    assert strategy.ends("AAA")[:3] == ["11:59", "12:00", "12:01"]
    assert system.summary()["bars_streamed"] == 390


def test_a_strategy_may_move_the_clock_and_what_it_passed_is_stale(make_system: MakeSystem) -> None:
    strategy = Recorder()
    system = make_system(config("AAA"), strategy)
    strategy.on["AAA 10:00"] = lambda: system.get_time_manager().set_backtest_time(moment("11:00"))
    system.run()
    assert strategy.ends("AAA")[28:32] == ["09:59", "10:00", "10:59", "11:00"]


def test_a_historical_indicator_may_have_any_name(make_system: MakeSystem) -> None:
    highest = {"type": "trailing_max", "period": "1d", "granularity": "daily", "field": "high"}

    class Reader(Recorder):
        def on_session_open(self) -> None:
            self.values = [self.session.historical("AAA", name) for name in ("series", "for_indicators", "value")]
            self.past = self.session.history("AAA", "1d")

    reader = Reader()
    indicators = dict.fromkeys(("series", "for_indicators", "value"), highest)
    historical = {"data": [{"trailing_days": 1, "intervals": ["1d"]}], "indicators": indicators}
    make_system(config("AAA", dates=("2024-07-03", "2024-07-03"), historical=historical), reader).run()
    assert reader.past is not None
    assert reader.values == [reader.past[0].high] * 3
