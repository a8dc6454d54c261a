"""Audit: a row for every command, whoever sent it: who, what, with what result."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Protocol

from loguru import logger

from mismartera.feeds.secret import one_line
from mismartera.server.recent import RecentEvents

_LENGTH_MAX = 500


class AuditTrail(Protocol):
    """Takes the rows. Called on the server's threads, before the client has its answer; may be called at once by
    several.
    """

    def audit(self, command: str, who: str, result: str) -> None:
        """``who`` has sent ``command``, which was accepted or refused: ``result``."""
        ...


class EventAudit:
    """Rows as ``command`` events, which the page and ``/api/events`` show, and as lines of the log."""

    def __init__(self, recent: RecentEvents) -> None:
        self._recent = recent

    def audit(self, command: str, who: str, result: str) -> None:
        """Note a row."""
        self._recent.note("command", {"command": command, "who": who, "result": result})
        logger.info(f"command of {who}: {command}: {result}")


class Trails:
    """Several trails as one, for example the events and a journal. What clients have sent is made one line,
    without our secrets (``scrub``).
    """

    def __init__(self, trails: Sequence[AuditTrail], scrub: Callable[[str], str]) -> None:
        self._trails = tuple(trails)
        self._scrub = scrub

    def audit(self, command: str, who: str, result: str) -> None:
        """Give a row to all of them."""
        row = [one_line(self._scrub(text), _LENGTH_MAX) for text in (command, who, result)]
        for trail in self._trails:
            trail.audit(*row)
