"""Carrying out ``mismartera data sample``."""

from __future__ import annotations

import json
import os
import sys
from datetime import date

from msgspec import Struct

from mismartera.catalog import DataManager, sample_symbols, write_sample
from mismartera.errors import UsageError
from mismartera.timing import TimeManager, user_cache_dir


class SampleOptions(Struct, frozen=True):
    """The options of ``mismartera data sample``."""

    seed: int
    symbols: int
    calendar: str
    start: date
    end: date
    as_json: bool


def generate(store: str, options: SampleOptions) -> None:
    """Write the sample into the store and say so."""
    time = TimeManager(options.calendar, cache_dir=user_cache_dir(os.environ))
    dates = time.trading_dates(options.start, options.end)
    if not dates:
        raise UsageError(f"{options.calendar} has no session from {options.start} to {options.end}")
    data = DataManager(store)
    sessions = [time.get_trading_session(day) for day in dates]
    report = write_sample(data, sessions, seed=options.seed, symbols=options.symbols)
    names = list(sample_symbols(options.symbols))
    if options.as_json:
        figures = {
            "generated": True, "seed": options.seed, "symbols": names, "dates": [day.isoformat() for day in dates],
            "rows": report.rows, "accepted": report.accepted, "duplicate": report.duplicate,
            "revised": report.revised, "rejected": report.rejected, "store_version": report.version,
        }  # fmt: skip
        sys.stdout.write(json.dumps(figures) + "\n")
        return
    shown = ", ".join(names[:8]) + (f" and {len(names) - 8} more" if len(names) > 8 else "")
    changed = f"{report.accepted:,} new, {report.duplicate:,} there already, {report.revised:,} replaced"
    sys.stdout.write(
        f"Generated {report.rows:,} one-minute bars (seed {options.seed}): made up, nobody's prices.\n"
        f"  symbols  {shown}\n"
        f"  dates    {dates[0]} to {dates[-1]}, {len(dates)} sessions of {options.calendar}\n"
        f"  store    {store}, version {report.version}: {changed}\n"
    )
