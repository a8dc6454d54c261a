"""``mismartera run``: its options."""

from __future__ import annotations

from pathlib import Path

import click

from mismartera.cli.status import Settings, data_option, json_option, log_level_option, output_options


@click.command()
@click.argument("config", metavar="CONFIG")
@data_option
@output_options
@click.option(
    "--speed", type=float, metavar="X", help="0: as fast as possible; 1: real time; 60: sixty times as fast."
)
@json_option
@log_level_option
@click.option("--store-version", type=click.IntRange(min=0), metavar="N", help="Read this version of the store.")
@click.pass_obj
def run(
    settings: Settings, config: str, store: str, events: Path | None, dump: Path | None,
    report: Path | None, speed: float | None,
    *, quiet: bool, as_json: bool, log_file: Path | None, store_version: int | None,
) -> int:  # fmt: skip
    """Run the backtest that CONFIG describes.

    Strategies are looked up in the folder of CONFIG first. Ctrl-C ends the run after the present instant, with
    files closed and the summary of what was done; a second one ends it at once.
    """
    from mismartera.cli.running import RunOptions, run_config  # heavy: the whole engine

    return run_config(
        config,
        RunOptions(
            store=store, store_version=store_version, events=events, dump=dump, report=report,
            speed=speed, quiet=quiet,
            as_json=as_json, log_level=settings.log_level, command=settings.command, log_file=log_file,
        ),
    )  # fmt: skip
