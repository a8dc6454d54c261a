"""A feed that talks to the fake Alpaca server over real sockets, and what it says."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from random import Random
from typing import TypeVar

from mismartera.bars.instants import MINUTE_US, SECOND_US
from mismartera.feeds import BarsArrived, FeedMessage, FeedQueue, Keys, Rejected, Secret
from mismartera.feeds.alpaca import AlpacaFeed
from mismartera.testing.alpaca_market import AlpacaMarket, MarketBar, MarketStatus
from mismartera.testing.alpaca_server import AlpacaServer
from mismartera.timing import RehearsalClock

OPEN_US = 1_719_927_000 * SECOND_US  # 2024-07-02 09:30 in New York
KEY, SECRET = "canary-key", "canary-secret"
WALL_SECONDS = 15.0
"""How long a test waits for what must come; only a failing one waits that long."""

T = TypeVar("T", bound=FeedMessage)


def market_bar(symbol: str, minute: int, close: float = 100.5, *, is_update: bool = False) -> MarketBar:
    start_us = OPEN_US + minute * MINUTE_US
    # An update comes some seconds after the bar that it replaces.
    release_us = start_us + MINUTE_US + (20 * SECOND_US if is_update else 0)
    return MarketBar(
        symbol, start_us, 100.0, 101.0, 99.0, close, 10.0 + minute, is_update=is_update, release_us=release_us
    )


def minutes(symbols: Iterable[str], count: int, first: int = 0) -> list[MarketBar]:
    return [market_bar(symbol, first + k) for k in range(count) for symbol in symbols]


class Listener:
    """Reads a feed's queue; keeps every message in order."""

    def __init__(self, bars_max: int = 200_000) -> None:
        self.messages: list[FeedMessage] = []
        self.queue = FeedQueue(bars_max)

    def of(self, kind: type[T]) -> list[T]:
        self.messages += self.queue.take_all()
        return [message for message in self.messages if isinstance(message, kind)]

    def bars(self) -> list[tuple[str, int]]:
        """Symbol and minute of every bar that arrived."""
        return [
            (symbol, (start - OPEN_US) // MINUTE_US)
            for message in self.of(BarsArrived)
            for symbol, start in zip(message.symbols, message.start_us.tolist(), strict=True)
        ]

    def rejected(self) -> dict[str, int]:
        counts: dict[str, int] = {}
        for message in self.of(Rejected):
            counts[message.reason] = counts.get(message.reason, 0) + message.count
        return counts

    def wait_until(self, condition: Callable[[], bool], wall_seconds: float = WALL_SECONDS) -> None:
        """Until the messages fulfil ``condition``; fails, and shows them, if they do not in time."""
        clock = RehearsalClock(0)
        clock.begin(clock.monotonic())
        while not condition():
            assert clock.now_us() < wall_seconds * SECOND_US, f"in vain: {self.messages[-20:]}"
            self.queue.wait(0.05)

    def wait_for(self, kind: type[T], count: int = 1) -> T:
        """The ``count``-th message of ``kind``."""
        self.wait_until(lambda: len(self.of(kind)) >= count)
        return self.of(kind)[count - 1]


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
    bars: Iterable[MarketBar] = (), statuses: Iterable[MarketStatus] = (), *, speed: float = 300.0,
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
