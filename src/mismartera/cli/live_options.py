"""The options of a live session, of ``mismartera live`` and ``mismartera serve``."""

from __future__ import annotations

from collections.abc import Callable
from typing import ParamSpec, TypeVar

import click

from mismartera.cli.journal_commands import journal_option

_P = ParamSpec("_P")
_R = TypeVar("_R")


def live_options(command: Callable[_P, _R]) -> Callable[_P, _R]:
    """``--feed``, ``--clock``, ``--until``, ``--journal``, ``--no-journal`` and ``--resume``."""
    for add in (
        click.option(
            "--resume", is_flag=True,
            help="Go on where the last session of this configuration ended, however it did, with the symbols that "
            "it had.",
        ),
        click.option(
            "--no-journal", is_flag=True, help="Keep none: the session can be neither resumed nor replayed."
        ),
        journal_option,
        click.option(
            "--until", metavar="TIME",
            help="End at TIME: a date and time, or HH:MM of the first session, in exchange time.",
        ),
        click.option(
            "--clock", metavar="START[@SPEED]",
            help="A rehearsal: the clock reads START when the feed is first reached, and runs SPEED times as fast "
            "as the wall (1). START is 2024-07-03T12:30 in exchange time, or has an offset.",
        ),
        click.option(
            "--feed", type=click.Choice(["replay"]),
            help="Replay a stored day in place of the feed of CONFIG: that of --clock, or the first symbol's last "
            "one.",
        ),
    ):  # fmt: skip
        command = add(command)  # the last one is shown first
    return command
