"""Rules between keys: indicators and streams, history and its windows, the schedule."""

from __future__ import annotations

from typing import Any

import pytest
from tests.unit.config.configs import minimal, problems, problems_of, with_data

from mismartera.config import HistoricalConfig, ScheduleEntry, SessionConfig, SessionDataConfig

AVERAGE = {"type": "trailing_average", "period": "3d"}


def _history(*windows: dict[str, Any], **indicators: dict[str, Any]) -> dict[str, Any]:
    return {"historical": {"data": list(windows), "indicators": indicators}}


# Indicators


def test_an_indicator_must_be_on_one_of_the_streams() -> None:
    assert problems(with_data(streams=["1m", "5m"], indicators=[{"name": "SMA", "interval": "15m"}])) == [
        'session_data_config.indicators[0].interval: "15m" is not in streams; allowed: "1m", "5m"'
    ]


def test_an_interval_is_the_same_under_another_name() -> None:
    config = SessionConfig.from_dict(with_data(streams=["1h"], indicators=[{"name": "SMA", "interval": "60m"}]))
    assert config.session_data_config.indicators[0].interval == "60m"


@pytest.mark.parametrize(
    ("indicator", "word"),
    [
        ({"name": "SMMA"}, "did you mean SMA"),
        ({"name": "sma"}, "did you mean SMA"),
        ({"name": "SMA", "params": {"period": 20}}, "timeperiod"),
        ({"name": "SMA", "params": {"timeperiod": 0}}, "allowed are"),
        ({"name": "SMA", "params": {"timeperiod": 2.5}}, "an integer"),
        ({"name": "ATR", "input": "volume"}, "always reads"),
    ],
)
def test_an_indicator_that_talib_cannot_compute_is_refused(indicator: dict[str, Any], word: str) -> None:
    good = {"name": "SMA", "interval": "1m"}
    (problem,) = problems(with_data(indicators=[good, indicator | {"interval": "1m"}]))
    assert problem.startswith("session_data_config.indicators[1]: ")
    assert word in problem


def test_an_indicator_reads_a_column_of_the_bars() -> None:
    assert problems(with_data(indicators=[{"name": "SMA", "interval": "1m", "input": "volumes"}])) == [
        'session_data_config.indicators[0].input: "volumes" is not known; did you mean "volume"? '
        'allowed: "open", "high", "low", "close", "volume"'
    ]


@pytest.mark.parametrize("name", ["", "S M A", "\u0405MA", "x" * 5000])
def test_what_cannot_be_a_function_is_refused_before_talib_is_asked(name: str) -> None:
    (problem,) = problems(with_data(indicators=[{"name": name, "interval": "1m"}]))
    assert problem.startswith("session_data_config.indicators[0].name: ")
    assert problem.endswith("has a wrong form; allowed: a function of TA-Lib such as SMA or RSI")
    assert len(problem) < 200


@pytest.mark.parametrize(
    "params", [{"timeperiod": "20"}, {"timeperiod": True}, {"timeperiod": [20]}, {"timeperiod": None}]
)
def test_a_parameter_is_a_number(params: dict[str, Any]) -> None:
    (problem,) = problems(with_data(indicators=[{"name": "SMA", "interval": "1m", "params": params}]))
    assert problem.startswith("session_data_config.indicators[0].params.timeperiod: ")
    assert problem.endswith("is not a number; allowed: a number")


@pytest.mark.parametrize(
    ("number", "is_good"), [(1e300, True), (-1e300, True), (1.1e300, False), (10**400, False)]
)
def test_a_parameter_has_the_size_of_a_double(number: float, is_good: bool) -> None:
    found = problems(with_data(indicators=[{"name": "NOSUCH", "interval": "1m", "params": {"a": number}}]))
    assert ("is out of range" in found[0]) is not is_good


def test_an_integer_is_accepted_for_a_number_and_the_other_way_round() -> None:
    whole = [{"name": "SMA", "interval": "1m", "params": {"timeperiod": 20.0}}]
    assert SessionConfig.from_dict(with_data(indicators=whole)).session_data_config.indicators[0].params == {
        "timeperiod": 20
    }


def test_two_equal_columns_on_one_interval_are_refused_by_any_name_of_it() -> None:
    indicators = [
        {"name": "SMA", "interval": "1h", "params": {"timeperiod": 30}},
        {"name": "SMA", "interval": "1m"},
        {"name": "SMA", "interval": "60m"},
    ]
    assert problems(with_data(streams=["1m", "1h"], indicators=indicators)) == [
        'session_data_config.indicators[2]: makes the column "SMA_30" again; '
        "allowed: each indicator once per interval"
    ]


def test_equal_indicators_differ_by_interval_input_or_parameter() -> None:
    indicators = [
        {"name": "SMA", "interval": "1m"},
        {"name": "SMA", "interval": "5m"},
        {"name": "SMA", "interval": "1m", "input": "volume"},
        {"name": "SMA", "interval": "1m", "params": {"timeperiod": 31}},
    ]
    config = SessionConfig.from_dict(with_data(streams=["1m", "5m"], indicators=indicators))
    assert len(config.session_data_config.indicators) == 4


def test_a_session_data_config_made_in_python_keeps_the_same_rules() -> None:
    found = problems_of(
        lambda: SessionDataConfig(
            symbols=("A", "A"),
            indicators=({"name": "SMA", "interval": "5m"},),  # type: ignore[arg-type]
        )
    )
    assert found == [
        'symbols[1]: "A" is given more than once; allowed: each one once',
        'indicators[0].interval: "5m" is not in streams; allowed: "1m"',
    ]


# History


def test_a_historical_indicator_needs_a_window() -> None:
    assert problems(with_data(**_history(volume=AVERAGE))) == [
        "session_data_config.historical.indicators.volume: has no history to come from; "
        "allowed: with at least one window in 'data'"
    ]


@pytest.mark.parametrize(
    ("period", "days", "keys", "is_good"),
    [
        ("3d", 3, {}, True),
        ("4d", 3, {}, False),
        ("2w", 10, {}, True),
        ("2w", 9, {}, False),
        ("2w", 14, {"exchange_group": "CRYPTO"}, True),
        ("2w", 13, {"exchange_group": "CRYPTO"}, False),
        ("1w", 7, {"calendar": "24/7"}, True),
        ("1w", 6, {"calendar": "24/7"}, False),
        ("1w", 5, {"calendar": "XLON"}, True),
    ],
)
def test_a_period_is_at_most_the_longest_window(
    period: str, days: int, keys: dict[str, str], is_good: bool
) -> None:
    history = _history({"trailing_days": 1}, {"trailing_days": days}, x={"type": "trailing_min", "period": period})
    config = with_data(**history) | keys
    if is_good:
        assert SessionConfig.from_dict(config).session_data_config.historical.indicators["x"].period == period
    else:
        (problem,) = problems(config)
        assert problem.startswith(f'session_data_config.historical.indicators.x.period: "{period}" is ')
        assert problem.endswith(f"allowed: at most {days}, the longest window in 'data'")


def test_an_indicator_per_minute_needs_a_window_of_minutes() -> None:
    per_minute = AVERAGE | {"granularity": "minute"}
    coarse, fine = {"trailing_days": 5, "intervals": ["5m", "1d"]}, {"trailing_days": 3, "intervals": ["1s"]}
    (problem,) = problems(with_data(**_history(coarse, x=per_minute)))
    assert problem.startswith('session_data_config.historical.indicators.x.granularity: "minute" needs bars')
    assert SessionConfig.from_dict(with_data(**_history(coarse, fine, x=per_minute)))
    (problem,) = problems(with_data(**_history(coarse, fine, x=per_minute | {"period": "4d"})))
    assert problem.endswith("allowed: at most 3, the longest window in 'data'")


@pytest.mark.parametrize("name", ["5m", "1d", "30s", "", " "])
def test_a_historical_indicator_is_not_named_like_an_interval(name: str) -> None:
    (problem,) = problems(with_data(**_history({"trailing_days": 3}, **{name: AVERAGE})))
    assert "cannot be the name of an indicator; allowed: text that is no interval" in problem


def test_windows_name_each_interval_and_symbol_once_and_only_symbols() -> None:
    window = {"trailing_days": 1, "intervals": ["60s", "1m"], "apply_to": ["A", "b!", "A"]}
    found = problems_of(lambda: HistoricalConfig.from_dict({"data": [window]}))
    assert [problem.split(": ")[0] for problem in found] == [
        "data[0].apply_to[1]",
        "data[0].intervals[1]",
        "data[0].apply_to[2]",
    ]


def test_a_window_may_name_symbols_that_join_later() -> None:
    history = _history({"trailing_days": 1, "apply_to": ["LATER"]})
    config = SessionConfig.from_dict(with_data(**history))
    assert config.session_data_config.historical.data[0].apply_to == ("LATER",)


# Schedule


@pytest.mark.parametrize(
    ("entry", "problem"),
    [
        ({}, "schedule[0]: neither 'add' nor 'remove' is given; allowed: one of them in an entry"),
        (
            {"add": "A", "remove": "B"},
            "schedule[0]: both 'add' and 'remove' are given; allowed: one of them in an entry",
        ),
        (
            {"remove": "B", "streams": ["1m"]},
            "schedule[0].streams: nothing is added; allowed: together with 'add'",
        ),
        (
            {"add": "A", "streams": ["1m", "60s"]},
            'schedule[0].streams[1]: "60s" means the same as "1m"; allowed: each one once',
        ),
    ],
)
def test_an_entry_does_exactly_one_thing(entry: dict[str, Any], problem: str) -> None:
    assert problems(minimal(schedule=[{"at": "2024-07-01T10:00"} | entry])) == [problem]


@pytest.mark.parametrize("key", ["add", "remove"])
def test_an_entry_names_a_symbol(key: str) -> None:
    (problem,) = problems(minimal(schedule=[{"at": "2024-07-01T10:00", key: "../x"}]))
    assert problem.startswith(f"schedule[0].{key}: '../x' is not a symbol")


def test_an_added_symbol_may_have_streams_of_its_own() -> None:
    entry = ScheduleEntry(at="2024-07-01T10:00", add="A", streams=("30m",))  # type: ignore[arg-type]
    assert SessionConfig.from_dict(minimal(schedule=[entry.to_dict()])).schedule == (entry,)
