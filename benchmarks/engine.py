"""This engine's part: a strategy for each workload, and the run that feeds it from the store."""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from statistics import median
from typing import Any

from benchmarks.case import Measured, Task, symbol_names
from benchmarks.measure import Watch, memory_bytes
from mismartera import Bar, DataManager, SessionConfig, Slice, Strategy, SystemManager

SMA_NAME = "SMA_20"
SMA = {"name": "SMA", "interval": "5m", "params": {"timeperiod": 20}}


class LoadMeter(Strategy):
    """Tells the load from the run: what passes before a session is active is its load.

    Between a session's close and the next one's open nothing else happens.
    """

    def __init__(self) -> None:
        super().__init__()
        self.watch = Watch()
        self.is_loading = True
        self.load_cpu = self.load_wall = 0.0
        self.bars = self.derived = 0
        self.closes = 0.0
        self.smas: dict[str, float] = {}

    def on_session_active(self, active: bool, reason: str) -> None:
        if active and self.is_loading:
            cpu, wall = self.watch.seconds()
            self.load_cpu += cpu
            self.load_wall += wall
            self.is_loading = False

    def on_session_close(self) -> None:
        self.is_loading = True
        self.watch.restart()


class Minutes(LoadMeter):
    """W1 bar by bar."""

    def on_bar(self, bar: Bar) -> None:
        self.bars += 1
        self.closes += bar.close


class MinuteSlices(LoadMeter):
    """W1 by instants."""

    def on_slice(self, slice: Slice) -> None:
        minutes = slice.columns("1m")
        self.bars += len(minutes)
        self.closes += float(minutes.close.sum())


class Derived(LoadMeter):
    """W2 bar by bar."""

    def on_bar(self, bar: Bar) -> None:
        if bar.interval == "1m":
            self.bars += 1
            self.closes += bar.close
            return
        self.derived += 1
        if bar.interval == "5m":
            value = self.session.indicator(bar.symbol, SMA_NAME, "5m")
            if value is not None:
                self.smas[bar.symbol] = value


class DerivedSlices(LoadMeter):
    """W2 by instants."""

    def on_slice(self, slice: Slice) -> None:
        minutes = slice.columns("1m")
        self.bars += len(minutes)
        self.closes += float(minutes.close.sum())
        self.derived += slice.size - len(minutes)
        fives = slice.columns("5m")
        if fives:
            values = zip(fives.symbols, fives.indicator(SMA_NAME).tolist(), strict=True)
            self.smas.update((symbol, value) for symbol, value in values if not math.isnan(value))


class DailyMemory(Derived):
    """W6: W2, with the resident memory at the end of each day."""

    def __init__(self) -> None:
        super().__init__()
        self.memory: list[int] = []

    def on_session_close(self) -> None:
        super().on_session_close()
        self.memory.append(memory_bytes()[0])


class NextDay(Derived):
    """W4: the last day's load, to its first bar. The bars themselves are not what is measured."""

    def on_session_active(self, active: bool, reason: str) -> None:
        """The load ends at the first bar instead."""

    def on_bar(self, bar: Bar) -> None:
        if self.is_loading:
            self.load_cpu, self.load_wall = self.watch.seconds()
            self.is_loading = False
            self.bars = 0
        super().on_bar(bar)


class Joining(Derived):
    """W3: adds a symbol at noon and takes the time from the call to the symbol's first bar."""

    def __init__(self, joining: str) -> None:
        super().__init__()
        self.joining = joining
        self.join_cpu = self.join_wall = 0.0
        self.joined_bars = 0
        self.first_sma: float | None = None
        self.join_watch: Watch | None = None

    def on_start(self) -> None:
        self.session.at("12:00", self.ask)

    def ask(self) -> None:
        self.join_watch = Watch()
        self.session.add_symbol(self.joining)

    def on_bar(self, bar: Bar) -> None:
        if bar.symbol == self.joining:
            if self.join_watch is not None:
                self.join_cpu, self.join_wall = self.join_watch.seconds()
                self.join_watch = None
            if self.first_sma is None and not bar.lag_seconds:  # one bar before it is late, but not stale
                self.first_sma = self.session.indicator(bar.symbol, SMA_NAME, "5m")
            self.joined_bars += bar.interval == "1m"
        super().on_bar(bar)


def config(task: Task, symbols: list[str], streams: list[str]) -> SessionConfig:
    """The configuration of a task."""
    return SessionConfig.from_dict(
        {
            "session_data_config": {
                "symbols": symbols,
                "streams": streams,
                "indicators": [SMA] if "5m" in streams else [],
            },
            "backtest_config": {"start_date": task.dates[0], "end_date": task.dates[-1]},
        }
    )


def run(task: Task) -> Measured:
    """Do a task's work. Modes: ``on_bar`` and ``on_slice``; of W4 ``bars`` and ``derived``."""
    names = symbol_names(task.work.symbols)
    if task.work.workload == "W3":
        return _join(task, names)
    strategy = _strategy(task)
    cpu, wall = _stream(task, strategy, names)
    if task.work.workload == "W4":
        return Measured(strategy.bars, load_cpu_seconds=strategy.load_cpu, load_wall_seconds=strategy.load_wall)
    extra: dict[str, Any] = {}
    if isinstance(strategy, DailyMemory):
        extra["memory_bytes"] = strategy.memory
    return _measured(task, strategy, cpu, wall, extra)


def _strategy(task: Task) -> LoadMeter:
    by_mode: dict[str, Callable[[], LoadMeter]] = {
        "W1 on_bar": Minutes,
        "W1 on_slice": MinuteSlices,
        "W4 bars": NextDay,
        "W4 derived": NextDay,
        "W6 on_bar": DailyMemory,
    }
    return by_mode.get(
        f"{task.work.workload} {task.mode}", DerivedSlices if task.mode == "on_slice" else Derived
    )()


def _streams(task: Task) -> list[str]:
    if task.work.workload == "W1" or task.mode == "bars":
        return ["1m"]
    return ["1m", "5m"] if task.work.workload == "W5" else ["1m", "5m", "15m"]


def _stream(task: Task, strategy: LoadMeter, symbols: list[str]) -> tuple[float, float]:
    """A backtest from the store to the strategy: its CPU and wall seconds, loads included."""
    system = SystemManager(
        config(task, symbols, _streams(task)), data_manager=DataManager(task.store), strategies=[strategy]
    )
    watch = Watch()
    strategy.watch.restart()
    system.run()
    seconds = watch.seconds()
    errors = system.summary()["strategy_errors"]
    assert not errors, f"the strategy of {task.work.label} raised: {errors}"
    return seconds


def _measured(task: Task, strategy: LoadMeter, cpu: float, wall: float, extra: dict[str, Any]) -> Measured:
    return Measured(
        bars=strategy.bars,
        closes=strategy.closes,
        derived=strategy.derived if task.derived else None,
        sma=math.fsum(strategy.smas.values()) if task.derived else None,
        cpu_seconds=cpu - strategy.load_cpu,
        wall_seconds=wall - strategy.load_wall,
        load_cpu_seconds=strategy.load_cpu,
        load_wall_seconds=strategy.load_wall,
        extra=extra,
    )


def _join(task: Task, names: list[str]) -> Measured:
    """The last of the work's symbols joins the others. Its read alone is measured afterwards, on warm files."""
    strategy = Joining(names[-1])
    _stream(task, strategy, names[:-1])
    assert strategy.first_sma is not None, f"{names[-1]} was caught up before its SMA was warm"
    store = DataManager(task.store)
    store.read_block("1m", task.opens_us[0], task.closes_us[0], names[-1:])
    reads = []
    for _ in range(9):
        begun = time.process_time()
        store.read_block("1m", task.opens_us[0], task.closes_us[0], names[-1:])
        reads.append(time.process_time() - begun)
    return Measured(
        strategy.bars - strategy.joined_bars, sma=strategy.first_sma,
        cpu_seconds=strategy.join_cpu, wall_seconds=strategy.join_wall,
        extra={"read_cpu_seconds": median(reads)},
    )  # fmt: skip
