"""What Python does not check for a notebook's user: arguments of another type, strategies that would not act."""

from __future__ import annotations

import datetime as dt
from collections.abc import AsyncIterator, Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from tests.conftest import MakeSystem
from tests.runs import Recorder, config, moment

from mismartera import Bar, Bars, DataManager, SessionConfig, Slice, Strategy, SystemManager
from mismartera.errors import UsageError

PLAIN: dict[str, Any] = {"mode": "backtest"}


class Waiting(Strategy):
    async def on_bar(self, bar: Bar) -> None:  # type: ignore[override]  # the mistake
        raise AssertionError(bar)


class Yielding(Strategy):
    def on_slice(self, slice: Slice) -> Iterator[Slice]:  # type: ignore[override]
        yield slice


class Both(Strategy):
    async def on_stop(self) -> AsyncIterator[int]:  # type: ignore[override]
        yield 1


@pytest.mark.parametrize(
    ("given", "message"),
    [
        (PLAIN, r"config is of type dict: give a SessionConfig, SessionConfig.from_dict(...)"),
        ("c.json", "config is the text 'c.json': give a SessionConfig, SessionConfig.from_file('c.json')"),
        (Path("c.json"), "config is of type PosixPath: give a SessionConfig, SessionConfig.from_file('c.json')"),
        (SessionConfig, "config is the class SessionConfig: give a SessionConfig"),
        (None, "config is of type NoneType: give a SessionConfig"),
    ],
)
def test_a_system_is_made_of_a_session_config_only(market: DataManager, given: Any, message: str) -> None:
    with pytest.raises(TypeError) as raised:
        SystemManager(given, data_manager=market)
    assert str(raised.value) == message


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ("bars", "data_manager is the text 'bars': give a DataManager, DataManager('bars')"),
        ("", "data_manager is the text '': give a DataManager, DataManager('')"),
        (Path("bars"), "data_manager is of type PosixPath: give a DataManager, DataManager('bars')"),
        (DataManager, "data_manager is the class DataManager: give a DataManager"),
    ],
)
def test_a_path_is_no_data_manager(given: Any, message: str) -> None:
    with pytest.raises(TypeError) as raised:
        SystemManager(config("AAA"), data_manager=given)
    assert str(raised.value) == message


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ([Recorder], "strategies[0] is the class Recorder: give an instance, Recorder()"),
        ([Recorder(), {}], "strategies[1] is of type dict: give an instance of Strategy"),
        (["m:C"], "strategies[0] is the text 'm:C': give an instance of Strategy"),
        (Recorder(), "strategies is of type Recorder: give a sequence of instances, [MyStrategy()]"),
        (Recorder, "strategies is the class Recorder: give a sequence of instances, [MyStrategy()]"),
        ("m:C", "strategies is the text 'm:C': give a sequence of instances, [MyStrategy()]"),
        (None, "strategies is of type NoneType: give a sequence of instances, [MyStrategy()]"),
    ],
)
def test_strategies_are_instances_in_a_sequence(market: DataManager, given: Any, message: str) -> None:
    with pytest.raises(TypeError) as raised:
        SystemManager(config("AAA"), data_manager=market, strategies=given)
    assert str(raised.value) == message


@pytest.mark.parametrize(
    ("strategy", "message"),
    [
        (Waiting, "on_bar of strategy Waiting is an 'async def', which would never run: write 'def'"),
        (Yielding, "on_slice of strategy Yielding is a generator, which would never run: leave out its 'yield'"),
        (Both, "on_stop of strategy Both is a generator, which would never run: leave out its 'yield'"),
    ],
)
def test_a_callback_that_would_never_run_is_refused_when_its_strategy_is_taken(
    make_system: MakeSystem, strategy: type[Strategy], message: str
) -> None:
    with pytest.raises(UsageError) as raised:
        make_system(config("AAA"), Recorder(), strategy())
    assert str(raised.value) == message


def asking_for(*intervals: str) -> Strategy:
    strategy = Recorder()
    strategy.intervals = intervals
    return strategy


def test_a_strategy_that_asks_for_an_interval_of_no_stream_is_warned_of(make_system: MakeSystem) -> None:
    settings = config("AAA", streams=("1m", "60m"), hours=("09:30", "09:32"))
    system = make_system(settings, asking_for("15m", "7m", "1m"), asking_for("1h", "60s"), Recorder())
    assert system.warnings == [
        "strategy Recorder asks for 7m, 15m, which no stream of the session has: there are 1m, 60m"
    ]


def test_a_symbol_that_the_schedule_adds_may_bring_the_interval(make_system: MakeSystem) -> None:
    settings = config("AAA").to_dict()
    settings["schedule"] = [{"at": "2024-07-02T10:00", "add": "BBB", "streams": ["5m"]}]
    assert make_system(SessionConfig.from_dict(settings), asking_for("5m")).warnings == []


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ("2024-07-02", "'2024-07-02' is of type str: "),
        (dt.date(2024, 7, 2), "is of type date: "),
        (None, "NoneType"),
    ],
)
def test_stored_bars_are_asked_for_with_aware_datetimes(market: DataManager, given: Any, message: str) -> None:
    calls: list[Callable[[], Bars]] = [
        lambda: market.get_bars("AAA", "1m", given, moment("10:00")),
        lambda: market.get_bars("AAA", "1m", moment("09:30"), given),
    ]
    for call in calls:
        with pytest.raises(TypeError, match="give a timezone-aware datetime, for example datetime") as raised:
            call()
        assert message in str(raised.value)


def test_bars_are_no_frame_and_say_where_their_columns_are(market: DataManager) -> None:
    bars = market.get_bars("AAA", "1m", moment("09:30"), moment("09:33"))
    wrong: list[tuple[Any, str]] = [("close", "'close'"), (None, "a NoneType"), (bars.close > 0, "a ndarray")]
    for index, shown in wrong:
        with pytest.raises(TypeError) as raised:
            bars[index]
        assert str(raised.value) == (
            f"bars are indexed by a whole number or a slice, not by {shown}: the columns are attributes, "
            "for example bars.close, or bars.indicator('SMA_20')"
        )
    assert bars[-1].close == bars.close[-1]
