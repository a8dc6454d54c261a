"""What is in the store, and how complete it is: as tables and as JSON."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, TextIO

from mismartera.bars.instants import to_datetime, to_iso
from mismartera.catalog import CheckRow, ListingRow, StoreCheck, VacuumReport
from mismartera.report.console import counted, make_console, make_table, percent


def listing_figures(rows: Sequence[ListingRow], version: int) -> dict[str, Any]:
    """The object that ``data ls --json`` prints."""
    series = [
        {
            "symbol": row.symbol, "interval": row.interval, "first": to_iso(row.first_us),
            "last": to_iso(row.last_us), "bars": row.bars, "days": row.days, "generated": row.generated,
        }
        for row in rows
    ]  # fmt: skip
    return {"store_version": version, "series": series}


def print_listing(rows: Sequence[ListingRow], version: int, stream: TextIO) -> None:
    """Print a line per symbol and interval."""
    console = make_console(stream)
    table = make_table("symbol", "interval", "first (UTC)", "last (UTC)", "bars", "days", "", left=2)
    for row in rows:
        first, last = (f"{to_datetime(us):%Y-%m-%d}" for us in (row.first_us, row.last_us))
        mark = "generated" if row.generated else ""
        table.add_row(row.symbol, row.interval, first, last, f"{row.bars:,}", f"{row.days:,}", mark)
    if rows:
        console.print(table)
    symbols, bars = len({row.symbol for row in rows}), sum(row.bars for row in rows)
    console.print(f"{counted(symbols, 'symbol')}, {counted(bars, 'bar')}, store version {version}")


def check_figures(check: StoreCheck, calendar: str, version: int) -> dict[str, Any]:
    """The object that ``data check --json`` prints."""
    quality: dict[str, dict[str, dict[str, Any]]] = {}
    for row in check.rows:
        quality.setdefault(row.symbol, {}).setdefault(row.date.isoformat(), {})[row.interval] = _row_figures(row)
    missing: dict[str, dict[str, list[str]]] = {}
    for (symbol, interval), days in check.missing_days.items():
        missing.setdefault(symbol, {})[interval] = [day.isoformat() for day in days]
    return {"calendar": calendar, "store_version": version, "quality": quality, "missing_days": missing}


def print_check(check: StoreCheck, stream: TextIO) -> None:
    """Print a line per symbol, date and interval, and the days without any bar."""
    console = make_console(stream)
    table = make_table("symbol", "interval", "date", "present", "expected", "quality", "gaps", "outside", left=3)
    for row in check.rows:
        table.add_row(
            row.symbol, row.interval, row.date.isoformat(), f"{row.present:,}", f"{row.expected:,}",
            "closed" if row.closed else percent(row.present, row.expected), f"{len(row.gaps):,}",
            f"{row.out_of_hours:,}",
        )  # fmt: skip
    if check.rows:
        console.print(table)
    for (symbol, interval), days in check.missing_days.items():
        shown = ", ".join(map(str, days[:5])) + (f" and {len(days) - 5} more" if len(days) > 5 else "")
        console.print(f"{symbol} {interval}: no bar at all on {shown}")
    present, expected = (sum(getattr(row, key) for row in check.rows) for key in ("present", "expected"))
    gaps = sum(len(row.gaps) for row in check.rows)
    quality = percent(present, expected)
    console.print(f"{present:,} of {counted(expected, 'expected bar')} ({quality}), {counted(gaps, 'gap')}")


def print_vacuum(done: VacuumReport, stream: TextIO, *, dry_run: bool) -> None:
    """Print what a vacuum removed, and what is still readable."""
    console = make_console(stream)
    verb = "would be removed" if dry_run else "removed"
    console.print(
        f"{verb}: {counted(done.files, 'data file')} ({done.bytes / 1e6:,.1f} MB), "
        f"{counted(done.log_files, 'file')} of the log, {counted(done.drafts, 'draft')}"
    )
    older = f", and {', '.join(map(str, done.kept))}" if done.kept else ""
    console.print(f"readable versions: {done.oldest} to {done.newest}{older}")


def _row_figures(row: CheckRow) -> dict[str, Any]:
    return {
        "expected": row.expected, "present": row.present, "percent": row.percent, "out_of_hours": row.out_of_hours,
        "closed": row.closed,
        "gaps": [{"from": to_iso(low), "to": to_iso(high), "missing": count} for low, high, count in row.gaps],
    }  # fmt: skip
