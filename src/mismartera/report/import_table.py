"""What an import did, as a table and as JSON."""

from __future__ import annotations

from typing import Any, TextIO

from mismartera.catalog import ImportReport
from mismartera.report.console import counted, make_console, make_table

_NOTES_SHOWN_MAX = 10


def import_figures(report: ImportReport) -> dict[str, Any]:
    """The object that ``data import --json`` prints."""
    return {
        "files": report.files, "rows": report.rows, "accepted": report.accepted, "duplicate": report.duplicate,
        "revised": report.revised, "rejected": report.rejected, "reasons": dict(report.reasons),
        "examples": list(report.examples),
        "failed_files": dict(report.failed_files), "notes": list(report.notes), "store_version": report.version,
    }  # fmt: skip


def print_import(report: ImportReport, stream: TextIO) -> None:
    """Print the counts, why rows were rejected, and what was concluded. Failed files are not shown."""
    console = make_console(stream)
    table = make_table("files", "rows", "accepted", "duplicate", "revised", "rejected", "store version", left=0)
    counts = (report.files, report.rows, report.accepted, report.duplicate, report.revised, report.rejected)
    table.add_row(*(f"{count:,}" for count in counts), "-" if report.version is None else str(report.version))
    console.print(table)
    if report.reasons:
        reasons = make_table("rejected because", "rows")
        for rule, count in report.reasons.items():
            reasons.add_row(rule, f"{count:,}")
        console.print(reasons)
        for example in report.examples:
            console.print(f"  {example}", soft_wrap=True)
    for note in report.notes[:_NOTES_SHOWN_MAX]:
        console.print(f"note: {note}", soft_wrap=True)
    if len(report.notes) > _NOTES_SHOWN_MAX:
        console.print(f"... and {counted(len(report.notes) - _NOTES_SHOWN_MAX, 'more note')}: --json has them all")
