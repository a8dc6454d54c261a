"""A feed that talks to the fake Alpaca server over real sockets, and what it says."""

from __future__ import annotations

import threading
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from random import Random

from tests.listening import OPEN_US, Listener

from mismartera.bars.instants import MINUTE_US, SECOND_US
from mismartera.feeds import Keys, Secret
from mismartera.feeds.alpaca import AlpacaFeed
from mismartera.testing.alpaca_market import AlpacaMarket, MarketBar, MarketStatus
from mismartera.testing.alpaca_server import AlpacaServer
from mismartera.timing import RehearsalClock

KEY, SECRET = "canary-key", "canary-secret"


def market_bar(symbol: str, minute: int, close: float = 100.5, *, is_update: bool = False) -> MarketBar:
    start_us = OPEN_US + minute * MINUTE_US
    # An update comes some seconds after the bar that it replaces.
    release_us = start_us + MINUTE_US + (20 * SECOND_US if is_update else 0)
    return MarketBar(
        symbol, start_us, 100.0, 101.0, 99.0, close, 10.0 + minute, is_update=is_update, release_us=release_us
    )


def minutes(symbols: Iterable[str], count: int, first: int = 0) -> list[MarketBar]:
    return [market_bar(symbol, first + k) for k in range(count) for symbol in symbols]


@dataclass
class Talk:
    server: AlpacaServer
    feed: AlpacaFeed
    clock: RehearsalClock
    listener: Listener = field(default_factory=Listener)

    def start(self, *symbols: str) -> None:
        self.feed.subscribe(symbols)
        self.feed.start(self.listener.queue)


@contextmanager
def talk(
    bars: Iterable[MarketBar] = (), statuses: Iterable[MarketStatus] = (), *, speed: float = 600.0,
    start_us: int = OPEN_US, path: str = "/v2/iex", secret: str = SECRET, bars_max: int = 200_000,
) -> Iterator[Talk]:  # fmt: skip
    """A server with its market and a feed that is not started yet; both end with the block, and leave nothing."""
    clock = RehearsalClock(start_us, speed)
    threads = threading.active_count()
    with AlpacaServer(AlpacaMarket(bars, statuses), clock, keys=(KEY, SECRET), path=path) as server:
        keys = Keys(Secret(KEY), Secret(secret))
        feed = AlpacaFeed(server.stream_url, server.data_url, keys, clock, Random(1))
        try:
            yield Talk(server, feed, clock, Listener(bars_max))
        finally:
            feed.stop()
    assert threading.active_count() <= threads, [thread.name for thread in threading.enumerate()]
