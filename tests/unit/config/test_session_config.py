"""SessionConfig: defaults, values, calendars, changes of symbols, and what frozen means."""

from __future__ import annotations

import copy
import datetime as dt
import pickle
import subprocess
import sys

import pytest
from pydantic import ValidationError
from tests.unit.config.configs import full, live, minimal, problems, problems_of

from mismartera.config import (
    AnalysisConfig,
    ApiConfig,
    BacktestConfig,
    GapFillerConfig,
    HistoricalConfig,
    HoursConfig,
    ScheduleEntry,
    SessionConfig,
    SessionDataConfig,
    StrategyConfig,
    StreamingConfig,
    TradingConfig,
)
from mismartera.errors import ConfigError


def test_minimal_configuration_gets_the_documented_defaults() -> None:
    config = SessionConfig.from_dict(minimal())
    assert config.session_name == "session"
    assert (config.exchange_group, config.calendar) == ("US_EQUITY", None)
    assert (config.asset_class, config.mode) == ("EQUITY", "backtest")
    assert config.schedule == ()
    assert config.analysis == AnalysisConfig(strategies=(), on_strategy_error="isolate")
    assert config.trading_config == TradingConfig()
    assert config.api_config == ApiConfig()
    assert config.metadata == {}
    assert config.feed is None
    data = config.session_data_config
    assert data.symbols == ("ALFA",)
    assert data.streams == ("1m",)
    assert (data.hours, data.derived_bars) == ("regular", "any")
    assert data.indicators == ()
    assert data.historical == HistoricalConfig(enable_quality=True, data=(), indicators={})
    assert data.gap_filler == GapFillerConfig(
        enable_session_quality=True, max_retries=5, retry_interval_seconds=60
    )
    backtest = config.backtest_config
    assert backtest is not None
    assert (backtest.speed_multiplier, backtest.prefetch_days) == (0.0, 0)


def test_streaming_defaults_are_those_of_the_documentation() -> None:
    streaming = StreamingConfig()
    assert streaming.to_dict() == {
        "catchup_threshold_seconds": 60.0,
        "catchup_check_interval": 10,
        "catchup_scope": "session",
        "load_timeout_seconds": 60.0,
        "bar_grace_seconds": 10.0,
        "command_timeout_seconds": 5.0,
    }


def test_every_block_is_read_into_typed_values() -> None:
    config = SessionConfig.from_dict(full())
    data = config.session_data_config
    assert data.hours == HoursConfig(open="04:00", close="20:00")
    assert isinstance(data.hours, HoursConfig)
    assert (data.hours.open_minutes, data.hours.close_minutes) == (240, 1200)
    assert data.streaming.catchup_threshold_seconds == 90.0
    assert isinstance(data.streaming.catchup_threshold_seconds, float)
    assert data.historical.data[0].apply_to == ("NVR", "TDG")
    assert data.historical.indicators["avg_volume"].granularity == "minute"
    assert data.indicators[0].params == {"timeperiod": 20}
    assert data.indicators[1].input == "volume"
    assert config.backtest_config == BacktestConfig(
        start_date=dt.date(2024, 7, 2), end_date=dt.date(2024, 7, 5), speed_multiplier=60, prefetch_days=2
    )
    added, removed = config.schedule
    assert (added.at, added.add, added.remove, added.streams) == (
        dt.datetime.fromisoformat("2024-07-02T10:00"),
        "AZO",
        None,
        ("1m",),
    )
    assert removed.at == dt.datetime(2024, 7, 2, 18, 0, 30, tzinfo=dt.UTC)
    assert removed.at.utcoffset() == dt.timedelta(hours=-4)
    assert config.analysis.strategies[0].class_ == "my_strategies:Momentum"
    assert config.analysis.strategies[0].params["levels"] == (1, None, {"deep": True})
    assert config.trading_config.max_per_trade == 1000.5


@pytest.mark.parametrize(
    ("keys", "code", "week"),
    [
        ({}, "XNYS", 5),
        ({"exchange_group": "US_EQUITY"}, "XNYS", 5),
        ({"exchange_group": "HK_EQUITY"}, "XHKG", 5),
        ({"exchange_group": "CRYPTO"}, "24/7", 7),
        ({"calendar": "XLON"}, "XLON", 5),
        ({"calendar": "24/7"}, "24/7", 7),
        ({"calendar": "XNYS", "exchange_group": "US_EQUITY"}, "XNYS", 5),
    ],
)
def test_calendar_code_comes_from_the_group_or_the_calendar(keys: dict[str, str], code: str, week: int) -> None:
    config = SessionConfig.from_dict(minimal(**keys))
    assert config.calendar_code == code
    assert config.sessions_per_week == week


def test_a_calendar_alone_has_no_exchange_group() -> None:
    assert SessionConfig.from_dict(minimal(calendar="XLON")).exchange_group is None


def test_calendar_that_contradicts_the_group_is_refused() -> None:
    assert problems(minimal(calendar="XLON", exchange_group="HK_EQUITY")) == [
        'calendar: "XLON" contradicts exchange_group "HK_EQUITY"; allowed: one of the two'
    ]


@pytest.mark.parametrize("code", ["xnys", "XNY", "XNYSE", "24/6", "", "../x"])
def test_calendar_must_have_the_form_of_a_code(code: str) -> None:
    (problem,) = problems(minimal(calendar=code))
    assert problem.startswith("calendar: ")
    assert "ISO 10383" in problem


def test_no_symbols_are_allowed_and_stay_none() -> None:
    config = SessionConfig.from_dict(minimal(session_data_config={"symbols": []}))
    assert config.session_data_config.symbols == ()


def test_with_symbols_replaces_the_symbols_and_nothing_else() -> None:
    config = SessionConfig.from_dict(full())
    changed = config.with_symbols(("AZO", "NVR"))
    assert changed.session_data_config.symbols == ("AZO", "NVR")
    assert config.session_data_config.symbols == ("NVR", "TDG", "BTC/USD")
    assert changed.with_symbols(config.session_data_config.symbols) == config
    assert SessionConfig.from_dict(changed.to_dict()) == changed


def test_with_symbols_refuses_bad_and_repeated_names() -> None:
    config = SessionConfig.from_dict(minimal())
    found = problems_of(lambda: config.with_symbols(("A", "b!", "A")))
    assert [problem.split(":")[0] for problem in found] == ["symbols[1]", "symbols[2]"]


def test_configuration_is_frozen_hashable_and_can_be_copied_and_pickled() -> None:
    config = SessionConfig.from_dict(full())
    with pytest.raises(ValidationError, match="frozen"):
        config.session_name = "other"
    with pytest.raises(TypeError):
        config.metadata["note"] = "changed"  # type: ignore[index]
    again = SessionConfig.from_dict(full())
    assert len({config, again}) == 1
    assert copy.deepcopy(config) == config
    assert pickle.loads(pickle.dumps(config)) == config  # noqa: S301


def test_the_given_data_is_neither_kept_nor_changed() -> None:
    data = full()
    config = SessionConfig.from_dict(data)
    data["metadata"]["nested"]["list"].append("later")
    data["session_data_config"]["symbols"].clear()
    assert config == SessionConfig.from_dict(full())


def test_parts_are_made_in_python_with_objects_or_plain_values() -> None:
    config = SessionConfig(
        session_data_config=SessionDataConfig(
            symbols=("ALFA",), streams=("1m", "5m"), streaming=StreamingConfig(catchup_threshold_seconds=30)
        ),
        backtest_config=BacktestConfig(start_date=dt.date(2024, 7, 1), end_date=dt.date(2024, 7, 5)),
        schedule=(ScheduleEntry(at=dt.datetime.fromisoformat("2024-07-01T10:00"), add="BRVO"),),
        analysis=AnalysisConfig(strategies=(StrategyConfig(class_="mine:Own", params={"x": [1]}),)),
    )
    plain = {
        "session_data_config": {
            "symbols": ["ALFA"], "streams": ["1m", "5m"], "streaming": {"catchup_threshold_seconds": 30},
        },
        "backtest_config": {"start_date": "2024-07-01", "end_date": "2024-07-05"},
        "schedule": [{"at": "2024-07-01T10:00", "add": "BRVO"}],
        "analysis": {"strategies": [{"class": "mine:Own", "params": {"x": [1]}}]},
    }  # fmt: skip
    assert config == SessionConfig.from_dict(plain)
    assert config == SessionConfig(**plain)  # type: ignore[arg-type]


def test_a_bad_value_in_python_raises_a_config_error_that_names_the_class() -> None:
    with pytest.raises(ConfigError) as caught:
        StreamingConfig(catchup_check_interval=101, catchup_threshold_seconds=0)
    assert caught.value.source == "StreamingConfig"
    assert caught.value.problems == [
        "catchup_threshold_seconds: 0 is below the minimum; allowed: 1 to 31,536,000",
        "catchup_check_interval: 101 is above the maximum; allowed: 1 to 100",
    ]


def test_python_names_of_keys_are_reported_as_the_json_key_and_not_taken_from_json() -> None:
    assert problems_of(lambda: StrategyConfig(class_="no class")) == [
        "class: \"no class\" has a wrong form; allowed: 'module:Class', for example my_strategies:Momentum"
    ]
    found = problems_of(lambda: StrategyConfig.from_dict({"class_": "mine:Own"}))
    assert found == [
        "class: missing; this key is required",
        'class_: unknown key; did you mean "class"? allowed: class, params',
    ]


def test_a_set_is_no_list_for_its_order_means_nothing() -> None:
    (problem,) = problems_of(lambda: SessionDataConfig(symbols={"ALFA"}))  # type: ignore[arg-type]
    assert problem == "symbols: found {'ALFA'}; allowed: a list"


def test_the_same_offset_in_another_zone_is_the_same_instant() -> None:
    plain = ScheduleEntry.from_dict({"at": "2024-11-03T01:30:00-04:00", "add": "A"})
    assert ScheduleEntry.from_dict(plain.to_dict()) == plain
    assert ScheduleEntry.from_dict({"at": "2024-11-03T05:30:00Z", "add": "A"}).at == plain.at


def test_a_mode_needs_its_block_and_may_carry_the_other_one() -> None:
    feed = {"type": "replay", "date": "2024-07-03"}
    assert problems({"session_data_config": {"symbols": []}}) == [
        'backtest_config: missing; this key is required in mode "backtest"'
    ]
    assert problems({"mode": "live", "session_data_config": {"symbols": []}}) == [
        'feed: missing; this key is required in mode "live"'
    ]
    assert SessionConfig.from_dict(minimal(mode="live", feed=feed)).backtest_config is not None
    assert SessionConfig.from_dict(minimal(feed=feed)).feed is not None


def test_scope_strategy_is_for_live_only() -> None:
    streaming = {"streaming": {"catchup_scope": "strategy"}}
    data = {"symbols": ["ALFA"]} | streaming
    assert problems(minimal(session_data_config=data)) == [
        'session_data_config.streaming.catchup_scope: "strategy" is for mode "live" only; '
        'allowed: "session", "symbol"'
    ]
    config = live(type="replay", date="2024-07-03") | {"session_data_config": data}
    assert SessionConfig.from_dict(config).session_data_config.streaming.catchup_scope == "strategy"


def test_import_and_reading_without_indicators_bring_no_heavy_library_along() -> None:
    code = (
        "import sys, mismartera.config as c\n"
        "assert not {'numpy', 'polars', 'talib', 'pandas', 'exchange_calendars'} & set(sys.modules)\n"
        "c.SessionDataConfig(symbols=('A',), streams=('1m',))\n"
        "assert not {'polars', 'talib', 'pandas', 'exchange_calendars'} & set(sys.modules)\n"
    )
    subprocess.run([sys.executable, "-c", code], check=True)
