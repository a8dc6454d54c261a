"""The report as a document: what it says, what it escapes, how large it may be."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
from tests.sources import ROOT
from tests.unit.report.reports import (
    ABOUT,
    CLOSE,
    HOSTILE,
    OPEN,
    bar,
    chart_of,
    document,
    event,
    section_of,
    write_events,
)

from mismartera.errors import DataError
from mismartera.report.document.about import About, versions
from mismartera.report.document.build import build_report
from mismartera.report.document.digest import CANDLES_MAX, CHARTS_MAX
from mismartera.report.document.event_names import EVENT_FIELDS
from mismartera.report.document.reading import read_events


@pytest.fixture(scope="module")
def of_a_run(tmp_path_factory: pytest.TempPathFactory) -> str:
    """The report of a run on real events, with all that a run knows."""
    events, system = write_events(tmp_path_factory.mktemp("run"))
    about = About(
        title="A run", source="test", config=system.config.to_dict(), summary=system.summary(),
        versions=versions(),
        command="mismartera run 'a b.json'",
    )  # fmt: skip
    return build_report(read_events(events), about)


def test_the_counts_balance(of_a_run: str) -> None:
    said = section_of(of_a_run, "Counts that balance")
    assert said.count("balances") == 4, "three symbols and all of them"
    assert "off by" not in said


def test_gaps_are_in_the_half_hours_in_which_they_are(of_a_run: str) -> None:
    said = section_of(of_a_run, "Quality by time of day").replace("||", "|")
    row = re.search(r"BBB\|([0-9|]+)", said)
    assert row is not None
    cells = [int(cell) for cell in row[1].split("|") if cell]
    assert cells == [100, 100, 100, 33, 0, 0, 33, *[100] * 6]


def test_a_join_is_told_on_the_ribbon_and_on_the_chart(of_a_run: str) -> None:
    chart = next(one for one in chart_of(of_a_run)["symbols"] if one["name"] == "CCC")
    assert [mark[1] for mark in chart["marks"]] == ["added", "loaded"]
    assert [mark[1] for mark in chart_of(of_a_run)["marks"]] == ["deactivated", "activated"]
    assert 's-catching_up"><title>14:00:00 catching up (lag, lag 1,740 s of CCC)' in of_a_run
    assert 'm-added"><title>14:00:00 CCC added' in of_a_run


def test_versions_store_and_command_are_told(of_a_run: str) -> None:
    said = section_of(of_a_run, "Provenance")
    for name in ("mismartera", "Python", "polars", "deltalake", "TA-Lib"):
        assert re.search(rf"{name} \d", said)
    assert "Store version||1|" in said
    assert "mismartera run 'a b.json'" in said
    assert '"catchup_threshold_seconds": 60' in said


def test_what_the_events_do_not_tell_is_said_to_be_missing() -> None:
    said = document(event("session_opened", date="2024-07-02"), bar("AAA", 0))
    for title in ("Counts that balance", "Provenance"):
        assert "not in the events file" in section_of(said, title)


def test_no_text_of_an_event_becomes_markup() -> None:
    said = document(
        event("session_opened", date=HOSTILE),
        event("symbol_pending", symbol=HOSTILE, reason=HOSTILE),
        event("symbol_failed", symbol=HOSTILE, reason=HOSTILE),
        event("session_deactivated", symbol=HOSTILE, reason=HOSTILE, lag_seconds=5.0),
        event("session_state", **{"from": HOSTILE, "to": HOSTILE, "reason": HOSTILE}),
        bar(HOSTILE, 0), bar("AAA", 1, interval="5m"),
        event("signal", strategy=HOSTILE, name=HOSTILE, value=HOSTILE),
        event("strategy_error", strategy=HOSTILE, error=HOSTILE),
        event("feed_subscribed", symbols=[HOSTILE]),
        about=About(title=HOSTILE, source=HOSTILE, ending=HOSTILE, command=HOSTILE, versions={HOSTILE: HOSTILE},
                    config={"session_data_config": {"streaming": {"catchup_threshold_seconds": 1}}, "x": HOSTILE}),
    )  # fmt: skip
    assert "<img" not in said
    assert "<script>alert" not in said
    assert said.count("</script>") == said.count("<script") == 3
    assert "<!--" not in said.replace(_library(), "")
    assert HOSTILE in [one["name"] for one in chart_of(said)["symbols"]], "and yet it is there"


def test_nothing_is_fetched_and_only_our_scripts_may_run(of_a_run: str) -> None:
    policy = re.search(r'Content-Security-Policy" content="([^"]*)"', of_a_run)
    assert policy is not None
    assert "default-src &#x27;none&#x27;" in policy[1]
    assert policy[1].count("sha256-") == 2
    assert "unsafe-inline" not in policy[1].partition("script-src")[2].partition(";")[0]
    assert not re.search(r'(?:src|action|data)="', of_a_run.replace(_library(), ""))
    assert "TradingView" in of_a_run, "the attribution stays"


def test_the_document_without_data_is_small(of_a_run: str) -> None:
    assert len(document().encode()) < 300_000
    assert len(of_a_run.encode()) < 1_000_000


def test_the_data_of_a_large_run_are_bounded_and_it_is_said_what_is_left_out() -> None:
    symbols = [f"S{k}" for k in range(CHARTS_MAX + 5)]
    records = (bar(symbol, minute) for minute in range(300) for symbol in symbols)
    said = document(event("session_opened", date="2024-07-02"), *records)
    assert len(chart_of(said)["symbols"]) == CHARTS_MAX
    assert f"The first {CHARTS_MAX} of {CHARTS_MAX + 5} symbols with bars are shown." in said
    assert len(said.encode()) < 2_000_000


def test_a_long_series_is_drawn_in_coarser_candles_that_lose_nothing() -> None:
    minutes = [m for m in range(CANDLES_MAX + 1) if m < 620]
    chart = chart_of(document(event("session_opened", date="2024-07-02"), *(bar("AAA", m) for m in minutes)))
    one = chart["symbols"][0]
    assert (one["step"], one["bars"]) == ("5 min", CANDLES_MAX + 1)
    assert sum(one["v"]) == 100 * one["bars"]
    assert (one["o"][1], one["h"][1], one["c"][1]) == (15, 21, 20), "five minutes: first, highest, last"


def test_the_finest_interval_is_drawn() -> None:
    chart = chart_of(document(bar("AAA", 0), bar("AAA", 0, interval="5m"), bar("AAA", 1)))
    assert chart["symbols"][0]["interval"] == "1m"
    assert chart["symbols"][0]["v"] == [100, 100]


def test_a_revision_changes_its_candle() -> None:
    changed = bar("AAA", 0) | {"event": "revision", "close": 11.5}
    chart = chart_of(document(bar("AAA", 0), bar("AAA", 1), changed))
    assert chart["symbols"][0]["c"] == [11.5, 12]


def test_lag_over_time_keeps_the_highest_of_each_second() -> None:
    chart = chart_of(document(bar("AAA", 0), bar("BBB", 0, lag=30.0), bar("AAA", 1)))
    assert [value for _, value in chart["lag"]] == [0, 30, 0]


@pytest.mark.parametrize(
    ("record", "message"),
    [
        (
            {"event": "nonsense", "time": OPEN},
            'event 1: unknown event "nonsense".*another version.*session_opened',
        ),
        ({"time": OPEN}, "unknown event null"),
        (event("session_opened"), 'session_opened has no "date"'),
        (event("session_opened", "yesterday", date="x"), "session_opened cannot be understood"),
        (bar("AAA", 0) | {"close": "11"}, "a price or volume is no number"),
        (bar("AAA", 0) | {"interval": "1 minute"}, "interval '1 minute' is not supported"),
        (bar("AAA", 0) | {"lag_seconds": -1.0}, "a lag is not negative"),
        (
            event("gap", CLOSE, symbol="A", interval="1m", missing=1, **{"from": CLOSE, "to": OPEN}),
            "gap cannot be",
        ),
    ],
)
def test_what_is_no_event_of_this_version_is_named(record: dict[str, Any], message: str) -> None:
    with pytest.raises(DataError, match=message):
        build_report([record], ABOUT)


def test_every_documented_event_is_known_with_its_fields() -> None:
    text = (ROOT / "docs" / "EVENTS.md").read_text("utf-8")
    rows = re.findall(r"^\| (`[a-z_`, ]+`) \| (.*?) \|", text, re.MULTILINE)
    told = {
        name: set(re.findall(r"`(\w+)`", fields))
        for names, fields in rows
        for name in re.findall(r"`(\w+)`", names)
    }
    for name, fields in EVENT_FIELDS.items():
        assert name in told, f"{name} is not in EVENTS.md"
        assert set(fields) <= told[name], name


def _library() -> str:
    path: Path = ROOT / "src" / "mismartera" / "assets" / "lightweight-charts.standalone.production.js"
    return path.read_text("utf-8").strip()
