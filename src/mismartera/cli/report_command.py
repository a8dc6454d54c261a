"""``mismartera report``: its options."""

from __future__ import annotations

from pathlib import Path

import click

from mismartera.cli.status import log_level_option


@click.command()
@click.argument("events", metavar="EVENTS.jsonl", type=click.Path(path_type=Path))
@click.option(
    "--out", type=click.Path(path_type=Path), metavar="FILE.html",
    help="Where to write it. Default: the name of the events file, with .html, beside it.",
)  # fmt: skip
@click.option(
    "--dump",
    type=click.Path(path_type=Path),
    metavar="DIR",
    help="Draw the candles from this dump of the same run: bars that were passed over are in it, too.",
)
@click.option(
    "--summary",
    type=click.Path(path_type=Path),
    metavar="FILE.json",
    help="The summary that 'run --json' printed: counts, quality, store version.",
)
@click.option("--config", metavar="CONFIG", help="The run's configuration: its name, exchange time, threshold.")
@log_level_option
def report(
    events: Path, out: Path | None, dump: Path | None, summary: Path | None, config: str | None
) -> int:  # fmt: skip
    """Make a report of a finished session from its events file.

    One HTML file that needs nothing else and sends nothing. What no event tells (counts, versions, command) is
    left out and said to be: 'mismartera run CONFIG --report FILE.html' has it all.
    """
    from mismartera.cli.reporting import ReportOptions, report_events  # heavy: NumPy and the figures of runs

    report_events(events, ReportOptions(out or events.with_suffix(".html"), dump, summary, config))
    return 0
