"""``mismartera live``: its options."""

from __future__ import annotations

from pathlib import Path

import click

from mismartera.cli.journal_commands import journal_option
from mismartera.cli.status import Settings, data_option, json_option, log_level_option, output_options


@click.command()
@click.argument("config", metavar="CONFIG")
@data_option
@output_options
@click.option(
    "--feed", type=click.Choice(["replay"]),
    help="Replay a stored day in place of the feed of CONFIG: that of --clock, or the first symbol's last one.",
)  # fmt: skip
@click.option(
    "--clock", metavar="START[@SPEED]",
    help="A rehearsal: the clock reads START when the feed is first reached, and runs SPEED times as fast as the "
    "wall (1). START is 2024-07-03T12:30 in exchange time, or has an offset.",
)  # fmt: skip
@click.option(
    "--until",
    metavar="TIME",
    help="End at TIME: a date and time, or HH:MM of the first session, in exchange time.",
)
@journal_option
@click.option("--no-journal", is_flag=True, help="Keep none: the session can be neither resumed nor replayed.")
@click.option(
    "--resume", is_flag=True,
    help="Go on where the last session of this configuration ended, however it did, with the symbols that it had.",
)  # fmt: skip
@json_option
@log_level_option
@click.pass_obj
def live(
    settings: Settings, config: str, store: str, events: Path | None, dump: Path | None, report: Path | None,
    feed: str | None, clock: str | None, until: str | None, journal: Path | None, *, no_journal: bool,
    resume: bool, quiet: bool, as_json: bool, log_file: Path | None,
) -> int:  # fmt: skip
    """Run the live session that CONFIG describes, on the bars of its feed as they come.

    The keys of an Alpaca feed are read from APCA_API_KEY_ID and APCA_API_SECRET_KEY. A replay ends with its
    session, other feeds go on from session to session unless --until is given. Ctrl-C ends the run after the
    present instant, with files closed and the summary of what was done; a second one ends it at once.
    """
    from mismartera.cli.live_running import LiveOptions, live_config  # heavy: the whole engine

    return live_config(
        config,
        LiveOptions(
            store=store, events=events, dump=dump, report=report, feed=feed, clock=clock, until=until,
            journal=journal, has_journal=not no_journal, is_resumed=resume, quiet=quiet, as_json=as_json,
            log_level=settings.log_level, command=settings.command, log_file=log_file,
        ),
    )  # fmt: skip
