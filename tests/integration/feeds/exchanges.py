"""A feed of crypto candles that faces a fake exchange, and what it says."""

from __future__ import annotations

import threading
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from random import Random

from tests.listening import OPEN_US, Listener

from mismartera.bars.instants import MINUTE_US
from mismartera.feeds import (
    BarsArrived,
)
from mismartera.feeds.ccxt import CcxtFeed
from mismartera.testing.alpaca_market import AlpacaMarket, MarketBar
from mismartera.testing.ccxt_exchange import (
    FakeExchange,
)
from mismartera.timing import RehearsalClock

BTC, ETH = "BTC/USDT", "ETH/USDT"


@dataclass
class Talk:
    exchange: FakeExchange
    feed: CcxtFeed
    clock: RehearsalClock
    listener: Listener = field(default_factory=Listener)

    def start(self, *symbols: str) -> None:
        self.feed.subscribe(symbols)
        self.feed.start(self.listener.queue)

    def wait_for_minute(self, minute: float) -> None:
        self.listener.wait_until(lambda: self.clock.now_us() >= OPEN_US + minute * MINUTE_US)


@contextmanager
def talk(
    bars: Iterable[MarketBar] = (), *, speed: float = 600.0, start_us: int = OPEN_US, idle: tuple[str, ...] = (),
    bars_max: int = 200_000, pace_ms: float = 0.0,
) -> Iterator[Talk]:  # fmt: skip
    clock = RehearsalClock(start_us, speed)
    exchange = FakeExchange(AlpacaMarket(bars), clock, idle=idle, pace_ms=pace_ms)
    feed = CcxtFeed(exchange, clock, Random(1))
    threads = threading.active_count()
    try:
        yield Talk(exchange, feed, clock, Listener(bars_max))
    finally:
        feed.stop()
    assert threading.active_count() <= threads


def closes(t: Talk) -> list[tuple[str, int, float, bool]]:
    """Symbol, minute, close, and whether it was a correction, of every bar that arrived."""
    return [
        (symbol, (start - OPEN_US) // MINUTE_US, close, message.corrections)
        for message in t.listener.of(BarsArrived)
        for symbol, start, close in zip(
            message.symbols, message.start_us.tolist(), message.close.tolist(), strict=True
        )
    ]
