"""The page in a real browser: a symbol is added, caught up with, removed; the connection is lost and found."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

import pytest
from tests.browser.conftest import PHONE, OpenPage, Watched
from tests.runs import config
from tests.server.conftest import Stand, close, make_stand

from mismartera import DataManager
from mismartera.server.service import Binding

SMA = [{"name": "SMA", "interval": "5m", "params": {"timeperiod": 3}}]


@pytest.fixture
def stand(market: DataManager) -> Iterator[Stand]:
    made = make_stand(market, config("AAA", "FIFTEEN", streams=("1m", "5m"), indicators=SMA), until="10:00")
    yield made
    close(made)


def opened(watched: Watched, stand: Stand) -> Any:
    """The page, signed in by the address that works once, with its symbols."""
    page = watched.page
    page.goto(f"{stand.server.url}/#code={stand.desk.access.new_code().reveal()}")
    page.wait_for_selector('.row[data-symbol="AAA"]')
    page.wait_for_selector('#connection[data-state="live"]')
    return page


def sees(page: Any, selector: str, text: str) -> None:
    """Wait until ``text`` is there. (The page's policy forbids the evaluation of expressions.)"""
    page.locator(selector, has_text=text).wait_for(state="attached")


def test_a_symbol_is_added_caught_up_with_and_removed(page: Watched, stand: Stand) -> None:
    shown = opened(page, stand)
    assert "#" not in shown.url
    shown.fill("#add-name", "BBB nope")
    shown.click("#add button")
    shown.wait_for_selector('.row[data-symbol="BBB"][data-state="loaded"]')
    sees(shown, "#said", "BBB loaded")
    assert "nope failed" in shown.inner_text("#said")
    assert shown.inner_text("#chart-title") == "BBB"
    assert shown.inner_text("#last") == "230.00"
    shown.click("#remove")
    shown.wait_for_selector('.row[data-symbol="BBB"]', state="detached")
    assert stand.system.coordinator.get_loaded_symbols() == {"AAA", "FIFTEEN"}
    sees(shown, "#events", "symbol removed")
    assert page.complaints == []
    assert all(url.startswith(stand.server.url) for url in page.requests), "nothing is loaded from elsewhere"


def test_what_moves_is_shown_without_asking_again(page: Watched, stand: Stand) -> None:
    shown = opened(page, stand)
    sees(shown, "#values", "C 130.00")
    shown.click("#step")
    sees(shown, "#clock", "10:01:00")
    sees(shown, "#last", "131.00")
    sees(shown, "#values", "C 131.00")
    assert "active 100 %" in shown.get_attribute("#ribbon", "aria-label")
    assert page.complaints == []


def test_a_lost_connection_is_said_and_what_was_missed_is_caught_up_with(page: Watched, stand: Stand) -> None:
    shown = opened(page, stand)
    port = stand.server.port
    stand.server.stop()
    shown.wait_for_selector("#banner:not([hidden])")
    assert re.search(r"Stale since \d\d:\d\d:\d\d", shown.inner_text("#banner"))
    assert "stale since" in shown.inner_text("#connection")
    stand.system.coordinator.add_symbol("BBB")
    stand.system.coordinator.wait_loaded("BBB", 15)
    stand.system.run_until("10:01")
    stand.server = stand.desk.server(Binding(port=port))
    stand.server.start()
    shown.wait_for_selector('#connection[data-state="live"]')
    shown.wait_for_selector('.row[data-symbol="BBB"]')
    sees(shown, "#clock", "10:01:00")
    sees(shown, "#events", "BBB")
    assert shown.is_hidden("#banner")


def test_the_page_fits_a_phone(open_page: OpenPage, stand: Stand) -> None:
    watched = open_page(PHONE, dark=True)
    shown = opened(watched, stand)
    assert shown.evaluate("document.documentElement.scrollWidth") <= PHONE[0]
    for name in ("#add-name", "#symbols", "#chart", "#events", "#pause"):
        box = shown.locator(name).bounding_box()
        assert box["x"] >= 0 and box["x"] + box["width"] <= PHONE[0], name
    assert shown.locator("#pause").bounding_box()["height"] >= 40
    assert shown.locator(".title").bounding_box()["height"] < 60, "the name and the date are a line each"
    dark = shown.evaluate("getComputedStyle(document.body).backgroundColor")
    shown.click("#theme")
    assert shown.evaluate("getComputedStyle(document.body).backgroundColor") != dark
    assert watched.complaints == []


def test_everything_can_be_done_by_keyboard(page: Watched, stand: Stand) -> None:
    shown = opened(page, stand)
    press = shown.keyboard.press
    press("/")
    shown.keyboard.type("CCC")
    press("Enter")
    shown.wait_for_selector('.row[data-symbol="CCC"][aria-selected="true"]')
    shown.focus("#symbols")
    press("Home")
    assert shown.inner_text("#chart-title") == "AAA"
    press("ArrowDown")
    shown.wait_for_selector('.row[data-symbol="FIFTEEN"][aria-selected="true"]')
    assert shown.inner_text("#chart-title") == "FIFTEEN"
    chosen = shown.get_attribute("#symbols", "aria-activedescendant")
    assert shown.get_attribute(f"#{chosen}", "aria-posinset") == "2"
    press("Delete")
    shown.wait_for_selector('.row[data-symbol="FIFTEEN"]', state="detached")
    press(".")  # CCC's fresh bars are still to be delivered
    press(".")
    press(".")
    sees(shown, "#clock", "10:01:00")
    press("Space")
    sees(shown, "#state", "over")
    shown.focus("#tab-events")
    press("ArrowRight")
    sees(shown, "#heat-said", "symbols")
    assert page.complaints == []


def test_a_session_that_is_over_can_be_looked_at_and_says_so(page: Watched, stand: Stand) -> None:
    stand.system.resume()
    stand.system.wait()
    shown = opened(page, stand)
    assert shown.inner_text("#state") == "over: finished"
    assert shown.is_disabled("#pause")
    shown.fill("#add-name", "BBB")
    shown.click("#add button")
    sees(shown, "#said", "takes no commands any more")


def test_a09_names_and_texts_are_never_markup(page: Watched, stand: Stand) -> None:
    evil = "<img src=x onerror=document.title='taken'>"
    stand.desk.view.recent.note("signal", {"strategy": evil, "name": evil, "value": evil})
    shown = opened(page, stand)
    sees(shown, "#events", "onerror")
    assert shown.locator("#events img").count() == 0
    assert "taken" not in shown.title()


def test_moments_are_those_of_the_exchange(page: Watched, stand: Stand) -> None:
    stand.desk.view.recent.note("quiet", {"symbol": "AAA", "start": "2024-07-02T13:31:00.250000+00:00"})
    shown = opened(page, stand)
    sees(shown, "#events", "start 09:31:00")
    assert "+00:00" not in shown.inner_text("#events")


def test_without_the_code_the_token_is_asked_for(page: Watched, stand: Stand) -> None:
    shown = page.page
    shown.goto(stand.server.url)
    shown.wait_for_selector("#login[open]")
    shown.fill("#token", "wrong")
    shown.click("#login button")
    sees(shown, "#login-said", "not good")
    assert shown.locator(".row").count() == 0


def test_the_description_of_the_api_is_readable_without_the_world(page: Watched, stand: Stand) -> None:
    shown = opened(page, stand)
    shown.goto(f"{stand.server.url}/docs")
    shown.wait_for_selector("details")
    assert shown.locator("details").count() >= 15
    assert all(url.startswith(stand.server.url) for url in page.requests)
    assert page.complaints == []
