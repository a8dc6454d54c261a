"""The table at the end of a sweep."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, TextIO

from mismartera.report.console import counted, make_console, make_table, percent

if TYPE_CHECKING:
    import polars as pl

ROWS_SHOWN_MAX = 40
_VALUE_LENGTH_MAX = 24
_BEFORE, _AFTER = "task", "start_date"
"""The columns between which the parameters stand."""


def print_sweep(table: pl.DataFrame, tasks: int, reused: int, wall_seconds: float, stream: TextIO) -> None:
    """Print a sweep's results, one line each (of many only the first), and what it did in all.

    ``table``: the results that are there, of so many ``tasks``; ``reused`` of them were there before.
    """
    console = make_console(stream)
    names = table.columns[table.columns.index(_BEFORE) + 1 : table.columns.index(_AFTER)]
    dates_vary = table.select(_AFTER, "end_date").n_unique() > 1
    if table.height:
        heads = ["task", *short_names(names), *(["dates"] if dates_vary else [])]
        shown = make_table(
            *heads, "bars", "delivered", "quality", "signals", "errors", "seconds", "status", left=len(heads)
        )
        for column, name in zip(shown.columns, heads, strict=False):
            column.no_wrap = name in {"task", "dates"}  # where a terminal is narrow, the values give way
        for row in table.head(ROWS_SHOWN_MAX).iter_rows(named=True):
            shown.add_row(*_cells(row, names, dates_vary=dates_vary))
        console.print(shown)
    if table.height > ROWS_SHOWN_MAX:
        console.print(
            f"... and {counted(table.height - ROWS_SHOWN_MAX, 'more task')}: the results have them all\n"
        )
    failed = table.filter(table["status"] == "failed").height
    ran = table.height - reused
    parts = [f"{table.height - failed:,} ok", f"{failed:,} failed"]
    if tasks > table.height:
        parts.append(f"{tasks - table.height:,} not run")
    rate = f"{ran / wall_seconds:.1f} tasks/s" if wall_seconds > 0 and ran else "nothing to run"
    console.print(f"{counted(tasks, 'task')}: {', '.join(parts)} in {wall_seconds:.2f} s ({rate})")


def short_names(names: Sequence[str]) -> list[str]:
    """The ends of key paths, as short as they can be told from each other."""
    parts = [name.split(".") for name in names]
    found: list[str] = []
    for own in parts:
        size = 1
        while size < len(own) and sum(other[-size:] == own[-size:] for other in parts) > 1:
            size += 1
        found.append(".".join(own[-size:]))
    return found


def _cells(row: dict[str, Any], names: Sequence[str], *, dates_vary: bool) -> list[str]:
    start, end = row[_AFTER], row["end_date"]
    dates = [f"{start}" if start == end else f"{start} to {end}"] if dates_vary else []
    seconds = row["wall_seconds"]
    return [
        str(row["task"]),
        *(_value(row[name]) for name in names),
        *dates,
        *(_count(row[name]) for name in ("bars_streamed", "bars_delivered")),
        percent(row["bars_present"], row["bars_expected"]) if row["bars_expected"] is not None else "-",
        _count(row["signal_count"]),
        _count(len(row["strategy_errors"])),
        "-" if seconds is None else f"{seconds:.2f}",
        row["status"],
    ]


def _value(value: object) -> str:
    text = "-" if value is None else str(value)
    return text if len(text) <= _VALUE_LENGTH_MAX else text[: _VALUE_LENGTH_MAX - 3] + "..."


def _count(value: int | None) -> str:
    return "-" if value is None else f"{value:,}"
