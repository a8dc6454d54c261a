"""The feed of crypto exchanges against a fake one, on a clock that runs fast."""

from __future__ import annotations

import pytest
from tests.integration.feeds.exchanges import BTC, ETH, closes, talk
from tests.integration.feeds.talks import market_bar, minutes
from tests.listening import OPEN_US

from mismartera.bars.instants import MINUTE_US, SECOND_US
from mismartera.errors import SymbolError
from mismartera.feeds import (
    BarsArrived,
    Connected,
    Feed,
    Subscribed,
    SymbolRefused,
)
from mismartera.testing.alpaca_market import MarketBar


@pytest.mark.parametrize("hides_forming", [False, True])
def test_each_candle_arrives_once_shortly_after_its_end(hides_forming: bool) -> None:
    """Bug 8: the forming one is in each answer, half full and with another close, and never comes out."""
    with talk(minutes([BTC, ETH], 6), speed=300) as t:
        t.exchange.faults.hides_forming = hides_forming
        t.start(BTC, ETH)
        t.listener.wait_until(lambda: len(t.listener.bars()) >= 10)
        feed: Feed = t.feed
        assert feed.last_data_us is not None
    kinds = [type(message) for message in t.listener.messages]
    assert kinds[:2] == [Connected, Subscribed]
    assert set(kinds[2:]) == {BarsArrived}
    assert t.listener.of(Subscribed)[0].symbols == (BTC, ETH)
    arrived = closes(t)
    for symbol in (BTC, ETH):
        mine = [row for row in arrived if row[0] == symbol]
        assert mine == [(symbol, minute, 100.5, False) for minute in range(len(mine))]
    for message in t.listener.of(BarsArrived):
        assert message.volume.tolist() == [10.0 + (message.start_us[0] - OPEN_US) // MINUTE_US]
        assert message.arrived_us >= message.start_us[-1] + MINUTE_US + 2 * SECOND_US


def test_a_candle_is_asked_for_until_it_is_there_and_then_not_before_the_next_ends() -> None:
    with talk(minutes([BTC], 5), speed=300) as t:
        t.start(BTC)
        t.listener.wait_until(lambda: len(t.listener.bars()) >= 4)
    seconds = [(request.at_us - OPEN_US) / SECOND_US % 60 for request in t.exchange.requests]
    per_minute = [int((request.at_us - OPEN_US) // MINUTE_US) for request in t.exchange.requests]
    assert all(second >= 2 for second in seconds[5:])
    assert all(per_minute.count(minute) <= 4 for minute in range(1, 4))
    assert {request.timeframe for request in t.exchange.requests} == {"1m"}


def test_the_candle_that_ended_just_before_the_subscription_comes_too_and_no_older_one() -> None:
    """Bug 7: a backfill at the same moment may be a little too early for it."""
    with talk(minutes([BTC], 100), start_us=OPEN_US + 30 * MINUTE_US + 20 * SECOND_US) as t:
        t.start(BTC)
        t.listener.wait_until(lambda: len(t.listener.bars()) >= 3)
    assert t.listener.bars()[:3] == [(BTC, 29), (BTC, 30), (BTC, 31)]


def test_a_candle_that_the_exchange_changes_comes_again_as_a_correction() -> None:
    """F09, F10."""
    changed = MarketBar(BTC, OPEN_US, 100.0, 101.0, 99.0, 100.25, 11.0, is_update=True,
                        release_us=OPEN_US + 3 * MINUTE_US)  # fmt: skip
    with talk([*minutes([BTC], 8), changed]) as t:
        t.start(BTC)
        t.listener.wait_until(lambda: (BTC, 6) in t.listener.bars())
    assert [row for row in closes(t) if row[1] == 0] == [(BTC, 0, 100.5, False), (BTC, 0, 100.25, True)]
    assert len(t.listener.bars()) == len(set(t.listener.bars())) + 1


def test_an_exchange_whose_clock_is_behind_gives_no_forming_candle_away() -> None:
    """Bug 8: by our clock the minute is over, at the exchange it is not."""
    with talk(minutes([BTC], 8), speed=120) as t:
        t.exchange.faults.clock_behind_us = 4 * SECOND_US
        t.start(BTC)
        t.listener.wait_until(lambda: (BTC, 4) in t.listener.bars())
    assert all(close == 100.5 and not correction for _, _, close, correction in closes(t))


def test_a_minute_without_trades_is_asked_for_a_few_times_and_costs_nothing() -> None:
    bars = [bar for bar in minutes([BTC], 8) if bar.start_us != OPEN_US + 3 * MINUTE_US]
    with talk(bars) as t:
        t.start(BTC)
        t.listener.wait_until(lambda: (BTC, 5) in t.listener.bars())
    assert [minute for _, minute in t.listener.bars()][:5] == [0, 1, 2, 4, 5]
    asked = [request for request in t.exchange.requests if 4 <= (request.at_us - OPEN_US) / MINUTE_US < 5]
    assert len(asked) <= 4


def test_a_candle_that_the_exchange_shows_late_is_not_lost() -> None:
    late = MarketBar(BTC, OPEN_US + MINUTE_US, 100.0, 101.0, 99.0, 100.5, 5.0, release_us=OPEN_US + 4 * MINUTE_US)
    with talk([market_bar(BTC, 0), late, *minutes([BTC], 6, first=2)]) as t:
        t.start(BTC)
        t.listener.wait_until(lambda: (BTC, 6) in t.listener.bars())
    assert sorted(t.listener.bars()) == [(BTC, minute) for minute in range(7)]
    assert not any(correction for *_, correction in closes(t))


def test_unknown_markets_are_refused_with_a_hint_and_the_others_flow() -> None:
    """S07, bug 16."""
    with talk(minutes([BTC], 50), idle=(ETH,)) as t:
        t.start(BTC, "BTC/USD")
        refused = t.listener.wait_for(SymbolRefused)
        t.listener.wait_for(BarsArrived)
        with pytest.raises(SymbolError):
            t.feed.subscribe(["BTC/USDT:USDT"])
    assert refused == SymbolRefused("BTC/USD", f"fake has no market 'BTC/USD'; did you mean {BTC}, {ETH}?")
    assert t.listener.of(Subscribed)[0].symbols == (BTC,)


def test_a_symbol_that_is_dropped_and_wanted_again_at_once_is_told_of_again() -> None:
    with talk(minutes([BTC], 100)) as t:
        t.start()
        t.feed.subscribe([BTC])
        t.listener.wait_for(BarsArrived)
        t.feed.unsubscribe([BTC])
        t.feed.subscribe([BTC])
        t.listener.wait_for(Subscribed, 2)
        assert [message.symbols for message in t.listener.of(Subscribed)] == [(BTC,), (BTC,)]


def test_symbols_come_and_go_while_the_feed_runs() -> None:
    """F18."""
    with talk(minutes([BTC, ETH], 100)) as t:
        t.start()
        t.listener.wait_for(Connected)
        assert t.exchange.requests == []
        t.feed.subscribe([BTC])
        t.listener.wait_for(BarsArrived)
        t.feed.subscribe([ETH])
        t.listener.wait_until(lambda: ETH in {symbol for symbol, _ in t.listener.bars()})
        t.feed.unsubscribe([BTC])
        t.listener.wait_until(lambda: t.listener.bars()[-3:].count(t.listener.bars()[-1]) == 1)
        seen = len(t.listener.bars())
        t.listener.wait_until(lambda: len(t.listener.bars()) >= seen + 3)
    assert [message.symbols for message in t.listener.of(Subscribed)] == [(BTC,), (ETH,)]
    assert {symbol for symbol, _ in t.listener.bars()[seen + 1 :]} == {ETH}
