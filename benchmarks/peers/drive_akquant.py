"""akquant 0.3: columns into its feed, labelled at the bars' ends; its own windows and SMA.

The averages live outside the strategy: what it finds inside makes it skip each symbol's first 19 bars.
"""

from __future__ import annotations

import math

import akquant
import numpy as np

from benchmarks.case import Measured, Task, symbol_names
from benchmarks.measure import Watch, serve
from benchmarks.peers.columns import PRICES, by_symbol

MINUTE_NS = 60_000_000_000


class Averages:
    """An SMA of akquant's for each symbol."""

    def __init__(self, symbols: list[str]) -> None:
        self.of = {symbol: akquant.SMA(20) for symbol in symbols}


class Minutes(akquant.Strategy):
    """W1."""

    def __init__(self, watch: Watch, averages: Averages) -> None:
        super().__init__()
        self.watch = watch
        self.averages = averages
        self.load = (0.0, 0.0)
        self.bars = self.derived = 0
        self.closes = 0.0
        self.smas: dict[str, float] = {}

    def on_start(self) -> None:
        self.load = self.watch.seconds()
        self.watch.restart()

    def on_bar(self, bar: akquant.Bar) -> None:
        self.bars += 1
        self.closes += bar.close


class Derived(Minutes):
    """W2."""

    def __init__(self, watch: Watch, averages: Averages) -> None:
        super().__init__(watch, averages)
        self.subscribe_bars("5min", self.on_five)
        self.subscribe_bars("15min", self.on_fifteen)

    def on_five(self, bar: akquant.Bar) -> None:
        self.derived += 1
        value = self.averages.of[bar.symbol].update(bar.close)
        if value is not None:
            self.smas[bar.symbol] = value

    def on_fifteen(self, bar: akquant.Bar) -> None:
        self.derived += 1


def load(task: Task) -> akquant.DataFeed:
    """All bars in its feed."""
    feed = akquant.DataFeed()
    for symbol, frame in by_symbol(task):
        ends = frame["timestamp"].to_physical().to_numpy() * 1_000 + MINUTE_NS
        columns = (np.ascontiguousarray(frame[name].to_numpy()) for name in PRICES)
        feed.add_arrays(ends, *columns, symbol, None, None)
    feed.sort()
    return feed


def run(task: Task) -> Measured:
    """W1 or W2."""
    symbols = symbol_names(task.work.symbols)
    watch = Watch()
    feed = load(task)
    strategy = (Derived if task.derived else Minutes)(watch, Averages(symbols))
    akquant.run_backtest(
        data=feed, strategy=strategy, symbols=symbols, show_progress=False, timezone="America/New_York"
    )
    cpu, wall = watch.seconds()
    return Measured(
        bars=strategy.bars,
        closes=strategy.closes,
        derived=strategy.derived if task.derived else None,
        sma=math.fsum(strategy.smas.values()) if task.derived else None,
        cpu_seconds=cpu,
        wall_seconds=wall,
        load_cpu_seconds=strategy.load[0],
        load_wall_seconds=strategy.load[1],
    )


if __name__ == "__main__":
    serve(run, "akquant", "numpy", "pandas", "polars")
