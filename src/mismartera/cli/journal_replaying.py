"""Carrying out ``mismartera replay``. Imported by the command only: it pulls the engine in."""

from __future__ import annotations

import os
from datetime import datetime
from functools import partial
from pathlib import Path

from loguru import logger

from mismartera.bars.instants import to_datetime, to_us
from mismartera.catalog import DataManager
from mismartera.cli.driving import Listeners, OutputOptions, Run, carry_out
from mismartera.cli.journals import open_reader
from mismartera.errors import CalendarError, UsageError
from mismartera.journal import JournalReader, PastSession
from mismartera.report.progress import StatusLine
from mismartera.report.watch import SessionWatch
from mismartera.system import SystemManager
from mismartera.system.journaling import versions_now
from mismartera.system.playing import PlayedSession
from mismartera.system.rehearsal import make_session_time, read_until
from mismartera.timing import TimeManager


class ReplayOptions(OutputOptions, frozen=True, kw_only=True):
    """The options of ``mismartera replay``, times as they were written."""

    until: str | None


def replay_session(name: str, options: ReplayOptions) -> int:
    """Play the session of this name and return the exit status. Raises what keeps it from beginning."""
    reader = open_reader(options.journal, options.store, os.environ)
    return carry_out(f"session {name}", options, partial(_build, reader, reader.session(name), options))


def _build(reader: JournalReader, past: PastSession, options: ReplayOptions) -> Run:
    _tell_of_versions(past)
    until_us = None
    time = make_session_time(PlayedSession(reader, past).config, os.environ)
    if options.until is not None:
        until_us = to_us(_until(options.until, past, time))
    played = PlayedSession(reader, past, until_us)
    listeners, watch = Listeners(options, time.zone, played.config), SessionWatch()
    system = SystemManager(
        played.config, data_manager=DataManager(options.store), folder=Path(past.folder), warn=logger.warning,
        sinks=[*listeners.sinks, *([watch] if options.has_progress else [])], recorders=listeners.recorders,
        feed=played.feed, wall=played.wall, record=played,
        until=None if past.until_us is None else to_datetime(past.until_us, time.zone),
    )  # fmt: skip
    listeners.open(system)
    line = StatusLine(is_shown=options.has_progress)
    return Run(system, listeners, line, partial(_show, system, watch, line))


def _until(text: str, past: PastSession, time: TimeManager) -> datetime:
    try:
        return read_until(text, past.began_us, time)
    except (ValueError, CalendarError) as error:
        raise UsageError(f"--until: {error}") from error


def _tell_of_versions(past: PastSession) -> None:
    now = versions_now()
    changed = [
        f"{name} {past.versions[name]} (now {now[name]})" for name in now if past.versions.get(name) != now[name]
    ]
    if changed:
        logger.warning(f"session {past.id} was run with other versions: {', '.join(changed)}; results may differ")


def _show(system: SystemManager, watch: SessionWatch, line: StatusLine) -> None:
    line.show(watch.text(system.get_time_manager().get_current_time()))
