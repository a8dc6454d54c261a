"""The page with many symbols: what is made in the browser is bounded, whatever comes."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import pairwise
from typing import Any

import pytest
from tests.browser.conftest import PHONE, WIDE, OpenPage
from tests.browser.test_page import opened, sees
from tests.runs import config, minute_bars
from tests.server.conftest import Stand, close, make_stand

from mismartera import DataManager

SYMBOLS = ["AAA", *(f"S{k:03}" for k in range(299))]
ROW_HEIGHT, SPARE = 46, 4


@pytest.fixture(scope="module")
def crowd(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stand]:
    """A session of 300 symbols that stands at 10:00."""
    data = DataManager(tmp_path_factory.mktemp("crowd"))
    data.write_many([(symbol, "1m", minute_bars(symbol, range(40))) for symbol in SYMBOLS])
    made = make_stand(data, config(*SYMBOLS), until="10:00")
    yield made
    close(made)


def rows(page: Any) -> list[str]:
    """The symbols of the list for which there are rows."""
    found = page.locator(".row").evaluate_all("rows => rows.map(row => [row.dataset.symbol, row.offsetTop])")
    return [symbol for symbol, _ in sorted(found, key=lambda row: row[1])]


@pytest.mark.parametrize("size", [WIDE, PHONE])
def test_the_list_has_rows_for_what_can_be_seen_only(
    open_page: OpenPage, crowd: Stand, size: tuple[int, int]
) -> None:
    watched = open_page(size)
    page = opened(watched, crowd)
    sees(page, "#count", "300")
    bound = page.locator("#symbols").bounding_box()["height"] / ROW_HEIGHT + 2 * SPARE + 2
    assert rows(page) == SYMBOLS[: len(rows(page))]
    assert len(rows(page)) <= bound
    page.focus("#symbols")
    page.keyboard.press("End")
    page.wait_for_selector('.row[data-symbol="S298"][aria-selected="true"]')
    assert len(rows(page)) <= bound
    assert rows(page) == SYMBOLS[-len(rows(page)) :]
    assert page.get_attribute('.row[data-symbol="S298"]', "aria-posinset") == "300"
    page.keyboard.press("Home")
    page.wait_for_selector('.row[data-symbol="AAA"][aria-selected="true"]')
    assert rows(page) == SYMBOLS[: len(rows(page))]
    assert page.inner_text('.row[data-symbol="AAA"] .price span') == "130.00", "whosever the row was"
    assert watched.complaints == []


def test_lines_of_events_are_made_as_they_are_looked_at(open_page: OpenPage, crowd: Stand) -> None:
    page = opened(open_page(), crowd)
    sees(page, "#events", "S298")
    assert page.locator("#events li").count() == 40
    page.locator("#events-panel").evaluate("panel => { panel.scrollTop = 100; }")
    page.locator("#events li:nth-child(200)").wait_for(state="attached")
    assert page.locator("#events li").count() == 200, "and no more"
    page.locator("#events-panel").evaluate("panel => { panel.scrollTop = 0; }")
    page.locator("#events li:nth-child(41)").wait_for(state="detached")


def test_all_messages_between_two_frames_are_painted_at_once(open_page: OpenPage, crowd: Stand) -> None:
    page = opened(open_page(), crowd)
    found = page.evaluate("""async () => {
      const { Store } = await import("/static/store.js");
      const store = new Store();
      const painted = [];
      for (const name of ["list", "quote", "events"]) store.paint(name, () => painted.push(name));
      for (let seq = 1; seq <= 1500; seq += 1) {
        store.updateRows([{ symbol: "AAA", generation: 1, close: seq, end: String(seq) }], []);
        store.addEvents([{ seq, event: "signal" }]);
      }
      await new Promise((next) => requestAnimationFrame(() => requestAnimationFrame(next)));
      return { painted, spark: store.sparks.get("AAA").length, events: store.events.length };
    }""")
    assert found == {"painted": ["list", "quote", "events"], "spark": 60, "events": 1000}, "once each, and bounded"


def test_painting_that_takes_long_goes_over_several_frames(open_page: OpenPage, crowd: Stand) -> None:
    page = opened(open_page(), crowd)
    found = page.evaluate("""async () => {
      const { Store } = await import("/static/store.js");
      const store = new Store(), painted = [];
      let now = 0;
      performance.now = () => now;
      for (const name of ["slow", "slower", "last"]) store.paint(name, () => { now += 6; painted.push(name); });
      store.mark("slow", "slower", "last");
      const frames = [];
      for (let k = 0; k < 3; k += 1) {
        await new Promise(requestAnimationFrame);
        frames.push(painted.length);
      }
      return frames;
    }""")
    assert found == [1, 2, 3]


def test_what_is_out_of_sight_on_a_phone_is_made_when_it_comes_into_sight(
    open_page: OpenPage, crowd: Stand
) -> None:
    watched = open_page(PHONE)
    page = opened(watched, crowd)
    sees(page, "#count", "300")
    page.wait_for_function("document.querySelectorAll('#chart canvas').length > 0")
    assert page.locator("#events li").count() == 0, "they are below what a phone shows"
    page.locator("#events-panel").scroll_into_view_if_needed()
    sees(page, "#events", "S298")
    assert page.locator("#events li").count() == 40
    assert watched.complaints == []


def test_rows_that_change_are_painted_a_few_a_frame_and_none_is_forgotten(
    open_page: OpenPage, crowd: Stand
) -> None:
    page = opened(open_page(), crowd)
    frames = page.evaluate("""async () => {
      const { Store } = await import("/static/store.js"), { List } = await import("/static/list.js");
      const box = document.body.appendChild(document.createElement("div"));
      box.style.cssText = "position: fixed; top: 0; height: 460px; width: 360px; overflow: auto; z-index: 99";
      const store = new Store(), list = new List(store, box, () => {}, () => {});
      store.paint("list", () => list.paint());
      store.paint("rows", () => list.paintWaiting());
      const row = (k, close) => ({
        symbol: `R${k}`, generation: 1, state: "loaded", is_active: true, reason: null, intervals: ["1m"],
        close, end: String(close), caught_up: null, change_percent: 0, lag_seconds: 0, quality_percent: 100,
      });
      const rows = (close) => Array.from({ length: 10 }, (_, k) => row(k, close));
      const closes = () => [...box.querySelectorAll(".price span")].map((span) => span.textContent);
      store.setSymbols(rows(1));
      for (let k = 0; k < 5; k += 1) await new Promise(requestAnimationFrame);
      const frames = [closes()];
      store.updateRows(rows(2), []);
      for (let k = 0; k < 12; k += 1) {
        await new Promise(requestAnimationFrame);
        frames.push(closes());
        if (k === 1) store.updateRows(rows(3), []);  // before all are painted
      }
      return frames;
    }""")
    assert frames[0] == ["1.00"] * 10, "rows that are new are painted at once"
    changed = [sum(a != b for a, b in zip(*pair, strict=True)) for pair in pairwise(frames)]
    assert max(changed) <= 3
    assert frames[-1] == ["3.00"] * 10
    waited = [next(k for k, frame in enumerate(frames) if frame[place] != "1.00") for place in range(10)]
    assert max(waited) - min(waited) <= 4, "the last row waits for the others once, not for ever"


@pytest.mark.parametrize("size", [WIDE, PHONE])
def test_no_name_or_note_runs_into_what_stands_beside_it(
    open_page: OpenPage, crowd: Stand, size: tuple[int, int]
) -> None:
    page = opened(open_page(size), crowd)
    sees(page, "#count", "300")
    loose = page.evaluate("""async () => {
      const { Store } = await import("/static/store.js"), { List } = await import("/static/list.js");
      const given = document.getElementById("symbols").getBoundingClientRect();
      const box = document.body.appendChild(document.createElement("div"));
      box.style.cssText = `position: fixed; top: 0; height: 1600px; width: ${given.width}px; overflow: auto`;
      const store = new Store(), list = new List(store, box, () => {}, () => {});
      store.paint("list", () => list.paint());
      store.setSymbols(Array.from({ length: 32 }, (_, k) => ({
        symbol: "W".repeat(k + 1), generation: 1, state: "failed", is_active: true, reason: "w".repeat(k + 1),
        intervals: ["1m"], close: 1, end: "1", caught_up: null, change_percent: 0, lag_seconds: 0,
        quality_percent: 1,
      })));
      for (let k = 0; k < 5; k += 1) await new Promise(requestAnimationFrame);
      const texts = [...box.querySelectorAll(".who b, .who small")];
      if (texts.length !== 64) return [`${texts.length} texts`];
      const isCut = (node) => getComputedStyle(node).overflow === "hidden";
      const isLoose = (node) => node.scrollWidth > node.clientWidth && !isCut(node);
      return texts.filter(isLoose).map((node) => `${node.tagName} ${node.textContent.length}`);
    }""")
    assert loose == [], "what is too long for its place is cut"
