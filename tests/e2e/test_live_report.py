"""The report of a live session: of the session itself, of its replay, and from its journal."""

from __future__ import annotations

import re

import pytest
from tests.live_reports import KINDS, write_live_reports
from tests.unit.report.reports import chart_of, section_of

from mismartera import DataManager


@pytest.fixture(scope="module")
def reports(tmp_path_factory: pytest.TempPathFactory, market: DataManager) -> dict[str, str]:
    """The text of each kind."""
    written = write_live_reports(tmp_path_factory.mktemp("live"), market.path)
    return {kind: path.read_text("utf-8") for kind, path in written.items()}


def test_a_replay_and_the_journal_give_the_report_of_the_session_byte_for_byte(reports: dict[str, str]) -> None:
    """All but the command that was typed."""
    command = re.compile(r'<code class="command">mismartera (\w+) .*?</code>')
    found = {kind: command.findall(text) for kind, text in reports.items()}
    assert found == {"live": ["live"], "replay": ["replay"], "journal": ["report"]}
    assert len({command.sub("", text) for text in reports.values()}) == 1


@pytest.mark.parametrize("kind", KINDS)
def test_the_counts_of_a_live_session_balance(reports: dict[str, str], kind: str) -> None:
    said = section_of(reports[kind], "Counts that balance")
    rows = re.findall(r"\|\|(all|[A-Z]{3})\|\|([\d,]+)\|\|((?:[\d,]+\|\|){6})(\w+)", said)
    assert sorted(row[0] for row in rows) == ["AAA", "BBB", "CCC", "all"]
    for _, received, fates, verdict in rows:
        assert int(received) == sum(int(fate) for fate in fates.split("||") if fate) > 0
        assert verdict == "balances"


@pytest.mark.parametrize("kind", KINDS)
def test_the_report_of_a_live_session_needs_nothing_else(reports: dict[str, str], kind: str) -> None:
    text = reports[kind]
    outside = re.findall(r'(?:src|href|action|data)="([^"#][^"]*)"', text)
    assert [address for address in outside if not address.startswith("https://www.tradingview.com")] == []
    assert not re.search(r"@import|url\((?!['\"]?(?:data:|#))", text)
    assert len(text.encode()) < 1_000_000


def test_it_shows_what_the_session_went_through(reports: dict[str, str]) -> None:
    text = reports["journal"]
    states = section_of(text, "State of the session")
    assert "stale (stale)" in states, "the connection was away"
    assert "catching up (lag" in states, "CCC joined"
    assert [one["name"] for one in chart_of(text)["symbols"]] == ["AAA", "BBB", "CCC"]
    kinds = {one["name"]: [mark[1] for mark in one["marks"]] for one in chart_of(text)["symbols"]}
    assert kinds == {"AAA": [], "BBB": ["removed"], "CCC": ["added", "loaded"]}
    assert "1 feed_disconnected" in section_of(text, "Provenance")
