"""An exchange that is away, crowded, mute or odd: each trouble ends in candles, or in a stated failure."""

from __future__ import annotations

from random import Random

import pytest
from tests.integration.feeds.exchanges import BTC, ETH, closes, talk
from tests.integration.feeds.talks import market_bar, minutes
from tests.listening import OPEN_US, Listener

from mismartera.bars.instants import MINUTE_US
from mismartera.feeds import (
    BarsArrived,
    Connected,
    Disconnected,
    FeedFailed,
    FeedWarning,
    Rejected,
    Subscribed,
    SymbolRefused,
)
from mismartera.testing.alpaca_market import MarketBar
from mismartera.testing.ccxt_exchange import (
    AuthenticationError,
    BadSymbol,
    ExchangeError,
    ExchangeNotAvailable,
    NetworkError,
    RateLimitExceeded,
)


@pytest.mark.parametrize("error", [NetworkError, ExchangeNotAvailable, ConnectionResetError])
def test_an_exchange_that_cannot_be_reached_at_first_is_tried_again_with_growing_waits(
    error: type[Exception],
) -> None:
    """F04, F06; and the clock of a rehearsal stands until it is reached."""
    with talk(minutes([BTC], 100)) as t:
        t.exchange.faults.errors = [error("no route") for _ in range(5)]
        t.start(BTC)
        t.listener.wait_for(Disconnected, 3)
        assert t.clock.now_us() == OPEN_US
        t.listener.wait_for(BarsArrived)
    lost = t.listener.of(Disconnected)
    assert [message.was_connected for message in lost] == [False] * 5
    assert all(0.5 * 2**k <= message.retry_in_seconds <= 2**k for k, message in enumerate(lost))
    assert lost[0].reason == f"fake: {error.__name__}: no route"


def test_an_exchange_that_goes_away_comes_back_with_all_symbols_and_what_was_missed() -> None:
    """F04, bug 6: after a break of some minutes the next answers hold what was missed."""
    with talk(minutes([BTC, ETH], 200), speed=600) as t:
        t.start(BTC, ETH)
        t.listener.wait_until(lambda: len(t.listener.bars()) >= 4)
        t.exchange.faults.errors = [NetworkError("gone") for _ in range(6)]
        t.listener.wait_for(Disconnected, 6)
        t.listener.wait_for(Connected, 2)
        assert t.listener.wait_for(Subscribed, 2).symbols == (BTC, ETH)
        minute = (t.clock.now_us() - OPEN_US) // MINUTE_US
        t.listener.wait_until(lambda: {(BTC, minute), (ETH, minute)} <= set(t.listener.bars()))
    assert [message.was_connected for message in t.listener.of(Disconnected)] == [True] + [False] * 5
    for symbol in (BTC, ETH):
        mine = [minute for name, minute in t.listener.bars() if name == symbol]
        assert mine == list(range(len(mine)))


def test_an_exchange_that_was_asked_too_often_gets_the_pause_that_it_wants() -> None:
    with talk(minutes([BTC], 100)) as t:
        t.exchange.last_response_headers = {"Retry-After": "45"}
        t.exchange.faults.errors = [RateLimitExceeded("slow down")]
        t.start(BTC)
        t.listener.wait_for(BarsArrived)
    (lost,) = t.listener.of(Disconnected)
    assert lost.retry_in_seconds == 45.0


def test_requests_keep_the_pace_of_the_exchange() -> None:
    names = [f"C{k:02d}/USDT" for k in range(20)]
    with talk(minutes(names, 4), speed=60, pace_ms=1_000.0) as t:
        t.start(*names)
        t.listener.wait_until(lambda: len({symbol for symbol, _ in t.listener.bars()}) == 20)
        result = t.feed.backfill(names[:3], "1m", OPEN_US, OPEN_US + MINUTE_US)
    assert len(result.block) == 3
    assert t.listener.of(Disconnected) == []


@pytest.mark.parametrize("when", ["first", "later"])
def test_an_exchange_that_wants_an_account_fails_the_feed(when: str) -> None:
    with talk(minutes([BTC], 100)) as t:
        if when == "later":
            t.exchange.faults.symbol_errors[BTC] = AuthenticationError("apiKey required")
        else:
            t.exchange.faults.errors = [AuthenticationError("apiKey required")]
        t.start(BTC)
        failed = t.listener.wait_for(FeedFailed)
    assert "it wants an account" in failed.reason
    assert t.listener.messages[-1] == failed


def test_a_symbol_that_makes_trouble_is_told_and_given_up_while_the_others_flow() -> None:
    """Bug 16."""
    with talk(minutes([BTC, ETH], 100)) as t:
        t.exchange.faults.symbol_errors[ETH] = ExchangeError("internal error")
        t.start(ETH, BTC)
        refused = t.listener.wait_for(SymbolRefused)
        t.listener.wait_for(BarsArrived)
    assert refused == SymbolRefused(ETH, "fake: ExchangeError: internal error")
    assert [warning.text for warning in t.listener.of(FeedWarning)] == [f"{ETH}: {refused.reason}"]
    assert t.listener.of(Disconnected) == []


def test_a_symbol_that_had_candles_is_not_given_up_for_odd_answers_but_for_being_delisted() -> None:
    """F15, F21."""
    with talk(minutes([BTC], 300), speed=1200) as t:
        t.start(BTC)
        t.listener.wait_for(BarsArrived)
        t.exchange.faults.answers = [None, {"code": 1}, "<html>", 5, None, None]
        t.listener.wait_until(lambda: t.exchange.faults.answers == [])
        seen = len(t.listener.bars())
        t.listener.wait_until(lambda: len(t.listener.bars()) > seen)
        assert len(t.listener.of(FeedWarning)) == 1
        t.exchange.faults.symbol_errors[BTC] = BadSymbol("delisted")
        assert "delisted" in t.listener.wait_for(SymbolRefused).reason
    minutes_seen = [minute for _, minute in t.listener.bars()]
    assert minutes_seen == list(range(len(minutes_seen)))


def test_bad_candles_cost_themselves_alone_and_are_counted_once() -> None:
    """F13, F14, F16."""
    bad = MarketBar(BTC, OPEN_US + MINUTE_US, 100.0, 99.0, 101.0, 100.5, 5.0)
    with talk([market_bar(BTC, 0), bad, *minutes([BTC], 6, first=2)]) as t:
        t.start(BTC)
        t.listener.wait_until(lambda: (BTC, 6) in t.listener.bars())
    assert t.listener.rejected() == {"high_low_order": 1}
    assert t.listener.of(Rejected)[0].symbols == (BTC,)
    assert [minute for _, minute in t.listener.bars()][:3] == [0, 2, 3]


def test_a_mute_exchange_that_still_answers_brings_no_data_and_is_asked_anew_on_demand() -> None:
    """F01: an answer that holds nothing new is no sign of life."""
    with talk(minutes([BTC], 300), speed=600) as t:
        t.start(BTC)
        t.listener.wait_until(lambda: (BTC, 2) in t.listener.bars())
        t.exchange.faults.mute_from_us = OPEN_US + 4 * MINUTE_US
        t.wait_for_minute(8)
        assert t.feed.last_data_us is not None and t.feed.last_data_us < OPEN_US + 6 * MINUTE_US
        asked = len(t.exchange.requests)
        t.listener.wait_until(lambda: len(t.exchange.requests) > asked)
        t.exchange.faults.mute_from_us = None
        t.feed.reconnect("no data for 90 s")
        assert t.listener.wait_for(Disconnected).reason == "no data for 90 s"
        t.listener.wait_for(Connected, 2)
        t.listener.wait_until(lambda: (BTC, 10) in t.listener.bars())
    # The candle that stood still passed for finished, with its low as its close; it is corrected, and comes once.
    new = [(minute, close) for _, minute, close, is_correction in closes(t) if not is_correction]
    assert new == [(minute, 99.0 if minute == 4 else 100.5) for minute in range(len(new))]
    assert [row for row in closes(t) if row[3]] == [(BTC, 4, 100.5, True)]


def test_stop_ends_a_feed_in_any_state_and_it_may_start_again() -> None:
    """S11: never started, in back-off, while its reader is away, stopped before."""
    with talk(minutes([BTC], 300), bars_max=1) as t:
        t.feed.stop()
        t.exchange.faults.errors = [NetworkError("gone")]
        t.start(BTC)
        t.listener.wait_for(Disconnected)
        t.feed.stop()
        t.feed.start(t.listener.queue)
        t.listener.wait_for(BarsArrived)
        Listener().wait_until(lambda: t.listener.queue.waiting_bars >= 1)
        t.feed.stop()
        t.feed.stop()
        before_us = t.clock.now_us()
        t.feed.start(t.listener.queue)
        t.listener.wait_until(lambda: any(m.arrived_us > before_us for m in t.listener.of(BarsArrived)))
        assert t.listener.of(FeedFailed) == []


def test_an_exchange_that_was_left_is_asked_for_no_news_and_a_backfill_still_answers() -> None:
    with talk(minutes([BTC], 300)) as t:
        t.start(BTC)
        t.listener.wait_for(BarsArrived)
        t.feed.leave()
        seen = len(t.listener.bars())
        assert len(t.feed.backfill([BTC], "1m", OPEN_US, t.clock.now_us()).block)
        assert len(t.listener.bars()) == seen
        t.feed.start(t.listener.queue)
        t.listener.wait_until(lambda: len(t.listener.bars()) > seen)


@pytest.mark.parametrize("seed", range(3))
def test_after_any_faults_that_heal_nothing_is_missing_twice_or_made_up(seed: int) -> None:
    """I9."""
    rng = Random(seed)
    with talk(minutes([BTC, ETH], 300), speed=1200) as t:
        t.start(BTC, ETH)
        for _ in range(4):
            seen = len(t.listener.bars())
            t.listener.wait_until(lambda seen=seen: len(t.listener.bars()) >= seen + 4)  # type: ignore[misc]
            kinds: list[Exception] = [NetworkError("a"), RateLimitExceeded("b"), OSError("c")]
            t.exchange.faults.errors = [rng.choice(kinds) for _ in range(rng.randrange(4))]
            t.exchange.faults.answers = [rng.choice([None, [], [[1]], {}]) for _ in range(rng.randrange(3))]
            t.exchange.faults.repeats = rng.random() < 0.5
            t.exchange.faults.looks_from_since = rng.random() < 0.5
            if rng.random() < 0.3:
                t.feed.reconnect("the test says so")
        seen = len(t.listener.bars())
        t.listener.wait_until(lambda: len(t.listener.bars()) >= seen + 6)
    for symbol in (BTC, ETH):
        mine = [minute for name, minute in t.listener.bars() if name == symbol]
        assert mine == list(range(len(mine)))
    assert all(close == 100.5 and not correction for _, _, close, correction in closes(t))
