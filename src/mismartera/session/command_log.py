"""CommandLog: takes note of what users and strategies ask for, and then lets the engine act on it."""

from __future__ import annotations

from typing import Protocol

from mismartera.session.inbox import Command, Inbox


class CommandLog(Protocol):
    """Additions and removals of symbols, in their order. From any thread, under the registry's lock."""

    @property
    def removals_waiting(self) -> int:
        """How many removals were accepted on which the engine has not acted yet."""
        ...

    def accept(self, what: str, symbol: str, streams: tuple[str, ...] | None, act: Command) -> None:
        """``what`` is "add" or "remove"; the engine carries ``act`` out once this is on record."""
        ...

    def acted(self, label: str) -> None:
        """The entry of the schedule with this label has acted."""
        ...


class NoLog:
    """Keeps no record: the engine acts between this instant and the next."""

    removals_waiting = 0

    def __init__(self, inbox: Inbox) -> None:
        self._inbox = inbox

    def accept(self, what: str, symbol: str, streams: tuple[str, ...] | None, act: Command) -> None:  # noqa: ARG002
        """See :meth:`CommandLog.accept`."""
        self._inbox.post(act)

    def acted(self, label: str) -> None:
        """See :meth:`CommandLog.acted`."""
