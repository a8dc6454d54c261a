"""Past sessions as tables."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, TextIO

from mismartera.report.console import counted, make_console, make_table

_SHOWN_MAX = 20


def print_sessions(sessions: Sequence[Mapping[str, Any]], stream: TextIO) -> None:
    """A line per session."""
    console = make_console(stream)
    table = make_table("session", "name", "began (UTC)", "ended (UTC)", "outcome", "process", "resumed", left=5)
    for session in sessions:
        resumed = "" if session["resumed"] is None else str(session["resumed"])
        table.add_row(
            str(session["session"]), session["name"], _short(session["began"]), _short(session["ended"]),
            session["outcome"], str(session["pid"]), resumed,
        )  # fmt: skip
    if sessions:
        console.print(table)
    console.print(counted(len(sessions), "session"))


def print_session(session: Mapping[str, Any], stream: TextIO) -> None:
    """What is known of one."""
    console = make_console(stream)
    console.print(f"session {session['session']}: {session['name']} ({session['outcome']})")
    for name, text in _lines(session):
        console.print(f"  {name:<12}{text}")
    table = make_table("symbol", "state", "stay", "reason", left=2)
    for symbol in session["symbols"]:
        table.add_row(symbol["symbol"], symbol["state"], str(symbol["generation"]), symbol["reason"])
    if session["symbols"]:
        console.print(table)
    for title, key in (("commands", "commands"), ("transitions", "transitions"), ("gaps", "gaps")):
        rows = session[key]
        if rows:
            console.print(f"{title}:")
        for row in rows[:_SHOWN_MAX]:
            console.print("  " + "  ".join(f"{k} {v}" for k, v in row.items() if v is not None))
        if len(rows) > _SHOWN_MAX:
            console.print(f"  and {len(rows) - _SHOWN_MAX} more (--json has all)")


def _lines(session: Mapping[str, Any]) -> list[tuple[str, str]]:
    versions = ", ".join(f"{name} {version}" for name, version in session["versions"].items())
    lines = [
        ("began", f"{_short(session['began'])} UTC, process {session['pid']} on {session['host']}"),
        ("ended", f"{_short(session['ended'])} UTC" if session["ended"] else "not by itself"),
        (
            "last entry",
            f"{_short(session['last_time'])} UTC: {session['state']} ({session['reason'] or 'not begun'})",
        ),
        ("arrived", counted(session["bars_arrived"], "bar")),
        ("store", f"{session['store']}, version {session['store_version']}"),
        ("versions", versions),
    ]
    if session["resumed"] is not None:
        lines.append(("resumed", f"session {session['resumed']}"))
    return lines + [("error", error) for error in session["strategy_errors"]]


def _short(iso: str | None) -> str:
    return "" if iso is None else iso[:19].replace("T", " ")
