"""What the documentation shows is true: marked code runs, configurations are valid, tables name what there is.

A block is marked by a comment before it: ``<!-- run -->`` (Python: the blocks of a page run in order, in one
namespace, in a folder where ``data`` is the sample store; JSON: a configuration) or ``<!-- excerpt -->`` (lines
of the event log of the page's ``<!-- run: excerpt -->`` configuration).
"""

from __future__ import annotations

import json
import re
import tomllib
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest

from mismartera import DataManager, SessionConfig, Strategy, SystemManager, TimeManager
from mismartera.catalog import SAMPLE_CALENDAR, SAMPLE_END, SAMPLE_START, write_sample
from mismartera.config import config_schema
from mismartera.report.dump import SessionDump
from mismartera.report.events import EventLog

ROOT = Path(__file__).parents[2]
DOCS = ROOT / "docs"
PAGES = {
    page.name: page.read_text("utf-8")
    for page in sorted([ROOT / "README.md", *DOCS.glob("*.md")])
    if page.exists()
}
BLOCK = re.compile(r"^<!-- (run|run: excerpt|excerpt) -->\n```(\w+)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
BLOCKS = [(page, *found) for page, text in PAGES.items() for found in BLOCK.findall(text)]
PYTHON_PAGES = sorted({page for page, mark, language, _ in BLOCKS if (mark, language) == ("run", "python")})
CONFIGS = [(page, json.loads(code)) for page, mark, language, code in BLOCKS if language == "json"]


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What ``mismartera data sample`` makes."""
    path = tmp_path_factory.mktemp("docs") / "data"
    time = TimeManager(SAMPLE_CALENDAR)
    days = time.trading_dates(SAMPLE_START, SAMPLE_END)
    write_sample(DataManager(path), [time.get_trading_session(day) for day in days])
    return path


@pytest.fixture(scope="module")
def excerpt_lines(store: Path) -> list[str]:
    """The event log of the configuration in EVENTS.md."""
    [code] = [code for _, mark, _, code in BLOCKS if mark == "run: excerpt"]
    return run_events(json.loads(code), store)


def run_events(config: Mapping[str, Any], store: Path, *strategies: Strategy) -> list[str]:
    path = store.parent / "events.jsonl"
    log = EventLog(path)
    log.open()
    SystemManager(
        SessionConfig.from_dict(config), data_manager=DataManager(store), sinks=[log], strategies=strategies
    ).run()
    log.close()
    return path.read_text("ascii").splitlines()


def rows_after(page: str, header: str) -> Iterator[list[str]]:
    """The cells of the table whose header row is ``header``."""
    lines = PAGES[page].split("\n")
    for line in lines[lines.index(header) + 2 :]:
        if not line.startswith("|"):
            return
        yield [cell.strip() for cell in line.strip("|").split("|")]


def test_the_pages_have_blocks_that_are_checked() -> None:
    assert set(PYTHON_PAGES) >= {"TOUR.md", "SYMBOL_MANAGEMENT_API.md"}
    assert {page for page, _ in CONFIGS} >= {"CONFIGURATION.md", "EVENTS.md", "SYMBOL_MANAGEMENT_API.md"}


def test_every_mark_stands_before_a_block() -> None:
    marks = sum(len(re.findall(r"^<!-- (?:run|excerpt)", text, re.MULTILINE)) for text in PAGES.values())
    assert marks == len(BLOCKS)


@pytest.mark.parametrize("page", PYTHON_PAGES)
def test_python_blocks_run(page: str, store: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(store.parent)
    namespace: dict[str, Any] = {"__name__": page}
    for number, (where, mark, language, code) in enumerate(BLOCKS):
        if (where, mark, language) == (page, "run", "python"):
            exec(compile(code, f"{page} block {number}", "exec"), namespace)  # noqa: S102  # our own pages
    for system in [value for value in namespace.values() if isinstance(value, SystemManager)]:
        assert system.summary()["strategy_errors"] == []


@pytest.mark.parametrize(("page", "config"), CONFIGS, ids=[page for page, _ in CONFIGS])
def test_json_blocks_are_valid_configurations(page: str, config: dict[str, Any]) -> None:
    read = SessionConfig.from_dict(config, source=page)
    assert SessionConfig.from_dict(read.to_dict()) == read


def test_excerpts_of_the_event_log_are_real(excerpt_lines: list[str]) -> None:
    shown = [line for _, mark, _, code in BLOCKS if mark == "excerpt" for line in code.splitlines()]
    assert len(shown) > 10
    assert [line for line in excerpt_lines if line in shown] == shown


class _Busy(Strategy):
    def on_session_open(self) -> None:
        self.session.emit("opened", 1)

    def on_bar(self, bar: object) -> None:
        raise ValueError("on purpose")


class _Quitter(Strategy):
    def on_session_active(self, active: bool, reason: str) -> None:
        if reason == "lag":
            raise SystemExit


def test_every_event_has_the_fields_that_its_page_names(store: Path) -> None:
    documented = {
        event.strip("`"): {field.strip(" `") for field in fields.split(",")}
        for event, fields, _ in rows_after("EVENTS.md", "| event | fields | when |")
    }
    schedule = [
        {"at": "2024-07-03T10:00", "add": "CHRL"},
        {"at": "2024-07-03T10:30", "add": "NOPE"},
        {"at": "2024-07-03T11:00", "remove": "ALFA"},
    ]
    seen: dict[str, set[str]] = {}
    for scope, strategy in (("session", _Busy()), ("symbol", _Busy()), ("session", _Quitter())):
        config = {
            "backtest_config": {"start_date": "2024-07-03", "end_date": "2024-07-03"},
            "session_data_config": {"symbols": ["ALFA"], "streaming": {"catchup_scope": scope}},
            "schedule": schedule,
        }
        for line in run_events(config, store, strategy):
            event = json.loads(line)
            fields = event.keys() - {"seq", "time", "event"}
            assert seen.setdefault(event["event"], fields) == fields
    assert seen == documented


def test_every_event_of_a_live_session_is_told_of() -> None:
    rows = rows_after("EVENTS.md", "| live event | its fields | what happened |")
    documented = {name for events, *_ in rows for name in re.findall(r"`(\w+)`", events)}
    texts = [path.read_text("utf-8") for path in (ROOT / "src" / "mismartera" / "live").glob("*.py")]
    call = r'(?:\.event\(|\.event_of\(\w+,|publish\()\s*"(\w+)"'
    published = {name for text in texts for name in re.findall(call, text)}
    told_elsewhere = {"strategy_deactivated", "strategy_activated"}
    assert documented == published | told_elsewhere


def test_the_dump_has_the_columns_that_its_page_names(store: Path, tmp_path: Path) -> None:
    import polars as pl

    documented = [
        cell for column, _ in rows_after("EVENTS.md", "| column | type |") for cell in column.split(", ")
    ]
    indicator = {"name": "BBANDS", "interval": "5m"}
    config = {
        "backtest_config": {"start_date": "2024-07-03", "end_date": "2024-07-03"},
        "session_data_config": {"symbols": ["ALFA"], "streams": ["1m", "5m"], "indicators": [indicator]},
    }
    recorders = [SessionDump(tmp_path)]
    SystemManager(SessionConfig.from_dict(config), data_manager=DataManager(store), recorders=recorders).run()
    columns = pl.read_parquet(tmp_path / "2024-07-03" / "ALFA" / "5m.parquet").columns
    plain = [name.strip("`") for name in documented if name.startswith("`")]
    assert columns[: len(plain)] == plain
    assert all(f"BBANDS_20_2_2_0_{band}band" in columns[len(plain) :] for band in ("upper", "middle", "lower"))
    assert "`BBANDS_20_2_2_0_upperband`" in PAGES["EVENTS.md"]


def test_the_summary_has_the_keys_that_its_page_names(store: Path) -> None:
    documented = [
        key for keys, _ in rows_after("EVENTS.md", "| key | value |") for key in re.findall(r"`(\w+)`", keys)
    ]
    config = {
        "backtest_config": {"start_date": "2024-07-03", "end_date": "2024-07-03"},
        "session_data_config": {"symbols": ["ALFA"]},
    }
    system = SystemManager(SessionConfig.from_dict(config), data_manager=DataManager(store))
    system.run()
    assert set(documented) == set(system.summary())


def _keys(schema: Mapping[str, Any]) -> Iterator[str]:
    for part in (schema, *schema.get("$defs", {}).values()):
        yield from part.get("properties", {})


def test_every_key_of_a_configuration_is_explained() -> None:
    named = set(re.findall(r"`([\w$.\[\]]+)`", PAGES["CONFIGURATION.md"]))
    words = {word for name in named for word in re.split(r"[.\[\]]+", name)}
    headings = set(re.findall(r"^#+ (\w+)", PAGES["CONFIGURATION.md"], re.MULTILINE))
    prose = set(re.findall(r'"(open|close)": "HH:MM"', PAGES["CONFIGURATION.md"]))
    assert set(_keys(config_schema())) - words - headings - prose == set()


def test_the_floors_are_those_of_the_linter() -> None:
    contracts = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["tool"]["importlinter"]["contracts"]
    layers = next(contract["layers"] for contract in contracts if contract["type"] == "layers")
    expected = [{part.strip().removeprefix("mismartera.") for part in layer.split("|")} for layer in layers]
    shown = [
        set(re.findall(r"`(\w+)`", cells[1])) for cells in rows_after("DESIGN.md", "| floor | package | holds |")
    ]
    assert shown == expected


def test_links_between_pages_lead_somewhere() -> None:
    for page, text in PAGES.items():
        folder = ROOT if page == "README.md" else DOCS
        for target in re.findall(r"\]\((?!https?://|#)([^)#]+)", text):
            assert (folder / target).exists(), f"{page} links to {target}"


def test_named_modules_exist() -> None:
    package = ROOT / "src" / "mismartera"
    for page, text in PAGES.items():
        for name in re.findall(
            r"\b(?:bars|catalog|config|feeds|indicators|live|report|session|sweeps|system|testing|timing)/[\w/]+\.py",
            text,
        ):
            assert (package / name).exists(), f"{page} names {name}"
