"""Which journal a command means, and what a session is resumed from. Imported by the commands that need it."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any, Protocol

from loguru import logger

from mismartera.config import SessionConfig
from mismartera.errors import JournalError, UsageError
from mismartera.journal import JournalReader, PastSession, open_database
from mismartera.journal.database import JOURNAL_FILE, JOURNAL_FOLDER
from mismartera.session.beginning import Beginning
from mismartera.system.journaling import SessionJournal
from mismartera.timing import WallClock


class JournalOptions(Protocol):
    """What ``mismartera live`` may be told of its journal."""

    @property
    def store(self) -> str: ...  # noqa: D102
    @property
    def journal(self) -> Path | None: ...  # noqa: D102
    @property
    def has_journal(self) -> bool: ...  # noqa: D102
    @property
    def is_resumed(self) -> bool: ...  # noqa: D102


URL_VARIABLE = "MISMARTERA_DB_URL"
_MUST_BE_THE_SAME = ("calendar", "exchange_group", "schedule")


def journal_of(named: Path | None, store: str, environ: Mapping[str, str]) -> Path | str:
    """The file that was named; else the database of the environment's URL; else the file beside the store."""
    if named is not None:
        return named
    return environ.get(URL_VARIABLE) or Path(store) / JOURNAL_FOLDER / JOURNAL_FILE


def open_reader(named: Path | None, store: str, environ: Mapping[str, str]) -> JournalReader:
    """The journal, to be read. JournalError if there is none."""
    return JournalReader(open_database(journal_of(named, store, environ), make=False))


def went_on(config: SessionConfig, reader: JournalReader) -> tuple[SessionConfig, Beginning, PastSession] | None:
    """``config`` with the symbols that the last session of its name had come to, and what goes with them.

    None if there was no such session. JournalError if the configuration asks for something else by now.
    """
    past = reader.last_of(config.session_name)
    if past is None:
        return None
    _require_the_same(config, past)
    state = reader.state(past)
    streams = {stay.symbol: stay.streams for stay in state.symbols if stay.streams is not None}
    beginning = Beginning(streams, state.generations, tuple(sorted(state.acted)))
    return config.with_symbols(tuple(stay.symbol for stay in state.symbols)), beginning, past


def _require_the_same(config: SessionConfig, past: PastSession) -> None:
    now: dict[str, Any] = config.to_dict()
    differing = [key for key in _MUST_BE_THE_SAME if now.get(key) != past.config.get(key)]
    if list(config.session_data_config.symbols) != past.began_with["configured"]:
        differing.append("session_data_config.symbols")
    if differing:
        raise JournalError(
            f"session {past.id} cannot be resumed: {', '.join(differing)} of the configuration differ from what "
            "it was run with; allowed: the same ones (symbols are added and removed while it runs), or a session "
            "of its own, without --resume"
        )


def open_record(
    config: SessionConfig, wall: WallClock, folder: Path, options: JournalOptions, environ: Mapping[str, str], *,
    is_trial: bool,
) -> tuple[SessionConfig, SessionJournal | None]:  # fmt: skip
    """The configuration, with the symbols of the session that is resumed, and the journal of the new one.

    A trial (of a stored day, which can be had again) goes on without a journal that it was not told to keep and
    that cannot be had. JournalError, UsageError.
    """
    if not options.has_journal:
        if options.is_resumed or options.journal is not None:
            raise UsageError("--no-journal with --resume or --journal: a session is resumed from its journal")
        return config, None
    where = journal_of(options.journal, options.store, environ)
    try:
        database = open_database(where, make=True)
        record = SessionJournal(database, wall, logger.warning, folder=folder)
    except JournalError as error:
        if not is_trial or options.is_resumed or options.journal is not None:
            raise
        logger.warning(f"this trial keeps no journal: {error}")
        return config, None
    if database.fault is not None:
        logger.warning(database.fault)
    record.configured = config.session_data_config.symbols
    if options.is_resumed:
        found = went_on(config, JournalReader(database))
        if found is None:
            logger.warning(f"nothing to resume: the journal has no session named {config.session_name!r} yet")
        else:
            config, record.beginning, past = found
            record.resumed = past.id
            logger.info(f"session {past.id} is resumed with {', '.join(config.session_data_config.symbols)}")
    return config, record
