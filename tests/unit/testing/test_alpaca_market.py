"""The fake Alpaca by itself: what its market shows when, and how its faults count."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest

from mismartera.bars.instants import MINUTE_US, SECOND_US
from mismartera.testing.alpaca_market import AlpacaFaults, AlpacaMarket, MarketBar, MarketStatus
from mismartera.testing.alpaca_rest import answer, request_of

OPEN_US = 1_719_927_000 * SECOND_US
KEYS = ("id", "secret")
LATER_US = OPEN_US + 3600 * SECOND_US


def bar(minute: int, close: float = 10.0, *, release: int | None = None, is_update: bool = False) -> MarketBar:
    start_us = OPEN_US + minute * MINUTE_US
    release_us = 0 if release is None else OPEN_US + release * MINUTE_US
    return MarketBar("A", start_us, 10.0, 11.0, 9.0, close, 5.0, is_update=is_update, release_us=release_us)


def ask(market: AlpacaMarket, faults: AlpacaFaults | None = None, now_us: int = LATER_US, **query: str) -> Any:
    text = "&".join(f"{name}={value}" for name, value in query.items())
    path = f"/v2/stocks/bars?symbols=A&timeframe=1Min&start=2024-07-02T13:30:00Z&end=2024-07-02T13:39:00Z&{text}"
    said = answer(request_of(path, KEYS), market, faults or AlpacaFaults(), now_us, KEYS)
    return said.status, msgspec.json.decode(said.body)


def minutes_of(page: Any) -> list[str]:
    return [row["t"][14:16] for row in page["bars"].get("A", [])]


def test_events_come_in_the_order_of_their_release() -> None:
    halt = MarketStatus("A", OPEN_US + 90 * SECOND_US, "H", "Trading Halt")
    market = AlpacaMarket([bar(1), bar(0)], [halt])
    assert [event.message()["T"] for event in market.events] == ["b", "s", "b"]
    assert market.symbols == frozenset({"A"})


def test_a_minute_is_known_at_its_release_and_as_it_was_released_last() -> None:
    market = AlpacaMarket([bar(0, 10.0), bar(0, 10.5, release=3, is_update=True), bar(1)])
    known = [
        [(known.close, known.is_update) for known in market.bars("A", OPEN_US, LATER_US, OPEN_US + k * MINUTE_US)]
        for k in range(4)
    ]
    assert known == [[], [(10.0, False)], [(10.0, False), (10.0, False)], [(10.5, True), (10.0, False)]]


def test_pages_follow_each_other_to_the_end() -> None:
    market = AlpacaMarket(bar(k) for k in range(5))
    _, first = ask(market, limit="2")
    _, second = ask(market, limit="2", page_token=first["next_page_token"])
    _, third = ask(market, limit="2", page_token=second["next_page_token"])
    assert [minutes_of(page) for page in (first, second, third)] == [["30", "31"], ["32", "33"], ["34"]]
    assert third["next_page_token"] is None


@pytest.mark.parametrize(
    ("faults", "status"),
    [({"bad_symbols": frozenset({"A"})}, 400), ({"rest_status": 503}, 503), ({}, 200)],
)
def test_the_service_answers_as_its_faults_say(faults: dict[str, Any], status: int) -> None:
    assert ask(AlpacaMarket([bar(0)]), AlpacaFaults(**faults))[0] == status


def test_a_stranger_is_turned_away() -> None:
    request = request_of("/v2/stocks/bars?symbols=A", ("id", "wrong"))
    assert answer(request, AlpacaMarket(), AlpacaFaults(), LATER_US, KEYS).status == 403


def test_a_counted_fault_happens_as_often_as_it_says_and_healing_ends_all() -> None:
    faults = AlpacaFaults(drop_in_frame=2, rest_status=500, errors_left=1, mute=True)
    assert [faults.take("drop_in_frame") for _ in range(3)] == [True, True, False]
    assert [faults.code("rest_status") for _ in range(2)] == [500, None]
    faults.heal()
    assert faults == AlpacaFaults()
