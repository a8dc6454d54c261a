"""What varies in a sweep: key paths, grids, and the tasks that they make. Everything wrong is said at once."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from mismartera import SessionConfig
from mismartera.errors import ConfigError
from mismartera.sweeps import Grid
from mismartera.sweeps.key_path import find_missing_key, parse_key_path, put
from mismartera.sweeps.tasks import TASKS_MAX, plan_tasks, read_base

THRESHOLD = "session_data_config.streaming.catchup_threshold_seconds"
PERIOD = "analysis.strategies[0].params.period"
STREAMS = "session_data_config.streams"


def given(**changes: Any) -> dict[str, Any]:
    return {
        "backtest_config": {"start_date": "2024-07-01", "end_date": "2024-07-08"},
        "session_data_config": {"symbols": ["AAA"]},
        "analysis": {"strategies": [{"class": "mine:Mine", "params": {"period": 5}}]},
        **changes,
    }


def plan(grid: dict[str, Any], **changes: Any) -> list[tuple[dict[str, Any], str, str]]:
    tasks = plan_tasks(read_base(given(**changes)), Grid.from_json(grid))
    assert [task.index for task in tasks] == list(range(len(tasks)))
    return [(dict(task.parameters), str(task.start), str(task.end)) for task in tasks]


def problems(grid: Any, **changes: Any) -> list[str]:
    with pytest.raises(ConfigError) as caught:
        plan_tasks(read_base(given(**changes)), Grid.from_json(grid))
    return caught.value.problems


@pytest.mark.parametrize(
    ("text", "parts"),
    [
        ("a", ("a",)),
        (PERIOD, ("analysis", "strategies", 0, "params", "period")),
        ('metadata["my key"].x[12]', ("metadata", "my key", "x", 12)),
    ],
)
def test_a_key_path_is_keys_and_entries(text: str, parts: tuple[str | int, ...]) -> None:
    assert parse_key_path(text) == parts


@pytest.mark.parametrize("text", ["", ".a", "a.", "a..b", "[0]", "a[x]", "a[-1]", "a b", "a[0]b"])
def test_what_is_no_key_path_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match=r"is no key path; allowed: .* analysis\.strategies\[0\]\.params\.period"):
        parse_key_path(text)


@pytest.mark.parametrize(
    ("path", "why"),
    [
        (
            "session_data_confg.streams",
            'there is no key "session_data_confg"; did you mean "session_data_config"?',
        ),
        (f"{THRESHOLD[:-8]}", "session_data_config.streaming has no key .*allowed: catchup_threshold_seconds,"),
        ("analysis.strategies[1].params.period", r"analysis.strategies has no entry 1; allowed: \[0\] to \[0\]"),
        ("schedule[0].at", "schedule has no entry 0; allowed: none: the list is empty"),
        ("analysis.strategies.params", 'analysis.strategies has no entry "params"'),
        ("session_data_config.hours.open", 'session_data_config.hours is "regular" and has no keys'),
        ("feed.type", "feed is not given and has no keys; allowed: feed itself"),
        ("metadata.deep.key", 'metadata has no key "deep"'),
    ],
)
def test_a_key_path_that_leads_nowhere_says_why(path: str, why: str) -> None:
    found = find_missing_key(SessionConfig.from_dict(given()), parse_key_path(path))
    assert found is not None
    with pytest.raises(ValueError, match=why):
        raise ValueError(found)


@pytest.mark.parametrize(
    "path", [THRESHOLD, STREAMS, "analysis.strategies[0].params.new", "metadata.x", "calendar"]
)
def test_keys_that_are_not_given_but_may_be_are_keys(path: str) -> None:
    assert find_missing_key(SessionConfig.from_dict(given()), parse_key_path(path)) is None


def test_a_value_is_put_where_its_key_path_leads() -> None:
    raw = given()
    config = SessionConfig.from_dict(raw)
    put(raw, config, parse_key_path(THRESHOLD), 5)
    put(raw, config, parse_key_path(f"{STREAMS}[0]"), "5m")
    put(raw, config, parse_key_path(PERIOD), 7)
    assert raw["session_data_config"] == {
        "symbols": ["AAA"], "streaming": {"catchup_threshold_seconds": 5}, "streams": ["5m"],
    }  # fmt: skip
    assert raw["analysis"]["strategies"][0]["params"] == {"period": 7}
    SessionConfig.from_dict(raw)


def test_all_combinations_are_tasks_and_the_last_key_changes_first() -> None:
    tasks = plan({"parameters": {THRESHOLD: [30, 60], PERIOD: [1, None]}})
    assert [list(parameters.values()) for parameters, _, _ in tasks] == [[30, 1], [30, None], [60, 1], [60, None]]
    assert {(start, end) for _, start, end in tasks} == {("2024-07-01", "2024-07-08")}


def test_configs_come_before_parameters_and_dates_last() -> None:
    tasks = plan({"configs": [{}, {THRESHOLD: 5}], "parameters": {PERIOD: [1, 2]}, "split": "week"})
    weeks = [("2024-07-01", "2024-07-05"), ("2024-07-08", "2024-07-08")]
    assert tasks == [
        ({**own, PERIOD: period}, *week) for own in ({}, {THRESHOLD: 5}) for period in (1, 2) for week in weeks
    ]


def test_days_without_a_session_are_no_tasks() -> None:
    assert [start for _, start, _ in plan({"split": "day"})] == [
        "2024-07-01", "2024-07-02", "2024-07-03", "2024-07-05", "2024-07-08",
    ]  # fmt: skip
    dates = {"start_date": "2024-06-20", "end_date": "2024-08-02"}
    assert [(start, end) for _, start, end in plan({"split": "month"}, backtest_config=dates)] == [
        ("2024-06-20", "2024-06-28"), ("2024-07-01", "2024-07-31"), ("2024-08-01", "2024-08-02"),
    ]  # fmt: skip


def test_a_split_follows_the_calendar_of_each_combination() -> None:
    days = plan({"parameters": {"calendar": ["XNYS", "XHKG"]}, "split": "day"})
    assert [start for parameters, start, _ in days if parameters["calendar"] == "XHKG"] == [
        "2024-07-02", "2024-07-03", "2024-07-04", "2024-07-05", "2024-07-08",
    ]  # fmt: skip


def test_a_task_is_the_configuration_with_its_values_and_dates() -> None:
    base = read_base(given())
    task = plan_tasks(base, Grid(parameters={THRESHOLD: [30]}, split="day"))[1]
    wanted = given(backtest_config={"start_date": "2024-07-02", "end_date": "2024-07-02"})
    wanted["session_data_config"]["streaming"] = {"catchup_threshold_seconds": 30}
    assert task.config == SessionConfig.from_dict(wanted)
    assert base.given == given(), "what was given is not changed"


def test_a_parameter_may_vary_a_part_of_what_a_config_sets() -> None:
    strategies = [{"class": "other:Other", "params": {"size": 1}}]
    tasks = plan({"configs": [{"analysis.strategies": strategies}], "parameters": {f"{PERIOD[:-6]}size": [2, 3]}})
    assert [parameters[f"{PERIOD[:-6]}size"] for parameters, _, _ in tasks] == [2, 3]


def test_everything_that_is_wrong_with_a_grid_is_said_at_once() -> None:
    found = problems({
        "parameters": {THRESHOLD: [], STREAMS: "1m", "a..b": [1], PERIOD: [1, 1.0, True, 1], "analysis": [{}]},
        "configs": [{THRESHOLD: 3, "x y": 1}, 7],
        "split": "year",
        "parameter": {},
    })  # fmt: skip
    assert len(found) == 10
    text = "\n".join(found)
    for part in (
        f'parameters["{THRESHOLD}"]: the list is empty; allowed: one value or more',
        f'parameters["{STREAMS}"]: found "1m"; allowed: a list of values',
        'parameters["a..b"]: "a..b" is no key path',
        f'parameters["{PERIOD}"][3]: 1 is given more than once; allowed: each value once',
        f'parameters.analysis: overlaps with "{PERIOD}"; allowed: one of the two',
        f'configs[0]["{THRESHOLD}"]: parameters sets "{THRESHOLD}" afterwards; allowed: in one of them',
        'configs[0]["x y"]: "x y" is no key path',
        "configs[1]: 7 is a number; allowed: an object",
        'split: "year" is not known; allowed: "whole", "day", "week", "month"',
        'parameter: unknown key; did you mean "parameters"?',
    ):
        assert part in text


@pytest.mark.parametrize(
    ("grid", "what"),
    [
        ({}, "nothing varies"),
        ([], "found a list at the top"),
        ({"configs": [{STREAMS: ["1m"]}], "parameters": {STREAMS: [["5m"]]}}, "parameters sets .* afterwards"),
    ],
)
def test_a_grid_that_makes_no_sense_is_refused(grid: Any, what: str) -> None:
    with pytest.raises(ConfigError, match=what):
        Grid.from_json(grid)


def test_key_paths_that_lead_nowhere_are_refused_together() -> None:
    found = problems({"parameters": {"nope.x": [1], f"{THRESHOLD}.deep": [1]}, "configs": [{"tryng": 1}]})
    assert found == [
        'configs[0]["tryng"]: there is no key "tryng"; allowed: ' + found[0].rpartition("allowed: ")[2],
        'parameters["nope.x"]: there is no key "nope"; allowed: ' + found[1].rpartition("allowed: ")[2],
        f'parameters["{THRESHOLD}.deep"]: {THRESHOLD} is 60 and has no keys; '
        f"allowed: {THRESHOLD} itself, with an object for its value",
    ]


def test_a_combination_that_is_no_configuration_is_refused_with_its_values() -> None:
    found = problems({"parameters": {THRESHOLD: [0, 60], PERIOD: [1, 2]}})
    assert found == [
        f"with {THRESHOLD} = 0, {PERIOD} = 1 (and 1 more): {THRESHOLD}: " + found[0].rpartition("_seconds: ")[2]
    ]
    found = problems({"parameters": {"session_data_config.indicators": [[{"name": "SMA", "interval": "5m"}]]}})
    assert found[0].startswith("with session_data_config.indicators = a list: session_data_config.indicators[0]")


@pytest.mark.parametrize("grid", [{"parameters": {"mode": ["live"]}}, {"configs": [{"mode": "live"}]}])
def test_a_live_session_is_not_swept(grid: dict[str, Any]) -> None:
    feed = {"type": "ccxt", "exchange": "kraken"}
    assert 'mode: "live" cannot be swept; allowed: "backtest"' in problems(grid, feed=feed)[0]
    with pytest.raises(ConfigError, match='mode: "live" cannot be swept'):
        read_base(given(mode="live", feed=feed))


def test_too_many_tasks_are_refused_before_they_are_made() -> None:
    many = list(range(1, 1001))
    keys = [PERIOD, "metadata.a", "metadata.b", "metadata.c"]
    found = problems({"parameters": dict.fromkeys(keys, many)})
    assert found == [
        "1000 x 1000 x 1000 x 1000 values make 1,000,000,000,000 combinations; "
        f"allowed: at most {TASKS_MAX:,} tasks, sweep in several parts"
    ]
    years = {"start_date": "1990-01-02", "end_date": "2024-06-28"}
    found = problems({"split": "day", "parameters": {PERIOD: many[:20]}}, backtest_config=years)
    assert found == [
        "20 values make 173,780 tasks, one for each day; "
        f"allowed: at most {TASKS_MAX:,} tasks, sweep in several parts"
    ]


def test_dates_without_a_session_cannot_be_split() -> None:
    found = problems({"split": "day"}, backtest_config={"start_date": "2024-07-06", "end_date": "2024-07-07"})
    assert found == ['split: XNYS has no session between these dates; allowed: "whole"']


def test_files_are_named_in_errors(tmp_path: Path) -> None:
    grid = tmp_path / "grid.json"
    grid.write_text('{"parameters": {"a": [1], "a": [2]}}')
    with pytest.raises(ConfigError, match=r"grid\.json: parameters\.a: this key is given more than once"):
        Grid.from_file(grid)
    config = tmp_path / "c.json"
    config.write_text(json.dumps(given()))
    base = read_base(config)
    assert (base.folder, base.source) == (tmp_path, str(config))
