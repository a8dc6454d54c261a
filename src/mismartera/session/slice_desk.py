"""SliceDesk: puts the bars of an instant together that arrive one after the other, until it is complete (R4)."""

from __future__ import annotations

from collections import deque

from mismartera.session.part import Part


class SliceDesk:
    """What was shown of each instant that is not complete yet. On the engine's thread only."""

    def __init__(self) -> None:
        self.due: deque[int] = deque()
        """The ends of the instants that are complete, in their order."""
        self._parts: dict[int, list[Part]] = {}

    def showed(self, end_us: int, parts: list[Part]) -> None:
        """Bars of the instant were shown."""
        if parts:
            self._parts.setdefault(end_us, []).extend(parts)

    def take(self, end_us: int) -> list[Part]:
        """All that was shown of the instant, which is complete; empty if nothing was."""
        return self._parts.pop(end_us, [])

    def clear(self) -> None:
        """A new session."""
        self._parts = {}
        self.due.clear()
