"""``mismartera live``: its options."""

from __future__ import annotations

from pathlib import Path

import click

from mismartera.cli.live_options import live_options
from mismartera.cli.serve_command import serve_option, serve_options
from mismartera.cli.status import Settings, data_option, json_option, log_level_option, output_options


@click.command()
@click.argument("config", metavar="CONFIG")
@data_option
@output_options
@live_options
@serve_option
@json_option
@log_level_option
@click.pass_obj
def live(
    settings: Settings, config: str, store: str, events: Path | None, dump: Path | None, report: Path | None,
    feed: str | None, clock: str | None, until: str | None, journal: Path | None, serve_port: int | None, *,
    no_journal: bool, resume: bool, quiet: bool, as_json: bool, log_file: Path | None,
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
            serve=serve_options(serve_port),
        ),
    )  # fmt: skip
