"""``python -m benchmarks.bus``: what the bus costs, from the bridge's hand-over of a minute to the callback.

The server is a real one, a process of its own on loopback; vendor, bridge and session share this process. Beside
it the same session on the same feed without a bus. The wire alone is measured by a listener in place of a session.
"""

from __future__ import annotations

import argparse
import shutil
import sys
import tempfile
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from random import Random

import numpy as np

from benchmarks.data import full_sessions
from benchmarks.live_stage import Market, live_config
from mismartera import Bar, DataManager, Strategy, SystemManager
from mismartera.bars import BarBlock
from mismartera.bars.instants import DAY_US, MINUTE_US, SECOND_US
from mismartera.feeds import (
    BackfillResult,
    BarsArrived,
    Connected,
    Feed,
    FeedMessage,
    FeedQueue,
    FeedSink,
    Subscribed,
)
from mismartera.feeds.nats import Bridge, BusAddress, Login, NatsFeed
from mismartera.testing.nats_server import NatsServer
from mismartera.timing import RehearsalClock

_SPEED = 300.0
"""A minute in a fifth of a second."""
_WARM = 5


class Vendor:
    """A :class:`~mismartera.feeds.port.Feed` whose minutes come when :meth:`send` is called."""

    def __init__(self, market: Market, clock: RehearsalClock) -> None:
        self.last_data_us: int | None = None
        self.sent_at: dict[int, float] = {}
        self._market = market
        self._clock = clock
        self._sink: FeedSink | None = None
        self._wanted: dict[str, None] = {}

    def start(self, sink: FeedSink) -> None:
        self._sink = sink
        self._clock.begin(self._clock.monotonic())
        self._put(Connected())
        if self._wanted:
            self._put(Subscribed(tuple(self._wanted)))

    def subscribe(self, symbols: Sequence[str]) -> None:
        self._wanted.update(dict.fromkeys(symbols))
        if self._sink is not None:
            self._put(Subscribed(tuple(symbols)))

    def unsubscribe(self, symbols: Sequence[str]) -> None:
        for symbol in symbols:
            self._wanted.pop(symbol, None)

    def backfill(self, symbols: Sequence[str], interval: str, start_us: int, end_us: int) -> BackfillResult:
        if interval == "1m":
            return BackfillResult(interval, self._market.block(symbols, start_us, end_us))
        day = np.full(len(symbols), self._market.open_us - DAY_US)
        ones = [np.ones(len(symbols)) for _ in range(5)]
        return BackfillResult(interval, BarBlock(tuple(symbols), np.arange(len(symbols) + 1), day, *ones))

    def reconnect(self, reason: str) -> None:
        raise AssertionError(f"nothing stalls here: {reason}")

    def leave(self) -> None:
        self._sink = None

    def stop(self) -> None:
        self._sink = None

    def send(self, minute: int) -> None:
        """The bars of a minute, which has ended."""
        market, start_us = self._market, self._market.open_us + minute * MINUTE_US
        starts = np.full(len(market.symbols), start_us)
        prices = np.array([table[minute] for table in market.prices])
        now_us = self._clock.now_us()
        bars = BarsArrived("1m", tuple(market.symbols), starts, prices, corrections=False, arrived_us=now_us)
        self.last_data_us = now_us
        self.sent_at[start_us] = time.perf_counter()
        self._put(bars)

    def _put(self, message: FeedMessage) -> None:
        assert self._sink is not None, "it was started"
        assert self._sink.put(message), "nothing fills the queue"


class _Notes(Strategy):
    """When the last bar of each minute was told."""

    def __init__(self) -> None:
        super().__init__()
        self.at: dict[int, float] = {}

    def on_bar(self, bar: Bar) -> None:
        if bar.interval == "1m":
            self.at[bar.start_us] = time.perf_counter()


class _Stage:
    """A market, its vendor, and a server; a bridge between if wanted."""

    def __init__(self, symbols: int, minutes: int, folder: Path) -> None:
        self.session = full_sessions(1)[0]
        self.market = Market(symbols, minutes, self.session.open_us)
        self.clock = RehearsalClock(self.session.open_us - 600 * SECOND_US, _SPEED)
        self.vendor = Vendor(self.market, self.clock)
        self.server = NatsServer(folder / "nats")
        self.folder = folder

    @contextmanager
    def bus(self) -> Iterator[Feed]:
        """The vendor's feed, through a bridge."""
        with self.server:
            address = BusAddress(self.server.url)
            bridge = Bridge(self.vendor, address, Login(), self.clock, Random(1))
            bridge.start()
            try:
                yield NatsFeed(address, Login(), self.clock, Random(2))
            finally:
                bridge.stop()

    @contextmanager
    def direct(self) -> Iterator[Feed]:
        """The vendor's feed itself."""
        yield self.vendor

    def to_strategy(self, feed: Feed, minutes: int) -> list[float]:
        """Seconds from the hand-over of each minute to the last ``on_bar`` of it."""
        notes = _Notes()
        system = SystemManager(
            live_config(list(self.market.symbols)), data_manager=DataManager(self.folder / "store"),
            strategies=[notes], feed=feed, wall=self.clock,
            until=datetime.fromtimestamp(self.session.close_us / SECOND_US, UTC),
        )  # fmt: skip
        system.start()
        try:
            self._send(minutes)
        finally:
            system.stop()
        return [notes.at[start] - sent for start, sent in self.vendor.sent_at.items() if start in notes.at][_WARM:]

    def to_sink(self, feed: Feed, minutes: int) -> list[float]:
        """The same, to the feed's sink."""
        at: dict[int, float] = {}
        is_there = threading.Event()

        class Sink(FeedQueue):
            def put(self, message: FeedMessage) -> bool:
                if isinstance(message, BarsArrived):
                    at[int(message.start_us[-1])] = time.perf_counter()
                elif isinstance(message, Subscribed):
                    is_there.set()
                return super().put(message)

        feed.subscribe(self.market.symbols)
        feed.start(Sink())
        is_there.wait(10.0)
        try:
            self._send(minutes)
        finally:
            feed.stop()
        return [at[start] - sent for start, sent in self.vendor.sent_at.items() if start in at][_WARM:]

    def _send(self, minutes: int) -> None:
        nobody = threading.Event()  # sets it: the clock alone is waited for
        for minute in range(minutes):
            due_us = self.session.open_us + (minute + 1) * MINUTE_US + SECOND_US
            while (missing_us := due_us - self.clock.now_us()) > 0:
                nobody.wait(self.clock.wall_seconds(missing_us / SECOND_US))
            self.vendor.send(minute)
        nobody.wait(0.5)


def measured(symbols: int, minutes: int, *, bus: bool, strategy: bool) -> list[float]:
    """One run of one kind, in a folder that goes away."""
    folder = Path(tempfile.mkdtemp(prefix="bus"))
    stage = _Stage(symbols, minutes, folder)
    try:
        with stage.bus() if bus else stage.direct() as feed:
            return (stage.to_strategy if strategy else stage.to_sink)(feed, minutes)
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--minutes", type=int, default=105)
    parser.add_argument("--symbols", type=int, nargs="*", default=[1, 500])
    options = parser.parse_args()
    print("| from the hand-over of a minute's bars | p50 | p99 | minutes |\n|---|---|---|---|")
    for symbols in options.symbols:
        for name, bus, strategy in (
            ("to the session's queue, over the bus", True, False),
            ("to the last `on_bar`, over the bus", True, True),
            ("to the last `on_bar`, without a bus", False, True),
        ):
            seconds = np.array(measured(symbols, options.minutes, bus=bus, strategy=strategy)) * 1e3
            if not len(seconds):
                sys.exit("nothing was delivered: is the machine at work on something else?")
            p50, p99 = np.percentile(seconds, [50, 99])
            print(f"| {symbols} symbols, {name} | {p50:.2f} ms | {p99:.2f} ms | {len(seconds)} |", flush=True)


if __name__ == "__main__":
    main()
