"""W7: a session whose bars come an instant at a time, as in live mode; nothing is known ahead.

The gate, the fence, the isolation of strategies and the reads are those of every session. What a feed does,
decoding its messages, is not measured: each instant's columns are ready when it comes.
"""

from __future__ import annotations

import math
import time
from collections.abc import Iterator, Sequence
from datetime import date
from statistics import median
from typing import Any, cast

import numpy as np
from numpy.typing import NDArray

from benchmarks.case import Measured, Task, symbol_names
from benchmarks.engine import SMA, Derived, DerivedSlices, LoadMeter
from benchmarks.measure import Watch
from mismartera import Bar, DataManager, SessionData, Strategy, TimeManager
from mismartera.bars import BarBlock, SeriesInfo, parse_interval
from mismartera.bars.instants import MINUTE_US
from mismartera.indicators import resolve_indicator
from mismartera.session.analysis import AnalysisEngine
from mismartera.session.arrivals import Arrivals
from mismartera.session.arriving import ArrivingTape
from mismartera.session.delivery import Delivery
from mismartera.session.gate import Gate
from mismartera.session.inbox import Inbox
from mismartera.session.increment import IncrementalProcessor
from mismartera.session.publisher import Publisher
from mismartera.session.state import SessionState
from mismartera.session.strategy import StrategySession
from mismartera.session.strategy_run import StrategyRun
from mismartera.session.streamer import Streamer
from mismartera.session.symbols import SymbolRegistry
from mismartera.timing import TradingSession

STREAMS = tuple(map(parse_interval, ("1m", "5m", "15m")))
THRESHOLD_US, CHECK_INTERVAL = 60_000_000, 10
Instant = tuple[int, NDArray[np.int64], NDArray[np.float64]]


class Reads:
    """``self.session`` of the strategies here: the gated reads that they use."""

    def __init__(self, data: SessionData) -> None:
        self.indicator = data.get_indicator


class Stopwatch(Derived):
    """One symbol: how long a bar takes from its arrival to ``on_bar``, on the wall."""

    def __init__(self) -> None:
        super().__init__()
        self.arrived = 0.0
        self.latencies: list[float] = []

    def on_bar(self, bar: Bar) -> None:
        if bar.interval == "1m":
            self.latencies.append(time.perf_counter() - self.arrived)
        super().on_bar(bar)


class Stage:
    """The parts of a session, without a store to read from."""

    def __init__(self, strategy: Strategy) -> None:
        self.time = TimeManager("XNYS")
        # A configuration is read, and TA-Lib imported, before a session begins.
        self.spec = resolve_indicator(SMA["name"], SMA["interval"], SMA["params"], "close")  # type: ignore[arg-type]
        self.state, registry, delivery, inbox = SessionState(), SymbolRegistry(), Delivery(), Inbox()
        analysis = AnalysisEngine([strategy], delivery, _raised)
        gate = Gate(THRESHOLD_US, CHECK_INTERVAL)
        publisher = Publisher((), self.time)
        self.streamer = Streamer(
            gate, self.state, analysis, delivery, publisher, registry, inbox, self.time, scope="session"
        )
        delivery.bind_thread()
        strategy.session = cast("StrategySession", Reads(SessionData(self.state)))

    def play(
        self, session: TradingSession, symbols: Sequence[str], instants: Sequence[Instant], watch: Any
    ) -> None:
        """A session: open, each instant as it comes, close."""
        self.time.clock.advance_to(session.open_us)
        self.state.clear(session.open_us)
        processor = IncrementalProcessor(session, tuple(symbols), STREAMS[0], STREAMS, [self.spec])
        tape = ArrivingTape()
        infos = dict.fromkeys(symbols, SeriesInfo(1, session.zone))
        arrivals = Arrivals(processor, tape, self.state, infos, {symbol: k for k, symbol in enumerate(symbols)})
        self.streamer.begin(tape)
        self.streamer.open(session.close_us, is_late=False)
        ends = processor.base.block.windows.end.tolist()
        for window, owners, prices in instants:
            end_us = ends[window]
            self.time.clock.advance_to(end_us)
            watch.arrived = time.perf_counter()
            arrivals.take(window, owners, prices)
            self.streamer.show_until(end_us)
        arrivals.finish()
        self.streamer.show_until(session.close_us)
        self.streamer.close("close")


def run(task: Task) -> Measured:
    """W7. Modes: ``on_slice`` and ``on_bar``."""
    symbols = symbol_names(task.work.symbols)
    strategy: LoadMeter = DerivedSlices() if task.mode == "on_slice" else Stopwatch()
    stage, store = Stage(strategy), DataManager(task.store)
    load, cpu, wall = Watch(), 0.0, 0.0
    load_cpu = load_wall = 0.0
    for day in task.dates:
        load.restart()
        session = stage.time.get_trading_session(date.fromisoformat(day))
        instants = list(_instants(store.read_block("1m", session.open_us, session.close_us, symbols), session))
        seconds = load.seconds()
        load_cpu, load_wall = load_cpu + seconds[0], load_wall + seconds[1]
        load.restart()
        stage.play(session, symbols, instants, strategy)
        seconds = load.seconds()
        cpu, wall = cpu + seconds[0], wall + seconds[1]
    latencies = getattr(strategy, "latencies", [])
    return Measured(
        strategy.bars, strategy.closes, strategy.derived, math.fsum(strategy.smas.values()),
        cpu_seconds=cpu, wall_seconds=wall, load_cpu_seconds=load_cpu, load_wall_seconds=load_wall,
        extra={"latency_seconds": median(latencies)} if latencies else {},
    )  # fmt: skip


def _instants(block: BarBlock, session: TradingSession) -> Iterator[Instant]:
    """The day's bars, minute by minute, as a feed would hand them over."""
    minute = (block.start - session.open_us) // MINUTE_US
    order = minute.argsort(kind="stable")
    owners, prices = block.row_symbols()[order], np.stack([column[order] for column in block.columns])
    cuts = minute[order].searchsorted(np.arange(minute.max(initial=-1) + 2))
    for window in range(len(cuts) - 1):
        first, last = cuts[window], cuts[window + 1]
        if first < last:
            yield window, owners[first:last], np.ascontiguousarray(prices[:, first:last])


def _raised(run: StrategyRun, error: BaseException) -> None:
    raise RuntimeError(f"{run.name} raised") from error
