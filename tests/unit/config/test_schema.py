"""The JSON Schema: accepts what the configuration accepts, refuses what it refuses, and explains itself."""

from __future__ import annotations

import copy
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from tests.unit.config.configs import full, live, minimal, problems
from tests.unit.config.schema_checker import violations

from mismartera.config import SessionConfig, config_schema

SHIPPED = sorted((Path(__file__).parents[3] / "session_configs").glob("*.json"))
SCHEMA = config_schema()


def test_schema_names_its_draft_and_is_json() -> None:
    assert SCHEMA["$schema"] == "https://json-schema.org/draft/2020-12/schema"
    assert json.loads(json.dumps(SCHEMA)) == SCHEMA


@pytest.mark.parametrize("path", SHIPPED, ids=lambda path: path.name)
def test_schema_accepts_the_shipped_configurations(path: Path) -> None:
    assert violations(SCHEMA, json.loads(path.read_text(encoding="utf-8"))) == []


@pytest.mark.parametrize("config", [full(), minimal(), live(type="replay", date="2024-07-03")])
def test_schema_accepts_configurations_and_what_they_write(config: dict[str, Any]) -> None:
    assert violations(SCHEMA, config) == []
    assert violations(SCHEMA, SessionConfig.from_dict(config).to_dict()) == []


def _set(*path: Any, to: Any) -> Callable[[dict[str, Any]], None]:
    def change(config: Any) -> None:
        for part in path[:-1]:
            config = config[part]
        config[path[-1]] = to

    return change


DATA = "session_data_config"


@pytest.mark.parametrize(
    "change",
    [
        _set("nope", to=1),
        _set("mode", to="paper"),
        _set("session_name", to=""),
        _set("session_name", to=None),
        _set("calendar", to="xnys"),
        _set("backtest_config", to=None),
        _set("backtest_config", "speed_multiplier", to=-1),
        _set("backtest_config", "speed_multiplier", to="1"),
        _set("backtest_config", "prefetch_days", to=True),
        _set(DATA, "symbols", to="ALFA"),
        _set(DATA, "symbols", 0, to="b!"),
        _set(DATA, "streams", to=[]),
        _set(DATA, "streams", 0, to="2d"),
        _set(DATA, "hours", to="all"),
        _set(DATA, "hours", "open", to="4:00"),
        _set(DATA, "streaming", "catchup_check_interval", to=101),
        _set(DATA, "streaming", "catchup_check_interval", to=0),
        _set(DATA, "streaming", "catchup_threshold_seconds", to=0.5),
        _set(DATA, "streaming", "load_timeout_seconds", to=0),
        _set(DATA, "historical", "data", 0, "apply_to", to="some"),
        _set(DATA, "historical", "data", 0, "trailing_days", to=0),
        _set(DATA, "historical", "indicators", "avg_volume", "period", to="3m"),
        _set(DATA, "indicators", 0, "params", "timeperiod", to="20"),
        _set("schedule", 0, "at", to="2024-07-02"),
        _set("schedule", 0, "remove", to="ALFA"),
        _set("analysis", "strategies", 0, "class", to="Momentum"),
        _set("trading_config", "max_open_positions", to=0),
    ],
)
def test_schema_refuses_what_the_configuration_refuses(change: Callable[[dict[str, Any]], None]) -> None:
    config = copy.deepcopy(full())
    change(config)
    assert violations(SCHEMA, config)
    assert problems(config)


def test_every_key_and_object_is_described() -> None:
    objects = {"SessionConfig": SCHEMA} | SCHEMA["$defs"]
    assert len(objects) == 17
    for name, schema in objects.items():
        assert schema["description"], name
        for key, of_key in schema["properties"].items():
            assert len(of_key["description"]) > 8, f"{name}.{key}"


def test_schema_tells_defaults_and_bounds() -> None:
    streaming = SCHEMA["$defs"]["StreamingConfig"]["properties"]
    assert streaming["catchup_check_interval"]["default"] == 10
    assert (streaming["catchup_check_interval"]["minimum"], streaming["catchup_check_interval"]["maximum"]) == (
        1,
        100,
    )
    assert SCHEMA["$defs"]["SessionDataConfig"]["required"] == ["symbols"]
