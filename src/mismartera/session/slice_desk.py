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
        self._taken_us = 0

    def showed(self, end_us: int, parts: list[Part]) -> None:
        """Bars of the instant were shown. Nobody will ask for one that was taken already: a symbol that joins, or
        a stream that is back, shows bars of instants that are over for all others.
        """
        if parts and end_us > self._taken_us:
            self._parts.setdefault(end_us, []).extend(parts)

    def take(self, end_us: int) -> list[Part]:
        """All that was shown of the instant, which is complete; empty if nothing was."""
        self._taken_us = max(self._taken_us, end_us)
        return self._parts.pop(end_us, [])

    def __len__(self) -> int:
        """The number of instants of which something was shown, and that were not taken."""
        return len(self._parts)

    def clear(self) -> None:
        """A new session."""
        self._parts, self._taken_us = {}, 0
        self.due.clear()
