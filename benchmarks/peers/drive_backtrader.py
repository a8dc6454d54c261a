"""backtrader 1.9.78: preloaded feeds labelled at the bars' ends, vectorised indicators, no observers."""

from __future__ import annotations

import math
from typing import Any

import backtrader as bt

from benchmarks.case import Measured, Task
from benchmarks.measure import Watch, serve
from benchmarks.peers.columns import PRICES, by_symbol

MINUTE_DAYS = 1 / 1440
EPOCH_DAYS = 719_163
"""1970-01-01 as backtrader counts days."""


class ReadyFeed(bt.feed.DataBase):
    """Rows of a list: the cheapest feed there is."""

    params = (("rows", ()), ("timeframe", bt.TimeFrame.Minutes), ("compression", 1))

    def start(self) -> None:
        super().start()
        self.rest = iter(self.p.rows)

    def _load(self) -> bool:
        row = next(self.rest, None)
        if row is None:
            return False
        lines = self.lines
        lines.datetime[0], lines.open[0], lines.high[0], lines.low[0], lines.close[0], lines.volume[0] = row
        lines.openinterest[0] = 0.0
        return True


class Minutes(bt.Strategy):
    """W1: an instant at a time, with those symbols that have a bar there."""

    params = (("watch", None),)

    def __init__(self) -> None:
        self.bars = self.derived = 0
        self.closes = 0.0
        self.smas: dict[int, float] = {}
        self.load = (0.0, 0.0)
        self.minutes = [[data, 0] for data in self.of_each_symbol()[0]]

    def of_each_symbol(self) -> list[list[Any]]:
        """The feeds of one-minute bars; in W2 also those of five and of fifteen."""
        return [self.datas]

    def start(self) -> None:
        self.load = self.p.watch.seconds()
        self.p.watch.restart()

    def prenext(self) -> None:
        self.next()

    def next(self) -> None:
        for entry in self.minutes:
            data, seen = entry
            size = len(data)
            if size != seen:
                entry[1] = size
                self.bars += 1
                self.closes += data.close[0]


class Derived(Minutes):
    """W2."""

    def __init__(self) -> None:
        super().__init__()
        _, fives, fifteens = self.of_each_symbol()
        self.windows = [[data, 0, bt.indicators.SimpleMovingAverage(data, period=20)] for data in fives]
        self.windows += [[data, 0, None] for data in fifteens]

    def of_each_symbol(self) -> list[list[Any]]:
        return [self.datas[kind::3] for kind in range(3)]

    def next(self) -> None:
        super().next()
        for number, entry in enumerate(self.windows):
            data, seen, average = entry
            size = len(data)
            if size != seen:
                entry[1] = size
                self.derived += 1
                if average is not None and size >= 20:
                    self.smas[number] = average[0]


def feeds(task: Task, cerebro: Any) -> None:
    """A feed for each symbol, and for W2 its two resampled ones."""
    for symbol, frame in by_symbol(task):
        starts = frame["timestamp"].to_physical().to_numpy() / 86_400e6 + EPOCH_DAYS
        columns = [(starts + MINUTE_DAYS).tolist(), *(frame[name].to_list() for name in PRICES)]
        feed = ReadyFeed(rows=list(zip(*columns, strict=True)), name=symbol)
        cerebro.adddata(feed, name=symbol)
        if task.derived:
            for minutes in (5, 15):
                cerebro.resampledata(feed, name=symbol, timeframe=bt.TimeFrame.Minutes, compression=minutes)


def run(task: Task) -> Measured:
    """W1 or W2."""
    watch = Watch()
    cerebro = bt.Cerebro(stdstats=False, preload=True, runonce=True)
    feeds(task, cerebro)
    cerebro.addstrategy(Derived if task.derived else Minutes, watch=watch)
    (strategy,) = cerebro.run()
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
    serve(run, "backtrader", "polars")
