"""``mismartera sessions``, ``mismartera replay`` and ``mismartera db``: their options."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import ParamSpec, TypeVar

import click

from mismartera.cli.status import Settings, data_option, json_option, log_level_option, output_options

_P = ParamSpec("_P")
_R = TypeVar("_R")


def journal_option(command: Callable[_P, _R]) -> Callable[_P, _R]:
    """The option ``--journal`` of every command that uses one."""
    return click.option(
        "--journal", type=click.Path(path_type=Path), metavar="FILE",
        help="The journal's SQLite file; by default that beside the bar store, or the database of "
        "MISMARTERA_DB_URL.",
    )(command)  # fmt: skip


@click.command()
@click.argument("session", required=False)
@data_option
@journal_option
@json_option
@log_level_option
def sessions(session: str | None, store: str, journal: Path | None, *, as_json: bool) -> None:
    """List the live sessions of the journal, or show what is known of SESSION: its number, or "last"."""
    from mismartera.cli.journal_showing import show_sessions  # heavy: SQLAlchemy

    show_sessions(session, store, journal, as_json=as_json)


@click.command()
@click.argument("session")
@data_option
@journal_option
@output_options
@click.option("--until", metavar="TIME", help="Stop there: a date and time, or HH:MM, in exchange time.")
@json_option
@log_level_option
@click.pass_obj
def replay(
    settings: Settings, session: str, store: str, journal: Path | None, events: Path | None, dump: Path | None,
    report: Path | None, until: str | None, *, quiet: bool, as_json: bool, log_file: Path | None,
) -> int:  # fmt: skip
    """Play a live session again from its journal: SESSION is its number, or "last".

    Strategies see what they saw then, when they saw it: the same bars with the same lags, the same transitions and
    events, byte for byte. Nothing is connected to, and nothing is stored. A session that was cut off ends where
    its journal does.
    """
    from mismartera.cli.journal_replaying import ReplayOptions, replay_session  # heavy: the whole engine

    return replay_session(
        session,
        ReplayOptions(
            store=store, journal=journal, until=until, events=events, dump=dump, report=report,
            quiet=quiet, as_json=as_json, log_level=settings.log_level, command=settings.command,
            log_file=log_file,
        ),
    )  # fmt: skip


@click.group()
def db() -> None:
    """Look after the journal's database."""


@db.command()
@data_option
@journal_option
@log_level_option
def upgrade(store: str, journal: Path | None) -> None:
    """Bring the journal to this version's revision; an empty one is made."""
    from mismartera.cli.journal_showing import upgrade_journal  # heavy: SQLAlchemy and alembic

    upgrade_journal(store, journal)


@db.command()
@data_option
@journal_option
@click.option(
    "--keep", type=click.IntRange(min=1), default=10, show_default=True,
    help="How many sessions of each name stay; the last one always does.",
)  # fmt: skip
@click.option(
    "--older-than", type=click.IntRange(min=0), metavar="DAYS", help="Of the others, only older ones go."
)
@click.option("--dry-run", is_flag=True, help="Only say what would go.")
@log_level_option
def prune(store: str, journal: Path | None, keep: int, older_than: int | None, *, dry_run: bool) -> None:
    """Remove old sessions from the journal. Not while a session writes it."""
    from mismartera.cli.journal_showing import prune_journal  # heavy: SQLAlchemy

    prune_journal(store, journal, keep=keep, older_than=older_than, is_dry=dry_run)
