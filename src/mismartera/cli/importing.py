"""Carrying out ``mismartera data import``."""

from __future__ import annotations

import json
import sys
from collections.abc import Mapping, Sequence
from typing import Literal

from msgspec import Struct

from mismartera.bars import parse_interval
from mismartera.catalog import DataManager, ImportReport, import_files
from mismartera.cli.status import BAD_INPUT, say
from mismartera.errors import UsageError
from mismartera.report.console import counted
from mismartera.report.import_table import import_figures, print_import
from mismartera.report.progress import ProgressLine, is_terminal


class ImportOptions(Struct, frozen=True):
    """The options of ``mismartera data import``."""

    symbol: str | None
    interval: str | None
    layout: str | None
    timestamps: Literal["start", "end"]
    tz: str
    columns: Mapping[str, str] | None
    as_json: bool


def import_paths(store: str, paths: Sequence[str], options: ImportOptions) -> int:
    """Import ``paths`` into the store, print the report and return the exit status."""
    _check_interval(options.interval)
    data = DataManager(store)
    before = data.version if data.exists() else -1
    try:
        with ProgressLine(is_shown=is_terminal() and not options.as_json) as progress:
            report = _import(data, paths, options, progress)
    except KeyboardInterrupt as interrupt:
        interrupt.add_note(committed_since(data, before))
        raise
    if options.as_json:
        sys.stdout.write(json.dumps(import_figures(report)) + "\n")
    else:
        print_import(report, sys.stdout)
    sys.stdout.flush()
    return _status(report)


def _import(
    data: DataManager, paths: Sequence[str], options: ImportOptions, progress: ProgressLine
) -> ImportReport:
    def show(done: int, total: int, rows: int) -> None:
        progress.show(done / total, f"file {done:,}/{total:,}  {rows:,} rows", rows, "rows")

    return import_files(
        data, paths, symbol=options.symbol, interval=options.interval, layout=options.layout,
        timestamps=options.timestamps, tz=options.tz, columns=options.columns, progress=show,
    )  # fmt: skip


def _check_interval(label: str | None) -> None:
    try:
        if label is not None:
            parse_interval(label)
    except ValueError as error:
        raise UsageError(f"--interval: {error}") from error


def committed_since(data: DataManager, before: int) -> str:
    """What an interrupted import has done: each commit is a version of the store."""
    after = data.refresh() if data.exists() else -1
    if after == before:
        return "nothing was committed: the store is as it was"
    return (
        f"the store has moved on to version {after}, each step of it whole: import the same again to go on, "
        "what is there already counts as duplicate"
    )


def _status(report: ImportReport) -> int:
    if report.failed_files:
        say(f"error: {len(report.failed_files)} of the paths could not be used:")
        say(*(f"  {path}: {reason}" for path, reason in report.failed_files))
        return BAD_INPUT
    if report.rejected == report.rows:
        found = (
            f"{counted(report.rows, 'row was', 'rows were')} rejected" if report.rows else "the files hold no rows"
        )
        say(f"error: nothing was imported: {found}", *(f"  {example}" for example in report.examples))
        return BAD_INPUT
    return 0
