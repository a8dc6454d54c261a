"""Carrying out ``mismartera data ls`` and ``mismartera data check``."""

from __future__ import annotations

import json
import os
import sys
from dataclasses import dataclass
from datetime import date

from mismartera.catalog import check_store
from mismartera.cli.opening import open_store
from mismartera.cli.status import say
from mismartera.errors import DataError, UsageError
from mismartera.report.store_tables import check_figures, listing_figures, print_check, print_listing
from mismartera.timing import TimeManager, user_cache_dir


@dataclass(frozen=True, slots=True)
class CheckOptions:
    """The options of ``mismartera data check``."""

    symbols: tuple[str, ...] | None
    calendar: str
    hours: tuple[str, str] | None
    start: date | None
    end: date | None
    as_json: bool


def list_bars(store: str, *, as_json: bool) -> None:
    """Print the store's listing."""
    data = open_store(store)
    rows = data.listing()
    if as_json:
        sys.stdout.write(json.dumps(listing_figures(rows, data.version)) + "\n")
    else:
        print_listing(rows, data.version, sys.stdout)


def check_bars(store: str, options: CheckOptions) -> None:
    """Print the quality of the store's bars."""
    data = open_store(store)
    try:
        time = TimeManager(options.calendar, hours=options.hours, cache_dir=user_cache_dir(os.environ))
    except ValueError as error:
        raise UsageError(f"--hours: {error}") from error
    known = set(data.symbols())
    unknown = [symbol for symbol in options.symbols or () if symbol not in known]
    if unknown:
        raise DataError(f"the store has no bars of {', '.join(unknown)}: 'mismartera data ls' lists what it has")
    result = check_store(data, time, options.symbols, start=options.start, end=options.end)
    if options.as_json:
        sys.stdout.write(json.dumps(check_figures(result, options.calendar, data.version)) + "\n")
        return
    print_check(result, sys.stdout)
    if result.alarms:
        days = sorted({row.date for row in result.alarms})
        shown = ", ".join(map(str, days[:5])) + (f" and {len(days) - 5} more" if len(days) > 5 else "")
        say(f"warning: there are bars on days on which {options.calendar} is closed: {shown}")
