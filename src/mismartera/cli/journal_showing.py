"""Carrying out ``mismartera sessions`` and ``mismartera db``. Imported by the commands only."""

from __future__ import annotations

import json
import os
import socket
import sys
from pathlib import Path
from typing import Any

import click

from mismartera.bars.instants import DAY_US, to_iso
from mismartera.cli.journals import journal_of, open_reader
from mismartera.journal import JournalReader, PastSession, open_database, tables
from mismartera.journal.database import Database
from mismartera.journal.lock import lock_journal
from mismartera.journal.pruning import prunable, prune
from mismartera.report.sessions import print_session, print_sessions
from mismartera.timing import SystemClock


def show_sessions(name: str | None, store: str, journal: Path | None, *, as_json: bool) -> None:
    """Print all sessions, or the one of this name."""
    reader = open_reader(journal, store, os.environ)
    if name is None:
        found = [session_figures(session) for session in reader.sessions()]
        if as_json:
            click.echo(json.dumps({"sessions": found}))
        else:
            print_sessions(found, sys.stdout)
        return
    figures = whole_figures(reader, reader.session(name))
    if as_json:
        click.echo(json.dumps(figures))
    else:
        print_session(figures, sys.stdout)


def session_figures(session: PastSession) -> dict[str, Any]:
    """A session as ``--json`` prints it."""
    return {
        "session": session.id, "name": session.name, "began": to_iso(session.began_us),
        "ended": None if session.ended_us is None else to_iso(session.ended_us), "outcome": _outcome(session),
        "pid": session.pid, "host": session.host, "store": session.store, "store_version": session.store_version,
        "resumed": session.resumed, "versions": dict(session.versions),
    }  # fmt: skip


def whole_figures(reader: JournalReader, session: PastSession) -> dict[str, Any]:
    """All that ``sessions SESSION --json`` prints of one."""
    state = reader.state(session)
    told: dict[str, int] = {}
    gaps, transitions = [], []
    for row in reader.rows(tables.events, session.id):
        told[row["name"]] = told.get(row["name"], 0) + 1
        if row["name"] == "gap":
            gaps.append(json.loads(row["fields"]))
        elif row["name"] in {"session_activated", "session_deactivated", "session_state"}:
            transitions.append({"time": to_iso(row["time_us"]), "event": row["name"], **json.loads(row["fields"])})
    commands = [
        {"time": to_iso(row["time_us"]), **{key: row[key] for key in ("what", "symbol", "streams", "who")}}
        for row in reader.rows(tables.commands, session.id)
    ]
    counts = [
        {"date": row["date"], "symbol": row["symbol"], **json.loads(row["counts"])}
        for row in reader.rows(tables.counts, session.id)
    ]
    bars = sum(row["bars"] for row in reader.rows(tables.arrivals, session.id) if row["kind"] != "Answer")
    return {
        **session_figures(session), "until_entry": state.seq, "last_time": to_iso(state.time_us),
        "state": state.state, "reason": state.reason, "bars_arrived": bars, "events": told,
        "rows": reader.sizes(session.id),
        "symbols": [
            {"symbol": stay.symbol, "generation": stay.generation, "state": stay.state, "reason": stay.reason}
            for stay in state.symbols
        ],
        "commands": commands, "transitions": transitions, "gaps": gaps, "counts": counts,
        "strategy_errors": state.strategy_errors,
    }  # fmt: skip


def upgrade_journal(store: str, journal: Path | None) -> None:
    """Bring the journal to the newest revision, and say what was done."""
    where = journal_of(journal, store, os.environ)
    if isinstance(where, Path):
        where.parent.mkdir(parents=True, exist_ok=True)
    database = Database.at(where)
    before, after = database.upgrade()
    if before == after:
        click.echo(f"{database.label} is of revision {after} already")
    else:
        click.echo(f"{database.label}: from {before or 'nothing'} to revision {after}")


def prune_journal(store: str, journal: Path | None, *, keep: int, older_than: int | None, is_dry: bool) -> None:
    """Remove the sessions that are too many and too old, and say which."""
    database = open_database(journal_of(journal, store, os.environ), make=False)
    lock = lock_journal(database)
    try:
        before_us = None if older_than is None else SystemClock().now_us() - older_than * DAY_US
        found = prunable(JournalReader(database), keep=keep, before_us=before_us)
        if not is_dry:
            prune(database, found)
    finally:
        lock.release()
    names = ", ".join(str(session.id) for session in found) or "none"
    click.echo(f"{database.label}: sessions {'that would go' if is_dry else 'removed'}: {names}")


def _outcome(session: PastSession) -> str:
    if session.outcome is not None:
        return session.outcome
    return "running" if session.host == socket.gethostname() and _is_alive(session.pid) else "cut off"


def _is_alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except OSError:
        return True
    return True
