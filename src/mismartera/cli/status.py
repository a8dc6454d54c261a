"""Exit statuses, and what all commands share."""

from __future__ import annotations

import gc
import shlex
from collections.abc import Callable
from pathlib import Path
from typing import ParamSpec, TypeVar

import click
from msgspec import Struct

FAILED = 1
BAD_INPUT = 2
INTERRUPTED = 130
PIPE_BROKEN = 141
TERMINATED = 143

GC_LOADING, _GC_RUNNING = 200_000, 20_000
"""When to look for garbage. What is imported is none: at the usual 700 the search takes a tenth of a start.
What runs for long may leave some.
"""
LEVELS = ("DEBUG", "INFO", "WARNING", "ERROR")

_P = ParamSpec("_P")
_R = TypeVar("_R")


class Terminated(KeyboardInterrupt):
    """SIGTERM: handled like Ctrl-C."""


class Settings(Struct):
    """What a command line says of all commands."""

    log_level: str = "WARNING"
    args: tuple[str, ...] = ()

    @property
    def command(self) -> str:
        """The command line as it was typed, quoted for a shell."""
        return shlex.join(["mismartera", *self.args])

    @property
    def tracebacks(self) -> bool:
        """True if errors are to be shown with their tracebacks."""
        return self.log_level == "DEBUG"


def all_is_loaded() -> None:
    """What runs for long begins: all that is there stays, and nobody need look for garbage in it."""
    gc.freeze()
    gc.set_threshold(_GC_RUNNING)


def say(*lines: str) -> None:
    """Print ``lines`` on stderr."""
    click.echo("\n".join(lines), err=True)


def log_level_option(command: Callable[_P, _R]) -> Callable[_P, _R]:
    """The option ``--log-level`` of every command."""

    def keep(context: click.Context, _: click.Parameter, level: str) -> str:
        context.find_object(Settings).log_level = level.upper()  # type: ignore[union-attr]  # main() gives one
        return level.upper()

    return click.option(
        "--log-level", type=click.Choice(LEVELS, case_sensitive=False), default="WARNING", show_default=True,
        expose_value=False, callback=keep, help="What to report on stderr; DEBUG adds tracebacks.",
    )(command)  # fmt: skip


def data_option(command: Callable[_P, _R]) -> Callable[_P, _R]:
    """The option ``--data`` of every command that uses the bar store."""
    return click.option(
        "--data",
        "store",
        metavar="DIR",
        default="data",
        show_default=True,
        help="Folder of the bar store, or (to read it) a URI such as s3://bucket/bars.",
    )(command)


def json_option(command: Callable[_P, _R]) -> Callable[_P, _R]:
    """The option ``--json``."""
    return click.option("--json", "as_json", is_flag=True, help="Print one JSON object on stdout.")(command)


def output_options(command: Callable[_P, _R]) -> Callable[_P, _R]:
    """The options of a session's output: ``--events``, ``--dump``, ``--report``, ``--quiet``, ``--log-file``."""
    path = click.Path(path_type=Path)
    for add in (
        click.option(
            "--log-file", type=path, metavar="FILE",
            help="Append the log to FILE, from INFO on (or the --log-level, if that is DEBUG).",
        ),
        click.option("--quiet", is_flag=True, help="No progress, no table."),
        click.option("--report", type=path, metavar="FILE.html", help="Write a report of the run there."),
        click.option("--dump", type=path, metavar="DIR", help="Write each session's bars there, as Parquet."),
        click.option("--events", type=path, metavar="FILE", help="Write all events there, as JSON lines."),
    ):  # fmt: skip
        command = add(command)  # the last one is shown first
    return command
