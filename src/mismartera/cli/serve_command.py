"""``mismartera serve``: its options, and ``--serve`` of the commands that run."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, ParamSpec, TypeVar

import click

from mismartera.cli.live_options import live_options
from mismartera.cli.status import Settings, data_option, json_option, log_level_option, output_options
from mismartera.remote.places import DEFAULT_PORT

if TYPE_CHECKING:
    from mismartera.cli.serving import ServeOptions

_P = ParamSpec("_P")
_R = TypeVar("_R")


def serve_option(command: Callable[_P, _R]) -> Callable[_P, _R]:
    """The option ``--serve`` of ``run`` and ``live``."""
    return click.option(
        "--serve", "serve_port", type=click.IntRange(0, 65_535), is_flag=False, flag_value=DEFAULT_PORT,
        metavar="[PORT]", help=f"Serve a page and an API meanwhile (port {DEFAULT_PORT}; 0: a free one).",
    )(command)  # fmt: skip


def serve_options(port: int | None) -> ServeOptions | None:
    """What ``--serve`` stands for."""
    if port is None:
        return None
    from mismartera.cli.serving import ServeOptions  # needs the extra

    return ServeOptions(port=port)


@click.command()
@click.argument("config", metavar="CONFIG")
@data_option
@output_options
@click.option("--speed", type=float, metavar="X", help="Of a backtest; 60: sixty times as fast as the wall.")
@click.option(
    "--store-version",
    type=click.IntRange(min=0),
    metavar="N",
    help="Of a backtest: the version to read.",
)
@live_options
@click.option("--paused", is_flag=True, help="Begin paused: a backtest at its open.")
@click.option("--port", type=int, default=DEFAULT_PORT, show_default=True, metavar="N", help="0: a free one.")
@click.option(
    "--bind", "host", default="127.0.0.1", show_default=True, metavar="HOST",
    help="Listen there; what other machines can reach needs --token-file.",
)  # fmt: skip
@click.option("--allow-host", "hosts", multiple=True, metavar="NAME", help="Answer to this name, too.")
@click.option(
    "--token-file",
    type=click.Path(path_type=Path),
    metavar="FILE",
    help="The token to use, in a file of mode 0600.",
)
@json_option
@log_level_option
@click.pass_obj
def serve(
    settings: Settings, /, config: str, store: str, events: Path | None, dump: Path | None, report: Path | None,
    port: int, host: str, hosts: tuple[str, ...], token_file: Path | None, *, paused: bool,
    quiet: bool, as_json: bool, log_file: Path | None, **of_mode: object,
) -> int:  # fmt: skip
    """Run CONFIG, backtest or live, with a page and an API before it.

    It takes the options of 'mismartera run' for a backtest, and those of 'mismartera live' for a live session. The
    address that it prints signs one browser in, once. The page stays after the run's end, until Ctrl-C. Needs the
    extra: pip install 'mismartera[server]'.
    """
    from mismartera.cli.serve_running import serve_config  # heavy: the whole engine
    from mismartera.cli.serving import ServeOptions  # needs the extra

    return serve_config(
        config, of_mode, {
            "store": store, "events": events, "dump": dump, "report": report, "command": settings.command,
            "quiet": quiet, "as_json": as_json, "log_level": settings.log_level, "log_file": log_file,
            "serve": ServeOptions(
                host=host, port=port, hosts=hosts, token_file=token_file, stays=True, is_paused=paused,
            ),
        },
    )  # fmt: skip
