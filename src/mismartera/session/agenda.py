"""Agenda: what acts at a time of the engine's clock: schedule entries, ``at`` calls, ``run_until``."""

from __future__ import annotations

import threading
from bisect import insort
from collections.abc import Callable
from dataclasses import dataclass, field

Action = Callable[[], object]


@dataclass(frozen=True, slots=True, order=True)
class Entry:
    """``action`` acts when the clock stands at ``at_us``: by time, then by ``last`` (False first), then in
    order.
    """

    at_us: int
    last: bool
    number: int
    action: Action = field(compare=False)
    label: str = field(compare=False, default="")


class Agenda:
    """Entries in the order in which they act. Safe to add to from any thread."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._entries: list[Entry] = []
        self._count = 0
        self.next_us: int | None = None

    def __len__(self) -> int:
        return len(self._entries)

    def labels(self) -> list[str]:
        """What the waiting entries that have a name are called."""
        with self._lock:
            return [entry.label for entry in self._entries if entry.label]

    def add(self, at_us: int, action: Action, *, last: bool = False, label: str = "") -> None:
        """Let ``action`` act at ``at_us``, after the entries of that time that are there; ``last``: after all
        others.
        """
        with self._lock:
            self._count += 1
            insort(self._entries, Entry(at_us, last, self._count, action, label))
            self.next_us = self._entries[0].at_us

    def pop_due(self, now_us: int, *, last: bool = False) -> Entry | None:
        """The next entry whose time has come, taken out; None if there is none.

        Entries that come last at their time are only taken with ``last``.
        """
        with self._lock:
            if not self._entries or self._entries[0].at_us > now_us or self._entries[0].last > last:
                return None
            entry = self._entries.pop(0)
            self.next_us = self._entries[0].at_us if self._entries else None
            return entry
