"""The workloads: what is run, and the figures by which all runs of one can be compared."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from benchmarks.data import make_store, session_dates, symbol_names
from mismartera import Bar, SessionConfig, Slice, Strategy, SystemManager, TimeManager

SMA = {"name": "SMA", "interval": "5m", "params": {"timeperiod": 20}}


@dataclass(frozen=True)
class Measured:
    """Seconds of one run, and what proves that it did the work: base bars, derived bars, sum of closes, last
    SMA.
    """

    cpu_seconds: float
    wall_seconds: float
    bars: int
    derived: int
    closes: float
    last_sma: float | None = None


class BarCounter(Strategy):
    """Counts bars and sums closes, bar by bar; with derived bars it reads the SMA too."""

    def on_start(self) -> None:
        self.bars = self.derived = 0
        self.closes = 0.0
        self.sma: float | None = None

    def on_bar(self, bar: Bar) -> None:
        if bar.interval == "1m":
            self.bars += 1
            self.closes += bar.close
        else:
            self.derived += 1
            if bar.interval == "5m":
                self.sma = self.session.indicator(bar.symbol, "SMA_20", "5m")


class MinuteCounter(BarCounter):
    """The same for a session of one-minute bars alone."""

    def on_bar(self, bar: Bar) -> None:
        self.bars += 1
        self.closes += bar.close


class SliceCounter(BarCounter):
    """The same by whole instants."""

    on_bar = Strategy.on_bar

    def on_slice(self, slice: Slice) -> None:
        minutes = slice.columns("1m")
        self.bars += len(minutes)
        self.closes += float(minutes.close.sum())
        self.derived += slice.size - len(minutes)


def config(symbols: int, dates: list[str], *, derived: bool) -> SessionConfig:
    """The configuration of a workload."""
    data = {
        "symbols": symbol_names(symbols),
        "streams": ["1m", "5m", "15m"] if derived else ["1m"],
        "indicators": [SMA] if derived else [],
    }
    return SessionConfig.from_dict(
        {
            "session_data_config": data,
            "backtest_config": {"start_date": dates[0], "end_date": dates[-1]},
        }
    )


def stream(folder: Path, symbols: int, days: int, make: Callable[[], BarCounter], *, derived: bool) -> Measured:
    """One backtest from the store to the strategy, load included."""
    store = make_store(folder, symbols, days)
    dates = [day.isoformat() for day in session_dates(TimeManager("XNYS"), days)]
    strategy = make()
    system = SystemManager(config(symbols, dates, derived=derived), data_manager=store, strategies=[strategy])
    wall, cpu = time.perf_counter(), time.process_time()
    system.run()
    cpu, wall = time.process_time() - cpu, time.perf_counter() - wall
    return Measured(cpu, wall, strategy.bars, strategy.derived, strategy.closes, strategy.sma)


class JoinTimer(Strategy):
    """Adds a symbol at noon and takes the time until its first bar."""

    def __init__(self, symbol: str) -> None:
        super().__init__()
        self.joining = symbol
        self.seconds = 0.0
        self.asked = 0.0

    def on_start(self) -> None:
        self.session.at("12:00", self.ask)

    def ask(self) -> None:
        self.asked = time.process_time()
        self.session.add_symbol(self.joining)

    def on_bar(self, bar: Bar) -> None:
        if bar.symbol == self.joining and not self.seconds:
            self.seconds = time.process_time() - self.asked


def join_at_noon(folder: Path, symbols: int) -> float:
    """CPU seconds from ``add_symbol`` at noon, with ``symbols`` streaming, to the new symbol's first bar."""
    store = make_store(folder, symbols + 1, 1)
    dates = [day.isoformat() for day in session_dates(TimeManager("XNYS"), 1)]
    strategy = JoinTimer(symbol_names(symbols + 1)[-1])
    SystemManager(config(symbols, dates, derived=True), data_manager=store, strategies=[strategy]).run()
    return strategy.seconds


class OpenTimer(Strategy):
    """Takes the CPU time from one session's close to the next one's open: the load of a day."""

    def on_start(self) -> None:
        self.closed = 0.0
        self.seconds: list[float] = []

    def on_session_close(self) -> None:
        self.closed = time.process_time()

    def on_session_active(self, active: bool, reason: str) -> None:
        if active and self.closed:
            self.seconds.append(time.process_time() - self.closed)


def load_day(folder: Path, symbols: int, *, derived: bool) -> float:
    """CPU seconds until the second day of a run is ready: its end of day, read, derived bars and indicators."""
    store = make_store(folder, symbols, 2)
    dates = [day.isoformat() for day in session_dates(TimeManager("XNYS"), 2)]
    strategy = OpenTimer()
    SystemManager(config(symbols, dates, derived=derived), data_manager=store, strategies=[strategy]).run()
    return strategy.seconds[0]


def empty_call_seconds(calls: int = 200_000) -> float:
    """CPU seconds of one empty Python call: the floor."""

    def nothing() -> None:
        pass

    begun = time.process_time()
    for _ in range(calls):
        nothing()
    return (time.process_time() - begun) / calls
