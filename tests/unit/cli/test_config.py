"""``mismartera validate``, ``schema`` and the help texts."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from tests.unit.cli.conftest import Call
from tests.unit.config.configs import live
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


SCRIPT = [{"kind": "x", "at": "25:00"}, {"kind": "drop", "at": "10:00", "seconds": -1, "often": True}]


@pytest.mark.parametrize(
    ("change", "problems"),
    [
        (
            {"feed": {"type": "replay", "date": "2024-07-02", "faults": SCRIPT}},
            [
                "faults[0].kind: found 'x'",
                "faults[0].at: found '25:00'",
                "faults[1].often: not",
                "faults[1].seconds",
            ],
        ),
        (
            {"feed": {"type": "replay", "date": "2024-07-02", "faults": [{"kind": "drop", "at": "20:00"}]}},
            ["faults[0]: it would never be played"],
        ),
        ({"feed": {"type": "replay", "date": "2024-07-04"}}, ["date: 2024-07-04 is not a trading day of XNYS"]),
        ({"feed": {"type": "ccxt", "exchange": "krakn"}}, ["exchange: 'krakn' is none of"]),
    ],
)
def test_validate_and_live_refuse_the_same_feeds(
    call: Call, tmp_path: Path, change: dict[str, object], problems: list[str]
) -> None:
    store(tmp_path / "data", {"ALFA": range(390)})
    (tmp_path / "c.json").write_text(json.dumps(live() | change))
    for command in ("validate", "live"):
        result = call(command, "c.json")
        assert (result.status, result.out) == (2, "")
        head, *found = result.err.splitlines()
        assert head == "error: c.json:"
        assert len(found) == len(problems)
        for line, problem in zip(found, problems, strict=True):
            assert line.startswith(f"  feed.{problem}")


def test_validate_takes_a_live_session_without_data_and_keys(call: Call, tmp_path: Path) -> None:
    urls = {"stream_url": "wss://stream.example.com/v2/iex", "data_url": "https://data.example.com"}
    script = [{"kind": "drop", "at": "10:00"}]
    for feed in (
        {"type": "alpaca", **urls},
        {"type": "nats", "url": "tls://bus.example.com"},
        {"type": "replay", "date": "2024-07-02", "faults": script},
    ):
        (tmp_path / "c.json").write_text(json.dumps(live(**feed)))
        result = call("validate", "c.json")
        assert (result.status, result.err) == (0, "")
        assert result.out.startswith("OK: c.json\n  session    session (live)\n")


STRATEGIES = """
from mismartera import Strategy
class Waiting(Strategy):
    async def on_bar(self, bar): pass
class Text(Strategy):
    symbols = "ALFA"
class Sevens(Strategy):
    intervals = ("7m",)
"""


@pytest.mark.parametrize("settings", [config(["ALFA"]), live(type="replay", date="2024-07-02")])
@pytest.mark.parametrize(
    ("name", "status", "message"),
    [
        ("Waiting", 2, "error: on_bar of strategy Waiting is an 'async def', which would never run: write 'def'"),
        ("Text", 2, "error: symbols of strategy Text is the text 'ALFA': give a collection, ('ALFA',)"),
        ("Sevens", 0, "strategy Sevens asks for 7m, which no stream of the session has: there are 1m"),
    ],
)
def test_validate_takes_strategies_as_a_run_does(
    call: Call, tmp_path: Path, settings: dict[str, object], name: str, status: int, message: str
) -> None:
    (tmp_path / "callbacks_of_mine.py").write_text(STRATEGIES)
    named = {"analysis": {"strategies": [{"class": f"callbacks_of_mine:{name}"}]}}
    (tmp_path / "c.json").write_text(json.dumps(settings | named))
    result = call("validate", "c.json")
    assert result.status == status
    assert message in result.err
    assert result.out.startswith("OK: c.json") == (status == 0)


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
