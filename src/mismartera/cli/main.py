"""Entry of the command line: the commands, and how every ending becomes an exit status and a message.

0: done. 1: a run that failed, or a fault of ours. 2: bad usage or input. 130 and 143: interrupted by Ctrl-C and by
SIGTERM. 141: nobody reads our output any more.
"""

from __future__ import annotations

import gc
import os
import signal
import sys
import traceback
from collections.abc import Sequence
from types import FrameType
from typing import NoReturn

import click

from mismartera import __version__
from mismartera.cli.bridge_command import bridge
from mismartera.cli.config_commands import schema, validate
from mismartera.cli.data_commands import data
from mismartera.cli.journal_commands import db, replay, sessions
from mismartera.cli.live_command import live
from mismartera.cli.remote_commands import REMOTE_COMMANDS
from mismartera.cli.report_command import report
from mismartera.cli.run_command import run
from mismartera.cli.serve_command import serve
from mismartera.cli.status import (
    BAD_INPUT,
    FAILED,
    GC_LOADING,
    INTERRUPTED,
    PIPE_BROKEN,
    TERMINATED,
    Settings,
    Terminated,
    say,
)
from mismartera.cli.sweep_command import sweep
from mismartera.errors import ConfigError, MismarteraError, RunFailedError


@click.group(context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100})
@click.version_option(__version__, prog_name="mismartera")
def cli() -> None:
    """Stream market data, stored or live, to trading strategies that never act on stale bars.

    Exit status: 0 done, 1 the run failed, 2 bad usage or input, 130 interrupted.
    """


cli.add_command(run)
cli.add_command(live)
cli.add_command(serve)
for command in REMOTE_COMMANDS:
    cli.add_command(command)
cli.add_command(report)
cli.add_command(bridge)
cli.add_command(sessions)
cli.add_command(replay)
cli.add_command(sweep)
cli.add_command(data)
cli.add_command(validate)
cli.add_command(schema)
cli.add_command(db)


def main(args: Sequence[str] | None = None) -> int:
    """Carry out a command line (by default the process's own) and return its exit status."""
    given = list(sys.argv[1:] if args is None else args)
    settings = Settings(args=tuple(given))
    gc.set_threshold(GC_LOADING)
    before = signal.signal(signal.SIGTERM, _terminate)
    try:
        status = _invoke(given, settings)
        sys.stdout.flush()
    except BrokenPipeError:
        status = PIPE_BROKEN
    except KeyboardInterrupt as error:
        say("interrupted", *(f"  {note}" for note in getattr(error, "__notes__", ())))
        status = TERMINATED if isinstance(error, Terminated) else INTERRUPTED
    except SystemExit as error:  # ours never get here
        say(f"error: SystemExit({error.code!r}) outside a run: does a strategy's module end the process?")
        status = BAD_INPUT
    except Exception as error:  # noqa: BLE001  # the process's last line of defence: a message, never a traceback
        status = _explain(error, settings)
    finally:
        signal.signal(signal.SIGTERM, before)
    _flush_or_discard()
    return status


def _invoke(args: list[str], settings: Settings) -> int:
    # Not cli.main(): it would end the process by itself, for an interrupt or a broken pipe with its own status.
    try:
        with cli.make_context("mismartera", args, obj=settings) as context:
            result = cli.invoke(context)
            return result if isinstance(result, int) else 0
    except click.exceptions.Exit as done:  # --help, --version
        return done.exit_code
    except click.ClickException as error:
        error.show()
        return error.exit_code


def _explain(error: Exception, settings: Settings) -> int:
    if settings.tracebacks:
        traceback.print_exception(error)
    if isinstance(error, ConfigError):
        say(f"error: {error.source}:", *(f"  {problem}" for problem in error.problems))
        return BAD_INPUT
    if isinstance(error, RunFailedError):
        say(f"error: the run failed: {error}")
        return FAILED
    if isinstance(error, MismarteraError):
        say(f"error: {error}")
        return BAD_INPUT
    if isinstance(error, OSError):
        where = f"{error.filename}: " if error.filename else ""
        say(f"error: {where}{error.strerror or error}")
        return FAILED
    say(
        f"error: a fault of mismartera itself: {type(error).__name__}: {error}",
        "  run the command again with --log-level DEBUG to see where",
    )
    return FAILED


def _flush_or_discard() -> None:
    """What cannot be written now would fail again, with a traceback, when the interpreter ends."""
    try:
        sys.stdout.flush()
    except OSError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def _terminate(number: int, frame: FrameType | None) -> NoReturn:  # noqa: ARG001  # the signature of a handler
    raise Terminated
