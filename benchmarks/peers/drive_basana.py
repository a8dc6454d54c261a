"""basana 1.11: a queue of bar events for each symbol, and one asynchronous handler. It aggregates nothing.

Modes: ``dispatcher``, its event loop alone, and ``exchange``, with its order book as its manual drives it.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from datetime import timedelta
from decimal import Decimal

import basana as bs
from basana.backtesting.exchange import Exchange
from basana.core.event import FifoQueueEventSource

from benchmarks.case import Measured, Task
from benchmarks.measure import Watch, serve
from benchmarks.peers.columns import PRICES, by_symbol

MINUTE = timedelta(minutes=1)


class Counter:
    """W1."""

    def __init__(self) -> None:
        self.bars = 0
        self.closes = Decimal(0)

    async def on_bar(self, event: bs.BarEvent) -> None:
        self.bars += 1
        self.closes += event.bar.close


def sources(task: Task) -> Iterator[tuple[bs.Pair, FifoQueueEventSource]]:
    """A source for each symbol; prices are decimals, as its own readers make them."""
    for symbol, frame in by_symbol(task):
        pair = bs.Pair(symbol, "USD")
        prices = (map(Decimal, map(repr, frame[name].to_list())) for name in PRICES)
        events = [
            bs.BarEvent(begin + MINUTE, bs.Bar(begin, pair, *row, MINUTE))
            for begin, *row in zip(frame["timestamp"].to_list(), *prices, strict=True)
        ]
        yield pair, FifoQueueEventSource(events=events)


def run(task: Task) -> Measured:
    """W1."""
    watch = Watch()
    dispatcher = bs.backtesting_dispatcher()
    counter = Counter()
    exchange = None
    if task.mode == "exchange":
        exchange = Exchange(dispatcher, initial_balances={"USD": Decimal(1_000_000)})
    for pair, source in sources(task):
        if exchange is None:
            dispatcher.subscribe(source, counter.on_bar)
        else:
            exchange.add_bar_source(source)
            exchange.subscribe_to_bar_events(pair, counter.on_bar)
    load_cpu, load_wall = watch.seconds()
    watch.restart()
    asyncio.run(dispatcher.run())
    cpu, wall = watch.seconds()
    return Measured(
        counter.bars, float(counter.closes), cpu_seconds=cpu, wall_seconds=wall,
        load_cpu_seconds=load_cpu, load_wall_seconds=load_wall,
    )  # fmt: skip


if __name__ == "__main__":
    serve(run, "basana", "polars")
