"""``mismartera report``: its options."""

from __future__ import annotations

from pathlib import Path

import click

from mismartera.cli.journal_commands import journal_option
from mismartera.cli.status import Settings, data_option, log_level_option


@click.command()
@click.argument("events", metavar="EVENTS.jsonl|SESSION", type=click.Path(path_type=Path))
@click.option(
    "--out", type=click.Path(path_type=Path), metavar="FILE.html",
    help="Where to write it. Default: the name of the events file, with .html, beside it; session-N.html.",
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
@data_option
@journal_option
@log_level_option
@click.pass_obj
def report(
    settings: Settings, events: Path, out: Path | None, dump: Path | None, summary: Path | None,
    config: str | None, store: str, journal: Path | None,
) -> int:  # fmt: skip
    """Make a report of a finished session from its events file, or of a live SESSION from its journal (its number,
    or "last"; it is played again for it).

    One HTML file that needs nothing else and sends nothing. What no event tells (counts, versions, command) is
    left out and said to be: 'mismartera run CONFIG --report FILE.html' has it all.
    """
    name = str(events)
    if not events.exists() and (name == "last" or name.isdecimal()):
        if dump is not None or summary is not None or config is not None:
            raise click.UsageError("--dump, --summary and --config are for events files: a journal has it all")
        from mismartera.cli.journal_replaying import ReplayOptions, replay_session  # heavy: the whole engine

        return replay_session(
            name,
            ReplayOptions(
                store=store, journal=journal, until=None, events=None, dump=None,
                report=out or Path(f"session-{name}.html"), quiet=True, as_json=False,
                log_level=settings.log_level, command=settings.command, log_file=None,
            ),
        )  # fmt: skip
    from mismartera.cli.reporting import ReportOptions, report_events  # heavy: NumPy and the figures of runs

    report_events(events, ReportOptions(out or events.with_suffix(".html"), dump, summary, config, store))
    return 0
