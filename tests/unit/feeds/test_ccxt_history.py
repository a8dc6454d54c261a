"""A range of candles, page by page, whatever the exchange does."""

from __future__ import annotations

import threading
from random import Random
from typing import Any

import pytest
from tests.integration.feeds.talks import market_bar, minutes
from tests.listening import OPEN_US

from mismartera.bars.instants import DAY_US, MINUTE_US
from mismartera.errors import FeedRefusedError, FeedUnavailableError
from mismartera.feeds import BackfillResult
from mismartera.feeds.ccxt import CcxtFeed
from mismartera.testing import ccxt_exchange as fakes
from mismartera.testing.alpaca_market import AlpacaMarket, MarketBar
from mismartera.testing.ccxt_exchange import FakeExchange
from mismartera.timing import RehearsalClock

BTC = "BTC/USDT"
HOUR = 60


def facing(
    bars: list[MarketBar], *, hours: float = 2.0, speed: float = 600.0, **options: Any
) -> tuple[CcxtFeed, FakeExchange]:
    """A feed that is not started, so many hours after the open."""
    clock = RehearsalClock(OPEN_US + round(hours * 60 * MINUTE_US), speed)
    exchange = FakeExchange(AlpacaMarket(bars), clock, **options)
    return CcxtFeed(exchange, clock, Random(1)), exchange


def backfill(feed: CcxtFeed, *symbols: str, first: int = 0, last: int = HOUR) -> BackfillResult:
    return feed.backfill(symbols, "1m", OPEN_US + first * MINUTE_US, OPEN_US + last * MINUTE_US)


def rows(result: BackfillResult) -> dict[str, list[int]]:
    """The minutes of each symbol."""
    block = result.block
    starts = ((block.start - OPEN_US) // MINUTE_US).tolist()
    ends = block.offsets.tolist()
    return {symbol: starts[ends[k] : ends[k + 1]] for k, symbol in enumerate(block.symbols)}


@pytest.mark.parametrize("looks_from_since", [False, True])
@pytest.mark.parametrize("page_limit", [1, 7, 60, 500])
def test_pages_give_each_candle_once_in_order(page_limit: int, looks_from_since: bool) -> None:
    """F07: through long stretches without trades too, whether an exchange steps over them or looks into them."""
    traded = [*range(5), *range(40, 45), 59]
    feed, exchange = facing([market_bar(BTC, minute) for minute in traded], page_limit=page_limit)
    exchange.faults.looks_from_since = looks_from_since
    result = backfill(feed, BTC)
    assert rows(result) == {BTC: traded}
    assert (result.duplicates, result.conflicts, result.rejected, dict(result.refused)) == (0, 0, (), {})
    assert result.block.volume.tolist() == [10.0 + minute for minute in traded]
    assert exchange.requests[0].since_us == OPEN_US
    assert exchange.requests[0].limit == page_limit


def test_a_range_ends_before_its_end_and_before_what_is_forming() -> None:
    """Bug 8."""
    feed, _ = facing(minutes([BTC], HOUR), hours=10.5 / 60, speed=1.0)
    assert rows(backfill(feed, BTC, first=2, last=5)) == {BTC: [2, 3, 4]}
    assert rows(backfill(feed, BTC)) == {BTC: list(range(10))}
    assert rows(backfill(feed, BTC, first=5, last=5)) == {BTC: []}
    assert rows(backfill(feed, BTC, first=30, last=40)) == {BTC: []}


def test_an_idle_market_is_empty_and_an_unknown_one_refused_while_the_others_load() -> None:
    """Bug 16, S07."""
    feed, exchange = facing(minutes([BTC, "ETH/USDT"], 3), idle=("DOGE/USDT",))
    exchange.faults.symbol_errors["ETH/USDT"] = fakes.BadSymbol("delisted")
    result = backfill(feed, BTC, "BTC/USD", "DOGE/USDT", "ETH/USDT", BTC)
    assert rows(result) == {BTC: [0, 1, 2], "DOGE/USDT": []}
    assert list(result.refused) == ["BTC/USD", "ETH/USDT"]
    with pytest.raises(FeedRefusedError, match="did you mean BTC/USDT"):
        backfill(feed, "BTC/USD")


def test_repeated_and_bad_candles_of_a_page_are_counted() -> None:
    """F08, F13."""
    bad = MarketBar(BTC, OPEN_US + MINUTE_US, 100.0, 99.0, 101.0, 100.5, 5.0)
    feed, exchange = facing([market_bar(BTC, 0), bad, market_bar(BTC, 2)])
    exchange.faults.repeats = True
    result = backfill(feed, BTC)
    assert (rows(result), result.duplicates) == ({BTC: [0, 2]}, 3)
    assert [(rejected.reason, rejected.count) for rejected in result.rejected] == [("high_low_order", 1)]


def test_an_interval_is_asked_for_by_the_exchanges_own_name_or_refused() -> None:
    feed, exchange = facing(minutes([BTC], 3))
    exchange.timeframes = {"60s": 60, "5m": 300, "1w": 0}
    assert feed.backfill([BTC], "1m", OPEN_US, OPEN_US).interval == "1m"
    with pytest.raises(FeedRefusedError, match="fake has no candles of 15m: it has 60s, 5m, 1w"):
        feed.backfill([BTC], "15m", OPEN_US, OPEN_US + DAY_US)


@pytest.mark.parametrize("error", [fakes.NetworkError("a"), fakes.RateLimitExceeded("b"), OSError("c")], ids=repr)
def test_an_exchange_that_fails_for_a_while_is_asked_again_and_for_long_is_unavailable(error: Exception) -> None:
    """F06."""
    feed, exchange = facing(minutes([BTC], 3), speed=6000.0)
    exchange.faults.errors = [error] * 2
    assert rows(backfill(feed, BTC)) == {BTC: [0, 1, 2]}
    exchange.faults.errors = [error] * 9
    with pytest.raises(FeedUnavailableError, match=r"times$") as raised:
        backfill(feed, BTC)
    assert raised.value.retry_after_seconds >= 1.0


def test_an_exchange_that_wants_an_account_is_refused_and_odd_answers_cost_their_symbol() -> None:
    feed, exchange = facing(minutes([BTC, "ETH/USDT"], 3), speed=6000.0)
    exchange.faults.answers = [None, {}, "<html>"]
    result = backfill(feed, BTC, "ETH/USDT")
    assert (rows(result), list(result.refused)) == ({"ETH/USDT": [0, 1, 2]}, [BTC])
    exchange.faults.errors = [fakes.AuthenticationError("apiKey required")]
    with pytest.raises(FeedRefusedError, match="it wants an account"):
        backfill(feed, BTC)


def test_stop_ends_a_backfill_that_waits() -> None:
    """S11."""
    feed, exchange = facing(minutes([BTC], 3), speed=0.001)
    exchange.faults.errors = [fakes.NetworkError("gone")] * 9
    threading.Timer(0.05, feed.stop).start()
    with pytest.raises(FeedUnavailableError, match="the feed was stopped"):
        backfill(feed, BTC)
