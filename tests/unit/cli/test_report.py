"""``run --report`` and ``report``: files, messages, exit statuses."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from tests.unit.cli.conftest import Call
from tests.unit.report.reports import bar, chart_of, event, section_of
from tests.unit.report.sessions import config, store

from mismartera import __version__


@pytest.fixture
def ready(tmp_path: Path) -> Path:
    """A folder with a store and c.json, in which BBB joins at 10:00."""
    store(tmp_path / "data", {"AAA": range(390), "BBB": range(390)})
    whole = config(["AAA"]) | {"session_name": "Two", "schedule": [{"at": "2024-07-02T10:00", "add": "BBB"}]}
    (tmp_path / "c.json").write_text(json.dumps(whole))
    return tmp_path


def lines(*records: dict[str, object]) -> str:
    return "".join(json.dumps({**record, "seq": k}) + "\n" for k, record in enumerate(records, 1))


def test_a_run_leaves_a_report_of_itself(call: Call, ready: Path) -> None:
    done = call("run", "c.json", "--report", "a report.html", "--quiet")
    assert done.status == 0
    text = (ready / "a report.html").read_text("utf-8")
    assert "mismartera run c.json --report 'a report.html' --quiet" in section_of(text, "Provenance")
    assert f"mismartera {__version__}" in section_of(text, "Provenance")
    assert section_of(text, "Counts that balance").count("balances") == 3
    assert chart_of(text)["zone"] == "America/New_York"
    assert [path.name for path in ready.iterdir() if "partial" in path.name] == []


def test_an_events_file_gives_the_same_charts_as_the_run(call: Call, ready: Path) -> None:
    call("run", "c.json", "--report", "r.html", "--events", "e.jsonl", "--dump", "dump", "--quiet")
    assert call("report", "e.jsonl", "--config", "c.json").status == 0
    of_run, of_events = (chart_of((ready / name).read_text("utf-8")) for name in ("r.html", "e.html"))
    assert of_run == of_events


def test_a_dump_draws_what_was_passed_over_too(call: Call, ready: Path) -> None:
    call("run", "c.json", "--events", "e.jsonl", "--dump", "dump", "--quiet")
    assert call("report", "e.jsonl", "--dump", "dump", "--out", "d.html").status == 0
    symbols = chart_of((ready / "d.html").read_text("utf-8"))["symbols"]
    assert [(one["name"], one["bars"]) for one in symbols] == [("AAA", 390), ("BBB", 390)]


def test_a_summary_brings_the_counts(call: Call, ready: Path) -> None:
    done = call("run", "c.json", "--events", "e.jsonl", "--json")
    (ready / "s.json").write_text(done.out)
    assert call("report", "e.jsonl", "--summary", "s.json").status == 0
    assert "balances" in section_of((ready / "e.html").read_text("utf-8"), "Counts that balance")


def test_a_run_that_fails_leaves_a_report_that_says_so(call: Call, ready: Path) -> None:
    (ready / "boom.py").write_text(
        "from mismartera import Strategy\n\n\nclass Boom(Strategy):\n    def on_bar(self, bar):\n"
        "        raise ValueError('<boom>')\n"
    )
    whole = json.loads((ready / "c.json").read_text())
    whole["analysis"] = {"strategies": [{"class": "boom:Boom"}], "on_strategy_error": "stop"}
    (ready / "c.json").write_text(json.dumps(whole))
    assert call("run", "c.json", "--report", "r.html", "--quiet").status == 1
    text = (ready / "r.html").read_text("utf-8")
    assert "the run failed: strategy Boom raised ValueError: &lt;boom&gt;" in text
    assert "<boom>" not in text


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "e.jsonl is empty"),
        ("{}\nnonsense\n", "line 1: seq is null, not 1"),
        (lines(event("session_opened", date="2024-07-02")) + "nonsense\n", "line 2: not JSON"),
        (lines(event("session_opened", date="2024-07-02")) + '{"seq":2,"ev', "ends in the middle of it"),
        ("[1]\n", "an event is a JSON object: found [1]"),
        ('{"seq":1}\n{"seq":3}\n', 'event 1: unknown event null'),
        (lines(bar("AAA", 0)) + lines(bar("AAA", 1)), "line 2: seq is 1, not 2: events are missing"),
        (lines(event("from_the_future")), 'unknown event "from_the_future"'),
    ],
)  # fmt: skip
def test_what_is_no_events_file_is_named_and_nothing_is_written(
    call: Call, tmp_path: Path, text: str, message: str
) -> None:
    (tmp_path / "e.jsonl").write_text(text)
    (tmp_path / "e.html").write_text("an older one")
    done = call("report", "e.jsonl")
    assert (done.status, done.out) == (2, "")
    assert message in done.err
    assert (tmp_path / "e.html").read_text() == "an older one"
    assert sorted(path.name for path in tmp_path.iterdir()) == ["e.html", "e.jsonl"]


@pytest.mark.parametrize(
    ("args", "message"),
    [
        (["report", "none.jsonl"], "the events cannot be read from none.jsonl: No such file"),
        (["report", "c.json", "--out", "c.json"], "--out c.json would be written over the events"),
        (["report", "c.json", "--out", "no/r.html"], "cannot be written to no/r.html: No such file"),
        (["report", "c.json", "--out", "data"], "data: it is a folder"),
        (["run", "c.json", "--report", "no/r.html"], "cannot be written to no/r.html: No such file"),
        (["run", "c.json", "--report", "data"], "data: it is a folder"),
        (["report", "e.jsonl", "--dump", "none"], "the dump cannot be read from none: No such file"),
        (["report", "e.jsonl", "--dump", "data"], "data is no dump"),
        (["report", "e.jsonl", "--summary", "c.json"], "c.json is no summary"),
        (["report", "e.jsonl", "--config", "none.json"], "none.json"),
    ],
)
def test_a_file_that_cannot_be_used_is_named_before_anything_begins(
    call: Call, ready: Path, args: list[str], message: str
) -> None:
    (ready / "e.jsonl").write_text(lines(event("session_opened", date="2024-07-02")))
    before = sorted(path.name for path in ready.iterdir())
    done = call(*args)
    assert done.status == 2
    assert message in done.err
    assert sorted(path.name for path in ready.iterdir()) == before


def test_a_session_that_the_journal_does_not_have_is_named(call: Call, ready: Path) -> None:
    status, _, err = call("report", "last", "--data", str(ready / "nowhere"))
    assert status == 2
    assert "there is no journal" in err
    status, _, err = call("report", "7", "--dump", "d")
    assert status == 2
    assert "a journal has it all" in err
