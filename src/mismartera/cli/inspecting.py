"""Carrying out ``mismartera data ls`` and ``mismartera data check``."""

from __future__ import annotations

import json
import os
import sys
from datetime import date

from msgspec import Struct
from msgspec.structs import asdict

from mismartera.catalog import DataManager, check_store, examine, repair, vacuum
from mismartera.cli.opening import open_store
from mismartera.cli.status import FAILED, say
from mismartera.errors import DataError, UsageError
from mismartera.report.console import counted
from mismartera.report.store_tables import (
    check_figures,
    listing_figures,
    print_check,
    print_listing,
    print_vacuum,
)
from mismartera.timing import TimeManager, user_cache_dir


class CheckOptions(Struct, frozen=True):
    """The options of ``mismartera data check``."""

    symbols: tuple[str, ...] | None
    calendar: str
    hours: tuple[str, str] | None
    start: date | None
    end: date | None
    repair: bool
    as_json: bool


class VacuumOptions(Struct, frozen=True):
    """The options of ``mismartera data vacuum``."""

    older_than_seconds: float
    keep: tuple[int, ...]
    release: tuple[int, ...]
    dry_run: bool
    as_json: bool


def list_bars(store: str, *, as_json: bool) -> None:
    """Print the store's listing."""
    data = open_store(store, warn=_warn)
    rows = data.listing()
    if as_json:
        sys.stdout.write(json.dumps(listing_figures(rows, data.version)) + "\n")
    else:
        print_listing(rows, data.version, sys.stdout)


def vacuum_store(store: str, options: VacuumOptions) -> None:
    """Forget old versions, and print what was removed."""
    path = open_store(store).path
    done = vacuum(
        path, retention_seconds=options.older_than_seconds, keep=options.keep, release=options.release,
        dry_run=options.dry_run, warn=_warn,
    )  # fmt: skip
    if options.as_json:
        sys.stdout.write(json.dumps({**asdict(done), "dry_run": options.dry_run}) + "\n")
    else:
        print_vacuum(done, sys.stdout, dry_run=options.dry_run)


def _warn(text: str) -> None:
    say(f"warning: {text}")


def _verified(path: str, *, mend: bool) -> list[str]:
    """What is damaged in the store, after telling it; repaired if it is to be."""
    if mend:
        return repair(path, _warn).problems
    problems = examine(path).problems
    for problem in problems:
        _warn(problem)
    if problems:
        say("'mismartera data check --repair' takes what is damaged out of the store")
    return problems


def check_bars(store: str, options: CheckOptions) -> int:
    """Print the health of the store's files and the quality of its bars; FAILED if files are damaged."""
    problems = _verified(store, mend=options.repair) if DataManager(store).exists() else []
    damaged = bool(problems) and not options.repair
    data = open_store(store, warn=_quiet)
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
        figures = check_figures(result, options.calendar, data.version)
        told = {"damaged": problems, "repaired": bool(problems) and options.repair}
        sys.stdout.write(json.dumps(figures | told) + "\n")
        return FAILED if damaged else 0
    print_check(result, sys.stdout)
    if problems:
        state = "damaged" if damaged else "repaired"
        sys.stdout.write(f"{counted(len(problems), 'problem')} of the store's files: {state}, see above\n")
    if result.alarms:
        days = sorted({row.date for row in result.alarms})
        shown = ", ".join(map(str, days[:5])) + (f" and {len(days) - 5} more" if len(days) > 5 else "")
        say(f"warning: there are bars on days on which {options.calendar} is closed: {shown}")
    return FAILED if damaged else 0


def _quiet(_: str) -> None:
    """What is damaged was told already."""
