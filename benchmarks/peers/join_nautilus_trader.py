"""W3 with NautilusTrader: at noon its user asks a catalog for the day so far, then subscribes."""

from __future__ import annotations

import tempfile
from datetime import UTC, datetime, timedelta
from typing import Any

from nautilus_trader.backtest.engine import BacktestEngine
from nautilus_trader.indicators import SimpleMovingAverage
from nautilus_trader.model.data import Bar, BarType
from nautilus_trader.persistence.catalog import ParquetDataCatalog

from benchmarks.case import Measured, Task
from benchmarks.measure import Watch
from benchmarks.peers.drive_nautilus_trader import Derived, derived_type, load, minute_type

NOON_AFTER_OPEN = timedelta(hours=2, minutes=30)


class Joining(Derived):
    """Streams all symbols but the last, which joins at noon."""

    def __init__(self, symbols: list[str], open_us: int) -> None:
        super().__init__(symbols[:-1])
        self.joining = symbols[-1]
        self.joining_type = minute_type(self.joining)
        self.average = SimpleMovingAverage(20)
        self.opened = datetime.fromtimestamp(open_us / 1e6, UTC)
        self.watch: Watch | None = None
        self.seconds = (0.0, 0.0)
        self.joined_bars = 0
        self.first_sma: float | None = None

    def on_start(self) -> None:
        super().on_start()
        self.clock.set_time_alert("noon", self.opened + NOON_AFTER_OPEN, self.ask)

    def ask(self, _: Any) -> None:
        self.watch = Watch()
        five, fifteen = (derived_type(self.joining, minutes) for minutes in (5, 15))
        self.averages[five.standard()] = (self.joining, self.average)
        self.minute_types.add(self.joining_type)
        self.register_indicator_for_bars(five, self.average)
        self.request_aggregated_bars(
            [five, fifteen],
            start=self.opened,
            # The bar that ends now is counted in the next window too. Asked up to the moment before, it is in no
            # window at all, and the SMA is wrong.
            end=self.opened + NOON_AFTER_OPEN,
            include_external_data=True,
            update_subscriptions=True,
            callback=lambda _: self.subscribe_all(five, fifteen),
        )

    def subscribe_all(self, five: BarType, fifteen: BarType) -> None:
        for kind in (self.joining_type, five, fifteen):
            self.subscribe_bars(kind)

    def on_bar(self, bar: Bar) -> None:
        if bar.bar_type.instrument_id == self.joining_type.instrument_id:
            if self.watch is not None:
                self.seconds = self.watch.seconds()
                self.watch = None
                self.first_sma = self.average.value if self.average.initialized else None
            self.joined_bars += bar.bar_type == self.joining_type
        super().on_bar(bar)


def join(task: Task, engine: BacktestEngine) -> Measured:
    """From the alert at noon to the joining symbol's first bar."""
    with tempfile.TemporaryDirectory() as folder:
        symbols, bars = load(task, engine)
        catalog = ParquetDataCatalog(folder)
        catalog.write_data(bars[-390:])
        engine.kernel.data_engine.register_catalog(catalog)
        strategy = Joining(symbols, task.opens_us[0])
        engine.add_strategy(strategy)
        engine.run()
    assert strategy.first_sma is not None, f"{strategy.joining} was delivered before its SMA was warm"
    cpu, wall = strategy.seconds
    return Measured(
        strategy.bars - strategy.joined_bars, sma=strategy.first_sma, cpu_seconds=cpu, wall_seconds=wall
    )
