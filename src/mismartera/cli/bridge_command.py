"""``mismartera bridge``: its options."""

from __future__ import annotations

from pathlib import Path

import click

from mismartera.cli.status import Settings, data_option, json_option, log_level_option


@click.command()
@click.argument("config", metavar="CONFIG")
@data_option
@click.option(
    "--clock", metavar="START[@SPEED]",
    help="A rehearsal, as in 'mismartera live': the clock reads START when the vendor is first reached, and runs "
    "SPEED times as fast as the wall. Sessions in a rehearsal follow this clock.",
)  # fmt: skip
@click.option(
    "--until", metavar="TIME",
    help="End at TIME: a date and time, or HH:MM of the first session, in exchange time. By default a replay ends "
    "ten minutes after its session.",
)  # fmt: skip
@click.option("--quiet", is_flag=True, help="No progress, no summary.")
@click.option(
    "--log-file", type=click.Path(path_type=Path), metavar="FILE",
    help="Append the log to FILE, from INFO on (or the --log-level, if that is DEBUG).",
)  # fmt: skip
@json_option
@log_level_option
@click.pass_obj
def bridge(
    settings: Settings, config: str, store: str, clock: str | None, until: str | None, *, quiet: bool,
    log_file: Path | None, as_json: bool,
) -> int:  # fmt: skip
    """Publish the feed of CONFIG on the bus of its section "bridge", for many sessions to share.

    Sessions with a feed of type "nats" say what symbols they want; those of CONFIG are published in any case. The
    credentials of the NATS server are read from MISMARTERA_NATS_TOKEN, or MISMARTERA_NATS_USER and
    MISMARTERA_NATS_PASSWORD, or MISMARTERA_NATS_CREDS (a file). Goes on until --until, Ctrl-C or SIGTERM.
    """
    from mismartera.cli.bridge_running import BridgeOptions, bridge_config  # heavy: the feeds

    return bridge_config(
        config,
        BridgeOptions(
            store=store, clock=clock, until=until, quiet=quiet, as_json=as_json, log_level=settings.log_level,
            log_file=log_file,
        ),
    )  # fmt: skip
