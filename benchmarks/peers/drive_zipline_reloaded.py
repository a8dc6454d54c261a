"""zipline-reloaded 3: its own minute bars (bcolz), ingested as part of the load; no benchmark, no metrics.

Nothing is aggregated there: longer bars are windows of history that the user asks for.
"""

from __future__ import annotations

import os
import tempfile
from typing import Any

import numpy as np
import pandas as pd
from zipline import run_algorithm
from zipline.data.bundles import ingest, register
from zipline.utils.calendar_utils import get_calendar

from benchmarks.case import Measured, Task, symbol_names
from benchmarks.measure import Watch, serve
from benchmarks.peers.columns import PRICES, by_symbol

BUNDLE = "benchmark"


class Counter:
    """W1: all assets' closes at each minute; a minute without a bar is NaN there."""

    def __init__(self, symbols: list[str], watch: Watch) -> None:
        self.symbols = symbols
        self.watch = watch
        self.load = (0.0, 0.0)
        self.bars = 0
        self.closes = 0.0

    def initialize(self, context: Any) -> None:
        context.assets = [context.symbol(symbol) for symbol in self.symbols]
        self.load = self.watch.seconds()
        self.watch.restart()

    def on_minute(self, context: Any, data: Any) -> None:
        closes = data.current(context.assets, "close").to_numpy()
        present = ~np.isnan(closes)
        self.bars += int(present.sum())
        self.closes += float(closes[present].sum())


def register_bundle(task: Task) -> None:
    """Tell zipline how the store's bars become a bundle of its own."""
    first, last = (pd.Timestamp(task.dates[k]) for k in (0, -1))

    def ingest_bars(_environ: Any, assets: Any, minutes: Any, days: Any, *rest: Any) -> None:
        names = symbol_names(task.work.symbols)
        sids = {name: k for k, name in enumerate(names)}
        assets.write(
            equities=pd.DataFrame(
                {"symbol": names, "asset_name": names, "exchange": "XNYS", "start_date": first,
                 "end_date": last, "auto_close_date": last + pd.Timedelta(days=30)},
                index=pd.Index(sids.values(), name="sid"),
            ),
            exchanges=pd.DataFrame([{"exchange": "XNYS", "canonical_name": "XNYS", "country_code": "US"}]),
        )  # fmt: skip
        frames = []
        for symbol, frame in by_symbol(task):
            # zipline names a minute by its end.
            ends = pd.DatetimeIndex(frame["timestamp"].to_physical().to_numpy() * 1_000 + 60_000_000_000, tz="UTC")
            bars = pd.DataFrame({name: frame[name].to_numpy() for name in PRICES}, index=ends)
            frames.append((sids[symbol], bars))
        minutes.write(frames, show_progress=False)
        days.write(((sid, _daily(bars)) for sid, bars in frames), show_progress=False)
        rest[0].write()  # adjustments: none

    register(BUNDLE, ingest_bars, calendar_name="XNYS", start_session=first, end_session=last)


def _daily(bars: pd.DataFrame) -> pd.DataFrame:
    rules = {"open": "first", "high": "max", "low": "min", "close": "last", "volume": "sum"}
    return bars.groupby(bars.index.tz_localize(None).normalize()).agg(rules)


def run(task: Task) -> Measured:
    """W1."""
    with tempfile.TemporaryDirectory() as folder:
        environ = {**os.environ, "ZIPLINE_ROOT": folder}
        watch = Watch()
        register_bundle(task)
        ingest(BUNDLE, environ=environ, show_progress=False)
        counter = Counter(symbol_names(task.work.symbols), watch)
        run_algorithm(
            start=pd.Timestamp(task.dates[0]), end=pd.Timestamp(task.dates[-1]),
            initialize=counter.initialize, handle_data=counter.on_minute, capital_base=1_000_000.0,
            data_frequency="minute", bundle=BUNDLE, trading_calendar=get_calendar("XNYS"), metrics_set="none",
            benchmark_returns=pd.Series(0.0, index=pd.DatetimeIndex(task.dates)), default_extension=False,
            environ=environ,
        )  # fmt: skip
        cpu, wall = watch.seconds()
    return Measured(
        counter.bars, counter.closes, cpu_seconds=cpu, wall_seconds=wall,
        load_cpu_seconds=counter.load[0], load_wall_seconds=counter.load[1],
    )  # fmt: skip


if __name__ == "__main__":
    serve(run, "zipline-reloaded", "numpy", "pandas", "polars")
