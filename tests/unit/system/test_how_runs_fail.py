"""When a run has failed, what it says, and what it counted."""

from __future__ import annotations

from typing import Any

import pytest
from tests.conftest import MakeSystem
from tests.runs import Log, Recorder, config

from mismartera import SessionConfig
from mismartera.errors import ConfigError, RunFailedError, UsageError
from mismartera.system.manager import Outcome


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
