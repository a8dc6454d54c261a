"""Single values: both sides of every bound, strict types, and the forms of texts."""

from __future__ import annotations

from typing import Any

import pytest
from tests.unit.config.configs import problems_of

from mismartera.config import (
    BacktestConfig,
    BridgeConfig,
    FeedConfig,
    GapFillerConfig,
    HistoricalIndicator,
    HistoricalWindow,
    HoursConfig,
    ScheduleEntry,
    SessionDataConfig,
    StrategyConfig,
    StreamingConfig,
    TradingConfig,
)
from mismartera.config.model import ConfigModel

DATES = {"start_date": "2024-07-01", "end_date": "2024-07-05"}
REPLAY = {"type": "replay", "date": "2024-07-03"}
BUS = {"url": "tls://bus"}
TINY = 5e-324
HUGE = 1.7e308
YEAR = 31_536_000
UP_TO_A_YEAR = "more than 0, at most 31,536,000"

BOUNDS: list[tuple[type[ConfigModel], dict[str, Any], str, list[Any], list[Any], str]] = [
    (
        StreamingConfig,
        {},
        "catchup_threshold_seconds",
        [1, 1.0, 1.5, YEAR],
        [0.999, 0, -1, 1e308],
        "1 to 31,536,000",
    ),
    (StreamingConfig, {}, "catchup_check_interval", [1, 100], [0, 101, -5], "1 to 100"),
    (StreamingConfig, {}, "load_timeout_seconds", [TINY, 0.2, YEAR], [0, -1, YEAR + 1, HUGE], UP_TO_A_YEAR),
    (StreamingConfig, {}, "bar_grace_seconds", [0, 10, YEAR], [-TINY, -1, HUGE], "0 to 31,536,000"),
    (StreamingConfig, {}, "command_timeout_seconds", [TINY, 5, YEAR], [0, -1, HUGE], UP_TO_A_YEAR),
    (GapFillerConfig, {}, "max_retries", [0, 1000, 1_000_000], [-1, 2**63], "0 to 1,000,000"),
    (GapFillerConfig, {}, "retry_interval_seconds", [1, 0x7FFF, YEAR], [0.99, 0, HUGE], "1 to 31,536,000"),
    (BacktestConfig, DATES, "speed_multiplier", [0, 0.5, 60, 1e6], [-TINY, -1, 1_000_001, HUGE], "0 to 1,000,000"),
    (BacktestConfig, DATES, "prefetch_days", [0, 250, 10_000], [-1, 10_001], "0 to 10,000"),
    (HistoricalWindow, {}, "trailing_days", [1, 500, 10_000], [0, -3, 10_001], "1 to 10,000"),
    (TradingConfig, {}, "max_buying_power", [TINY, 1e9], [0, -1], "more than 0"),
    (TradingConfig, {}, "max_per_trade", [TINY, 1e9], [0, -1], "more than 0"),
    (TradingConfig, {}, "max_per_symbol", [TINY, 1e9], [0, -1], "more than 0"),
    (TradingConfig, {}, "max_open_positions", [1, 99, 1_000_000], [0, -1, 10**18], "1 to 1,000,000"),
    (FeedConfig, REPLAY, "stall_timeout_seconds", [1, 90, YEAR], [0.99, 0, HUGE], "1 to 31,536,000"),
    (FeedConfig, REPLAY, "reconcile_minutes", [1, 60, 525_600], [0, -1, TINY, HUGE], "1 to 525,600"),
    (BridgeConfig, BUS, "max_age_hours", [1, 8760], [0.5, HUGE], "1 to 8,760"),
    (BridgeConfig, BUS, "max_megabytes", [1, 1024, 10**9], [0, 10**18], "1 to 1,000,000,000"),
]


@pytest.mark.parametrize(("model", "base", "key", "good", "bad", "allowed"), BOUNDS, ids=lambda v: str(v)[:40])
def test_each_bound_holds_on_both_sides(
    model: type[ConfigModel], base: dict[str, Any], key: str, good: list[Any], bad: list[Any], allowed: str
) -> None:
    for value in good:
        assert getattr(model.from_dict(base | {key: value}), key) == value
    for value in bad:
        (problem,) = problems_of(lambda value=value: model.from_dict(base | {key: value}))  # type: ignore[misc]
        side = "above the maximum" if value > 100 else "below the minimum"
        assert problem == f"{key}: {value} is {side}; allowed: {allowed}"


@pytest.mark.parametrize("value", ["60", True, [60], {}, float("nan"), float("inf"), -float("inf"), 10**400])
@pytest.mark.parametrize("key", ["catchup_threshold_seconds", "catchup_check_interval", "load_timeout_seconds"])
def test_numbers_are_strict_and_finite(key: str, value: object) -> None:
    (problem,) = problems_of(lambda: StreamingConfig.from_dict({key: value}))
    assert problem.startswith(f"{key}: ")
    assert "allowed: " in problem
    assert len(problem) < 150


@pytest.mark.parametrize("value", [10.0, 10.5, True, "10"])
def test_an_integer_is_nothing_else(value: object) -> None:
    (problem,) = problems_of(lambda: StreamingConfig.from_dict({"catchup_check_interval": value}))
    assert problem.endswith("; allowed: an integer")


@pytest.mark.parametrize("value", [1, 0, "true", "yes"])
def test_a_flag_is_true_or_false(value: object) -> None:
    (problem,) = problems_of(lambda: GapFillerConfig.from_dict({"enable_session_quality": value}))
    assert problem.endswith("; allowed: true or false")


@pytest.mark.parametrize("value", [1, ["A"], {"a": 1}, "ALFA"])
def test_symbols_are_a_list_of_texts(value: object) -> None:
    found = problems_of(lambda: SessionDataConfig.from_dict({"symbols": value if value != ["A"] else [1]}))
    assert len(found) == 1
    assert found[0].endswith(("allowed: a list", "allowed: text"))


@pytest.mark.parametrize("name", ["BRK.B", "BTC/USD", "a-1", "x" * 32])
def test_good_symbol_names_are_kept_as_written(name: str) -> None:
    assert SessionDataConfig.from_dict({"symbols": [name]}).symbols == (name,)


@pytest.mark.parametrize(
    "name", ["", "../x", "A//B", "-A", "x" * 33, "A B", "A\x00", "\u0410BC", "A\n", "10k" * 4000]
)
def test_bad_symbol_names_are_refused_with_their_place(name: str) -> None:
    (problem,) = problems_of(lambda: SessionDataConfig.from_dict({"symbols": ["ALFA", name]}))
    assert problem.startswith("symbols[1]: ")
    assert problem.isascii()
    assert len(problem) < 300


@pytest.mark.parametrize("label", ["1s", "30s", "1m", "90m", "1h", "23h", "1d"])
def test_good_intervals_are_kept_as_written(label: str) -> None:
    assert SessionDataConfig.from_dict({"symbols": [], "streams": [label]}).streams == (label,)


@pytest.mark.parametrize("label", ["0m", "2d", "24h", "1w", "m", "1M", "quotes", "ticks", "", " 1m", "01m"])
def test_bad_intervals_are_refused_with_their_place(label: str) -> None:
    (problem,) = problems_of(lambda: SessionDataConfig.from_dict({"symbols": [], "streams": ["1m", label]}))
    assert problem.startswith(f"streams[1]: interval {label!r} is not supported")


def test_the_quote_of_a_bad_interval_is_short_and_ascii() -> None:
    (problem,) = problems_of(lambda: SessionDataConfig.from_dict({"symbols": [], "streams": ["\u0661m" * 5000]}))
    assert problem.startswith("streams[0]: interval '\\u0661m")
    assert len(problem) < 300


def test_a_session_without_any_interval_is_refused() -> None:
    assert problems_of(lambda: SessionDataConfig.from_dict({"symbols": [], "streams": []})) == [
        'streams: the list is empty; allowed: at least one interval, for example ["1m"]'
    ]


@pytest.mark.parametrize(
    "value",
    ["2024-7-1", "20240701", "2024-07-01T00:00", "2024-W27-1", "yesterday", "", "2024-02-30", "\u0662024-07-01"],
)
def test_a_date_is_written_year_month_day(value: str) -> None:
    (problem,) = problems_of(lambda: BacktestConfig.from_dict(DATES | {"start_date": value}))
    assert problem.startswith("start_date: ")
    assert "is not a date; allowed: YYYY-MM-DD" in problem


def test_a_date_that_does_not_exist_says_why() -> None:
    (problem,) = problems_of(lambda: BacktestConfig.from_dict(DATES | {"end_date": "2024-02-30"}))
    assert problem.endswith("(day is out of range for month)")


def test_a_number_is_no_date() -> None:
    (problem,) = problems_of(lambda: BacktestConfig.from_dict(DATES | {"end_date": 20240705}))
    assert problem == "end_date: 20240705 is a number; allowed: a date as YYYY-MM-DD"


def test_a_backtest_may_be_of_one_day_but_not_end_before_it_starts() -> None:
    one_day = BacktestConfig.from_dict({"start_date": "2024-07-01", "end_date": "2024-07-01"})
    assert one_day.start_date == one_day.end_date
    assert problems_of(
        lambda: BacktestConfig.from_dict({"start_date": "2024-07-02", "end_date": "2024-07-01"})
    ) == ['end_date: "2024-07-01" is before start_date; allowed: "2024-07-02" or later']


@pytest.mark.parametrize(
    "value",
    [
        "2024-07-02T10:00",
        "2024-07-02T10:00:05",
        "2024-07-02T10:00:05.25",
        "2024-07-02T14:00Z",
        "2024-07-02T10:00-04:00",
    ],
)
def test_a_moment_may_have_seconds_and_an_offset(value: str) -> None:
    entry = ScheduleEntry.from_dict({"at": value, "add": "A"})
    assert (entry.at.tzinfo is None) == (not value.endswith(("Z", "-04:00")))
    assert entry.at.hour in {10, 14}


@pytest.mark.parametrize(
    "value",
    ["2024-07-02", "10:00", "2024-07-02 10:00", "2024-07-02T1000", "2024-07-02T25:00", "2024-07-32T10:00",
     "2024-07-02T10:00+99:00", "2024-07-02T10:00 America/New_York", "now", ""],
)  # fmt: skip
def test_what_is_no_moment_is_refused(value: str) -> None:
    (problem,) = problems_of(lambda: ScheduleEntry.from_dict({"at": value, "add": "A"}))
    assert problem.startswith("at: ")
    assert "is not a date and time; allowed: YYYY-MM-DDTHH:MM" in problem


@pytest.mark.parametrize(("open_", "close"), [("00:00", "24:00"), ("09:30", "09:31"), ("23:59", "24:00")])
def test_hours_reach_from_midnight_to_midnight(open_: str, close: str) -> None:
    hours = HoursConfig.from_dict({"open": open_, "close": close})
    assert 0 <= hours.open_minutes < hours.close_minutes <= 1440


@pytest.mark.parametrize("text", ["9:30", "24:01", "25:00", "12:60", "0930", "09:30:00", "\u0660\u0669:30", ""])
def test_a_time_of_day_is_written_hh_mm(text: str) -> None:
    (problem,) = problems_of(lambda: HoursConfig.from_dict({"open": "00:00", "close": text}))
    assert problem.endswith("has a wrong form; allowed: HH:MM from 00:00 to 24:00")


@pytest.mark.parametrize(("open_", "close"), [("10:00", "10:00"), ("10:00", "09:59")])
def test_hours_must_close_after_they_open(open_: str, close: str) -> None:
    assert problems_of(lambda: HoursConfig.from_dict({"open": open_, "close": close})) == [
        f'close: "{close}" is not after the open; allowed: after "{open_}"'
    ]


@pytest.mark.parametrize("hours", ["extended", 5, ["09:30", "16:00"], True])
def test_hours_are_regular_or_an_object(hours: object) -> None:
    (problem,) = problems_of(lambda: SessionDataConfig.from_dict({"symbols": [], "hours": hours}))
    assert problem.startswith("hours: ")
    assert problem.endswith('allowed: "regular", or {"open": "HH:MM", "close": "HH:MM"}')


@pytest.mark.parametrize("apply_to", ["ALFA", "ALL", 5, {"a": "b"}])
def test_apply_to_is_all_or_a_list(apply_to: object) -> None:
    (problem,) = problems_of(lambda: HistoricalWindow.from_dict({"trailing_days": 1, "apply_to": apply_to}))
    assert problem.startswith("apply_to: ")
    assert problem.endswith('allowed: "all", or a list of symbols')


@pytest.mark.parametrize(
    ("period", "week", "sessions"), [("3d", 5, 3), ("2w", 5, 10), ("2w", 7, 14), ("1d", 7, 1)]
)
def test_a_period_counts_sessions(period: str, week: int, sessions: int) -> None:
    indicator = HistoricalIndicator.from_dict({"type": "trailing_max", "period": period})
    assert indicator.period_sessions(week) == sessions


@pytest.mark.parametrize("period", ["0d", "3", "d", "3m", "-1d", "3 d", "1.5w", "3D"])
def test_a_period_is_of_days_or_weeks(period: str) -> None:
    (problem,) = problems_of(lambda: HistoricalIndicator.from_dict({"type": "trailing_max", "period": period}))
    assert problem.startswith("period: ")


@pytest.mark.parametrize("path", ["mine:Own", "my.pack_age:Own2"])
def test_a_strategy_is_named_by_module_and_class(path: str) -> None:
    assert StrategyConfig(class_=path).class_ == path


@pytest.mark.parametrize(
    "path", ["Own", "mine:", ":Own", "mine.Own", "mine:Own()", "../mine:Own", "1a:B", "a..b:C"]
)
def test_what_names_no_class_is_refused(path: str) -> None:
    (problem,) = problems_of(lambda: StrategyConfig.from_dict({"class": path}))
    assert problem.startswith("class: ")


def test_a_word_that_is_not_known_is_answered_with_the_nearest() -> None:
    found = problems_of(lambda: StreamingConfig.from_dict({"catchup_scope": "sesion"}))
    assert found == [
        'catchup_scope: "sesion" is not known; did you mean "session"? allowed: "session", "symbol", "strategy"'
    ]
    assert problems_of(lambda: SessionDataConfig.from_dict({"symbols": [], "derived_bars": 7})) == [
        'derived_bars: 7 is not known; allowed: "any", "complete"'
    ]
