"""``mismartera validate``, ``schema`` and the help texts."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from tests.unit.cli.conftest import Call
from tests.unit.report.sessions import config, store

from mismartera import __version__


def test_validate_says_which_sessions_there_would_be(call: Call, tmp_path: Path) -> None:
    (tmp_path / "mine.py").write_text("from mismartera import Strategy\nclass Mine(Strategy): pass\n")
    settings = config(["A", "B"]) | {
        "session_name": "Week",
        "backtest_config": {"start_date": "2024-07-01", "end_date": "2024-07-07"},
        "schedule": [{"at": "2024-07-02T10:00", "add": "C"}],
        "analysis": {"strategies": [{"class": "mine:Mine"}]},
    }
    (tmp_path / "c.json").write_text(json.dumps(settings))
    result = call("validate", "c.json")
    assert (result.status, result.err) == (0, "")
    assert result.out.splitlines() == [
        "OK: c.json",
        "  session    Week (backtest)",
        "  calendar   XNYS (America/New_York)",
        "  dates      2024-07-01 to 2024-07-05: 4 sessions, 1 of them half day",
        "  symbols    2: A, B",
        "  streams    1m, 5m",
        "  schedule   1 entry",
        "  strategies mine:Mine",
    ]
    assert not (tmp_path / "data").exists()


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"mode": "never"}, "mode: "), ({"unknown": 1}, "unknown: "), ({"calendar": "NOPE"}, "calendar: "),
        ({"session_name": "x\ud800"}, "session_name: "),
        ({"backtest_config": {"start_date": "2024-07-04", "end_date": "2024-07-04"}}, "has no trading session"),
        ({"backtest_config": {"start_date": "1890-07-04", "end_date": "1890-07-05"}}, "backtest_config: 1890-07"),
        ({"analysis": {"strategies": [{"class": "nowhere:X"}]}}, "analysis.strategies[0].class: "),
        (
            {"session_data_config": {"symbols": ["A"], "streaming": {"catchup_threshold_seconds": 1e308}}},
            "catchup_threshold_seconds: 1e+308 is above the maximum; allowed: 1 to 31,536,000",
        ),
    ],
)  # fmt: skip
def test_validate_and_run_refuse_what_could_not_run(
    call: Call, tmp_path: Path, change: dict[str, object], message: str
) -> None:
    store(tmp_path / "data", {"A": range(3)})
    (tmp_path / "c.json").write_text(json.dumps(config(["A"]) | change))
    for command in ("validate", "run"):
        result = call(command, "c.json")
        assert (result.status, result.out) == (2, "")
        assert result.err.startswith("error: c.json:\n  ")
        assert message in result.err


@pytest.mark.parametrize("text", ["", "{", "[]", "\x00", '{"a": 1, "a": 2}'])
def test_validate_refuses_what_is_no_configuration(call: Call, tmp_path: Path, text: str) -> None:
    (tmp_path / "c.json").write_text(text)
    for command in ("validate", "run"):
        result = call(command, "c.json")
        assert (result.status, result.out) == (2, "")
        assert result.err.startswith("error: c.json:\n  ")


def test_schema_prints_the_json_schema(call: Call) -> None:
    result = call("schema")
    assert result.status == 0
    assert result.json["$schema"] == "https://json-schema.org/draft/2020-12/schema"
    assert "session_data_config" in result.json["properties"]


def test_help_and_version(call: Call) -> None:
    assert call("--version") == (0, f"mismartera, version {__version__}\n", "")
    for command in ([], ["run"], ["data"], ["data", "import"], ["data", "check"], ["validate"], ["schema"]):
        result = call(*command, "--help")
        assert result.status == 0
        assert result.out.startswith(f"Usage: {' '.join(['mismartera', *command])} [OPTIONS]")


@pytest.mark.parametrize(
    "args", [[], ["nothing"], ["run"], ["run", "a", "b"], ["run", "--what"], ["data", "import"]]
)
def test_bad_usage_shows_how_it_is_meant(call: Call, args: list[str]) -> None:
    result = call(*args)
    assert (result.status, result.out) == (2, "")
    assert "Usage: mismartera" in result.err
