"""NautilusTrader 1.221: bars labelled at their close, one ``add_data`` call, no matching of bars, no log."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from nautilus_trader.backtest.engine import BacktestEngine, BacktestEngineConfig
from nautilus_trader.common.config import LoggingConfig
from nautilus_trader.data.config import DataEngineConfig
from nautilus_trader.indicators import SimpleMovingAverage
from nautilus_trader.model.currencies import USD
from nautilus_trader.model.data import Bar, BarType
from nautilus_trader.model.enums import AccountType, OmsType
from nautilus_trader.model.identifiers import TraderId, Venue
from nautilus_trader.model.objects import Money
from nautilus_trader.test_kit.providers import TestInstrumentProvider
from nautilus_trader.trading.strategy import Strategy

from benchmarks.case import Measured, Task
from benchmarks.measure import Watch, serve
from benchmarks.peers.columns import PRICES, by_symbol

MINUTE_NS = 60_000_000_000


class Minutes(Strategy):
    """W1."""

    def __init__(self, symbols: list[str]) -> None:
        super().__init__()
        self.symbols = symbols
        self.bars = self.derived = 0
        self.closes = 0.0
        self.smas: dict[str, float] = {}

    def on_start(self) -> None:
        for symbol in self.symbols:
            self.subscribe_bars(minute_type(symbol))

    def on_bar(self, bar: Bar) -> None:
        self.bars += 1
        self.closes += bar.close.as_double()


class Derived(Minutes):
    """W2: derived bars of the engine's own aggregation, and its indicator fed by registration."""

    def on_start(self) -> None:
        super().on_start()
        self.minute_types = {minute_type(symbol) for symbol in self.symbols}
        self.averages: dict[BarType, tuple[str, SimpleMovingAverage]] = {}
        for symbol in self.symbols:
            five, fifteen = (derived_type(symbol, minutes) for minutes in (5, 15))
            average = SimpleMovingAverage(20)
            self.averages[five.standard()] = (symbol, average)
            self.register_indicator_for_bars(five, average)
            self.subscribe_bars(five)
            self.subscribe_bars(fifteen)

    def on_bar(self, bar: Bar) -> None:
        kind = bar.bar_type
        if kind in self.minute_types:
            self.bars += 1
            self.closes += bar.close.as_double()
            return
        self.derived += 1
        found = self.averages.get(kind)
        if found is not None and found[1].initialized:
            self.smas[found[0]] = found[1].value


def minute_type(symbol: str) -> BarType:
    """One-minute bars from outside."""
    return BarType.from_str(f"{symbol}.XNYS-1-MINUTE-LAST-EXTERNAL")


def derived_type(symbol: str, minutes: int) -> BarType:
    """Bars that the engine makes of them."""
    return BarType.from_str(f"{symbol}.XNYS-{minutes}-MINUTE-LAST-INTERNAL@1-MINUTE-EXTERNAL")


def make_engine() -> BacktestEngine:
    """An engine without what no workload needs."""
    engine = BacktestEngine(
        BacktestEngineConfig(
            trader_id=TraderId("BENCH-001"),
            logging=LoggingConfig(bypass_logging=True),
            data_engine=DataEngineConfig(time_bars_build_with_no_updates=False, time_bars_build_delay=0),
            run_analysis=False,
        )
    )
    engine.add_venue(
        Venue("XNYS"), OmsType.NETTING, AccountType.CASH,
        starting_balances=[Money(1_000_000, USD)], bar_execution=False,
    )  # fmt: skip
    return engine


def load(task: Task, engine: BacktestEngine) -> tuple[list[str], list[Any]]:
    """Instruments and bars into the engine; returns the symbols and the bars, symbol by symbol."""
    symbols: list[str] = []
    bars: list[Any] = []
    for symbol, frame in by_symbol(task):
        engine.add_instrument(TestInstrumentProvider.equity(symbol=symbol, venue="XNYS"))
        ends = frame["timestamp"].to_physical().to_numpy().astype(np.uint64) * 1_000 + MINUTE_NS
        columns = (np.ascontiguousarray(frame[name].to_numpy()).copy() for name in PRICES)
        bars += Bar.from_raw_arrays_to_list(minute_type(symbol), 2, 0, *columns, ends, ends.copy())
        symbols.append(symbol)
    engine.add_data(bars)
    return symbols, bars


def run(task: Task) -> Measured:
    """W1, W2, or W3, which has a module of its own."""
    engine = make_engine()
    if task.work.workload == "W3":
        from benchmarks.peers.join_nautilus_trader import join  # it builds on this module

        return join(task, engine)
    watch = Watch()
    symbols, _ = load(task, engine)
    load_cpu, load_wall = watch.seconds()
    strategy = (Derived if task.derived else Minutes)(symbols)
    engine.add_strategy(strategy)
    watch.restart()
    engine.run()
    cpu, wall = watch.seconds()
    return Measured(
        bars=strategy.bars,
        closes=strategy.closes,
        derived=strategy.derived if task.derived else None,
        sma=math.fsum(strategy.smas.values()) if task.derived else None,
        cpu_seconds=cpu,
        wall_seconds=wall,
        load_cpu_seconds=load_cpu,
        load_wall_seconds=load_wall,
    )


if __name__ == "__main__":
    serve(run, "nautilus_trader", "numpy", "pandas", "polars")
