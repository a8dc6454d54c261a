"""The report in a real browser, opened from ``file://``: nothing leaves, nothing complains."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from tests.browser.conftest import PHONE, WIDE, OpenPage
from tests.live_reports import KINDS, write_live_reports
from tests.unit.report.reports import HOSTILE, bar, event, write_events

from mismartera import Bar, DataManager, Strategy
from mismartera.report.document.about import About, versions
from mismartera.report.document.build import build_report
from mismartera.report.document.reading import read_events


class Hostile(Strategy):
    def on_bar(self, bar: Bar) -> None:
        self.session.emit(HOSTILE, bar.close)
        raise ValueError(HOSTILE)


@pytest.fixture(scope="module")
def report(tmp_path_factory: pytest.TempPathFactory) -> str:
    """The address of a report: CCC joins, a strategy's texts are hostile."""
    folder = tmp_path_factory.mktemp("report")
    events, system = write_events(folder, Hostile(), analysis={"on_strategy_error": "isolate"})
    about = About(title=HOSTILE, source="test", config=system.config.to_dict(), summary=system.summary(),
                  versions=versions(), command="mismartera run c.json")  # fmt: skip
    path = folder / "report.html"
    path.write_text(build_report(read_events(events), about), "utf-8")
    return path.as_uri()


def pixels(page: Any, box: str) -> int:
    """How many different colours a chart shows: an empty canvas has one."""
    script = """(box) => {
      const seen = new Set();
      for (const canvas of document.querySelectorAll(`${box} canvas`)) {
        if (!canvas.width || !canvas.height) continue;
        const data = canvas.getContext("2d").getImageData(0, 0, canvas.width, canvas.height).data;
        for (let k = 0; k < data.length; k += 4)
          if (data[k + 3]) seen.add(data[k] << 16 | data[k + 1] << 8 | data[k + 2]);
      }
      return seen.size;
    }"""
    page.wait_for_function(f"(box) => ({script})(box) > 3", arg=box)
    return int(page.evaluate(script, box))


@pytest.mark.parametrize("dark", [False, True])
@pytest.mark.parametrize("size", [WIDE, PHONE])
def test_it_opens_without_a_request_or_a_complaint(
    open_page: OpenPage, report: str, size: tuple[int, int], dark: bool
) -> None:
    seen = open_page(size, dark=dark)
    seen.page.goto(report)
    assert pixels(seen.page, "#candles") > 3
    assert pixels(seen.page, "#lag") > 3
    assert seen.requests == [report], "the file itself, and nothing else"
    assert seen.complaints == []
    assert seen.page.evaluate("document.documentElement.scrollWidth") == size[0], "nothing sticks out"
    assert seen.page.evaluate("document.querySelector('#candles canvas').clientWidth") > 0.6 * size[0]
    background = seen.page.evaluate("getComputedStyle(document.body).backgroundColor")
    assert background == ("rgb(15, 20, 27)" if dark else "rgb(246, 247, 249)")


@pytest.fixture(scope="module")
def live_reports(tmp_path_factory: pytest.TempPathFactory, market: DataManager) -> dict[str, Path]:
    return write_live_reports(tmp_path_factory.mktemp("live"), market.path)


@pytest.mark.parametrize("kind", KINDS)
def test_that_of_a_live_session_opens_without_a_request_or_a_complaint(
    open_page: OpenPage, live_reports: dict[str, Path], kind: str
) -> None:
    seen = open_page()
    seen.page.goto(live_reports[kind].as_uri())
    assert pixels(seen.page, "#candles") > 3
    assert pixels(seen.page, "#lag") > 3
    assert seen.requests == [live_reports[kind].as_uri()], "the file itself, and nothing else"
    assert seen.complaints == []
    assert seen.page.evaluate("document.documentElement.scrollWidth") == WIDE[0], "nothing sticks out"


def test_the_moments_of_a_symbol_are_those_of_its_stay(open_page: OpenPage, live_reports: dict[str, Path]) -> None:
    page = open_page().page
    page.goto(live_reports["journal"].as_uri())

    def moments(symbol: str) -> list[str]:
        page.select_option("#symbol", symbol)
        return list(page.locator("#moments b").all_inner_texts())

    assert moments("CCC") == ["added", "deactivated", "activated", "loaded"]
    assert moments("AAA") == ["deactivated", "activated"] * 3, "a late start, the drop, CCC's backlog"
    assert moments("BBB") == [*["deactivated", "activated"] * 2, "removed"]


def test_hostile_texts_are_shown_and_do_nothing(open_page: OpenPage, report: str) -> None:
    seen = open_page()
    dialogs: list[str] = []

    def refuse(dialog: Any) -> None:
        dialogs.append(dialog.message)
        dialog.dismiss()

    seen.page.on("dialog", refuse)
    seen.page.goto(report)
    assert seen.page.inner_text("h1").startswith("</script><script>alert(1)</script>")
    assert seen.page.locator("main img").count() == 0
    assert "</script>" in seen.page.inner_text("section[aria-labelledby=part-strategies]")
    assert (dialogs, seen.complaints) == ([], [])


def test_a_hostile_symbol_can_be_chosen(open_page: OpenPage, tmp_path: Path) -> None:
    path = tmp_path / "report.html"
    records = [event("session_opened", date="2024-07-02"), bar("AAA", 0), bar(HOSTILE, 0), bar(HOSTILE, 1)]
    path.write_text(build_report(records, About(title="t", source="s")), "utf-8")
    seen = open_page()
    seen.page.goto(path.as_uri())
    seen.page.fill("#find", "alert(1)")
    assert "<img src=x onerror=alert(1)>" in seen.page.inner_text("#legend")
    assert seen.page.locator("main img").count() == 0
    assert seen.complaints == []


def test_a_symbol_is_found_by_keyboard_only(open_page: OpenPage, report: str) -> None:
    page = open_page().page
    page.goto(report)
    assert page.inner_text("#legend").startswith("CCC"), "one that joined is shown first"
    for _ in range(12):
        page.keyboard.press("Tab")
        if page.evaluate("document.activeElement.id") == "find":
            break
    page.keyboard.type("bb")
    assert page.inner_text("#legend").startswith("BBB")
    page.keyboard.press("Control+a")
    page.keyboard.press("Delete")
    for wanted in ("symbol", "previous", "next"):
        page.keyboard.press("Tab")
        assert page.evaluate("document.activeElement.id") == wanted
    page.keyboard.press("Enter")
    assert page.inner_text("#legend").startswith("CCC")


def test_the_figures_of_a_chart_can_be_selected(open_page: OpenPage, report: str) -> None:
    page = open_page().page
    page.goto(report)
    page.click("text=Figures of this chart")
    page.locator("#figures tr").nth(100).wait_for(state="attached")  # they are made when it has opened
    page.evaluate("getSelection().selectAllChildren(document.querySelector('#figures tr:nth-child(2)'))")
    assert "2024" in page.evaluate("getSelection().toString()")


def test_without_scripts_all_but_the_charts_is_there(open_page: OpenPage, report: str) -> None:
    page = open_page(java_script_enabled=False).page
    page.goto(report)
    assert "balances" in page.inner_text("section[aria-labelledby=part-counts-that-balance]")
    assert "need JavaScript" in page.inner_text("section[aria-labelledby=part-candles]")
    assert page.locator("svg.row rect").count() > 1
