"""All faults of a configuration come in one ConfigError, each once, each with its key path (D12)."""

from __future__ import annotations

import copy
import json
from pathlib import Path
from typing import Any

import pytest
from tests.unit.config.configs import full, minimal, problems, with_data

from mismartera.config import SessionConfig
from mismartera.errors import ConfigError


def _broken() -> dict[str, Any]:
    config = full()
    config["sesion_name"] = "x"
    config["backtest_config"] |= {"end_date": "2024-07-01", "speed_multiplier": "1"}
    data = config["session_data_config"]
    data["symbols"] = ["A", "b!", "A", 3]
    data["streams"] = ["1m", "5m", "60m", "1h"]
    data["hours"] = {"open": "10:00", "close": "09:00", "zone": "UTC"}
    data["streaming"] = {"catchup_threshold_seconds": 0, "catchup_check_interval": 101, "catchup_scop": "session"}
    data["gap_filler"] = None
    data["historical"]["indicators"]["5m"] = {"type": "trailing_max", "period": "9w"}
    data["indicators"] += [
        {"name": "SMMA", "interval": "5m"},
        {"name": "EMA", "interval": "30m"},
        {"name": "RSI", "interval": "5m", "params": {"timeperiod": "x"}},
    ]
    config["schedule"] += [{"at": "noon", "add": "X"}, {"at": "2024-07-02T10:00"}]
    config["analysis"]["strategies"].append({"params": {}})
    config["metadata"] = {"limits": [1.0, float("nan")]}
    return config


def test_all_faults_of_a_configuration_are_reported_at_once() -> None:
    found = problems(_broken())
    assert sorted(problem.split(": ")[0] for problem in found) == [
        "analysis.strategies[1].class",
        "backtest_config.end_date",
        "backtest_config.speed_multiplier",
        "metadata.limits[1]",
        "schedule[2].at",
        "schedule[3]",
        "sesion_name",
        "session_data_config.gap_filler",
        'session_data_config.historical.indicators["5m"]',
        'session_data_config.historical.indicators["5m"].period',
        "session_data_config.hours.close",
        "session_data_config.hours.zone",
        "session_data_config.indicators[2]",
        "session_data_config.indicators[3].interval",
        "session_data_config.indicators[4].params.timeperiod",
        "session_data_config.streaming.catchup_check_interval",
        "session_data_config.streaming.catchup_scop",
        "session_data_config.streaming.catchup_threshold_seconds",
        "session_data_config.streams[3]",
        "session_data_config.symbols[1]",
        "session_data_config.symbols[2]",
        "session_data_config.symbols[3]",
    ]
    assert (
        "session_data_config.streaming.catchup_check_interval: 101 is above the maximum; allowed: 1 to 100"
        in found
    )
    assert (
        "session_data_config.streaming.catchup_threshold_seconds: 0 is below the minimum; allowed: 1 to 31,536,000"
        in found
    )
    assert 'backtest_config.speed_multiplier: "1" is text; allowed: a number' in found
    assert "metadata.limits[1]: NaN is not a number that JSON can hold; allowed: finite numbers" in found
    assert "session_data_config.gap_filler: null is not a value; leave the key out to get its default" in found
    assert 'session_data_config.streams[3]: "1h" means the same as "60m"; allowed: each one once' in found
    assert 'session_data_config.symbols[2]: "A" is given more than once; allowed: each one once' in found


def test_a_repaired_configuration_has_no_faults() -> None:
    config = _broken()
    intact = full()
    for key in ("backtest_config", "session_data_config", "schedule", "analysis", "metadata"):
        config[key] = intact[key]
    del config["sesion_name"]
    assert SessionConfig.from_dict(config) == SessionConfig.from_dict(intact)


def test_faults_come_in_the_same_order_every_time() -> None:
    assert problems(_broken()) == problems(copy.deepcopy(_broken()))


def test_the_error_says_where_the_configuration_comes_from(tmp_path: Path) -> None:
    path = tmp_path / "bad.json"
    path.write_text(json.dumps(minimal(mode="paper")), encoding="utf-8")
    with pytest.raises(ConfigError) as caught:
        SessionConfig.from_file(path)
    assert caught.value.source == str(path)
    assert str(caught.value) == f'{path}: mode: "paper" is not known; allowed: "backtest", "live"'


@pytest.mark.parametrize(
    ("key", "meant"),
    [("session_data", "session_data_config"), ("Schedule", "schedule"), ("back_test_config", "backtest_config")],
)
def test_an_unknown_key_is_answered_with_the_nearest_known_one(key: str, meant: str) -> None:
    (problem,) = problems(minimal(**{key: {}}))
    assert problem.startswith(f'{key}: unknown key; did you mean "{meant}"? allowed: $schema, session_name, ')


def test_an_unknown_key_like_no_other_is_answered_with_those_of_its_own_object() -> None:
    config = minimal(schedule=[{"at": "2024-07-01T10:00", "add": "A", "zzz": 1}])
    assert problems(config) == ["schedule[0].zzz: unknown key; allowed: at, add, remove, streams"]
    config = with_data(historical={"data": [{"trailing_days": 1}], "indicators": {"a b": {"qqq": 1}}})
    assert 'session_data_config.historical.indicators["a b"].qqq: unknown key; allowed: type, period, ' in str(
        problems(config)
    )


def test_missing_keys_are_named() -> None:
    assert problems({}) == ["session_data_config: missing; this key is required"]
    assert problems(minimal(session_data_config={})) == [
        "session_data_config.symbols: missing; this key is required"
    ]
    assert problems(minimal(backtest_config={})) == [
        "backtest_config.start_date: missing; this key is required",
        "backtest_config.end_date: missing; this key is required",
    ]


def test_what_follows_from_another_fault_is_not_reported() -> None:
    config = with_data(streams=["1m", "5 m"], indicators=[{"name": "SMA", "interval": "5m"}])
    assert [problem.split(": ")[0] for problem in problems(config)] == ["session_data_config.streams[1]"]
    config = minimal(mode="life") | {"backtest_config": "2024-07-01"}
    assert [problem.split(": ")[0] for problem in problems(config)] == ["mode", "backtest_config"]


@pytest.mark.parametrize("data", [[], "x", 5, None, True, [("session_data_config", {})]])
def test_what_is_no_object_is_refused(data: object) -> None:
    (problem,) = problems(data)
    assert problem.endswith("at the top; allowed: an object with keys")


@pytest.mark.parametrize("value", [5, "x", [], True])
@pytest.mark.parametrize("key", ["session_data_config", "backtest_config", "analysis", "metadata", "feed"])
def test_a_block_must_be_an_object(key: str, value: object) -> None:
    (problem,) = problems(minimal(**{key: value}))
    assert problem.startswith(f"{key}: ")
    assert problem.endswith("; allowed: an object")


def test_nulls_are_refused_but_in_what_is_the_users_own() -> None:
    config = minimal(session_name=None, metadata={"a": None, "b": [None]})
    config["session_data_config"]["streaming"] = {"catchup_scope": None}
    assert [problem.split(": ")[0] for problem in problems(config)] == [
        "session_data_config.streaming.catchup_scope",
        "session_name",
    ]


def test_deep_nesting_is_refused_and_an_endless_one_too() -> None:
    deep: Any = []
    for _ in range(200):
        deep = [deep]
    (problem,) = problems(minimal(metadata={"deep": deep}))
    assert problem.endswith("nested too deeply; allowed: 32 levels of lists and objects")
    endless: dict[str, Any] = {}
    endless |= {"one": endless, "two": endless}
    found = problems(minimal(metadata=endless))
    assert [problem.split(": ")[0] for problem in found] == ["metadata.one", "metadata.two"]


def test_nesting_up_to_the_limit_is_kept() -> None:
    deep: Any = 1
    for _ in range(30):
        deep = [deep]
    config = minimal(metadata={"deep": deep})
    assert SessionConfig.from_dict(config).to_dict()["metadata"] == {"deep": deep}


def test_keys_and_values_that_json_does_not_know_are_refused() -> None:
    assert problems(minimal(metadata={1: "x"})) == [
        "metadata[1]: the key 1 is not text; allowed: text in double quotes"
    ]
    (problem,) = problems(minimal(metadata={"x": {1, 2}}))
    assert problem == "metadata: set is not a JSON value; allowed: text, numbers, booleans, null, [], {}"


def test_messages_are_ascii_whatever_stands_in_the_configuration() -> None:
    config = minimal(mode="\u202egnp\ud800", аnalysis=1)
    assert all(problem.isascii() for problem in problems(config))
