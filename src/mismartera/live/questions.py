"""Questions to the vendor's store about single minutes, and when each is asked."""

from __future__ import annotations

from collections import deque
from collections.abc import Mapping, Sequence

from msgspec import Struct

from mismartera.bars.instants import MINUTE_US
from mismartera.live.entry import Entry

_SECOND_US = MINUTE_US


class CheckSettings(Struct, frozen=True):
    """``gap_filler``'s and ``feed.reconcile_minutes`` (microseconds)."""

    max_retries: int
    retry_us: int
    reconcile_us: int
    grace_us: int


class Question(Struct, eq=False):
    """A minute of which nothing is known: how often that was asked, and when it is next (None: often enough)."""

    attempts: int = 0
    due_us: int | None = 0


class SecondLooks:
    """What a store has no bar of is asked for once more, a minute later: it may be behind the stream (F07)."""

    def __init__(self) -> None:
        self._waiting: deque[tuple[int, Mapping[Entry, Sequence[int]]]] = deque()

    def put(self, silent: Mapping[Entry, Sequence[int]], now_us: int) -> int:
        """Look again at these minutes, which were quiet just now; when that is."""
        self._waiting.append((now_us + _SECOND_US, silent))
        return now_us + _SECOND_US

    def due(self, now_us: int, entries: Mapping[str, Entry]) -> dict[Entry, list[int]]:
        """What is to be looked at by now, of those of ``entries`` that are not being spliced."""
        found: dict[Entry, list[int]] = {}
        while self._waiting and self._waiting[0][0] <= now_us:
            for entry, windows in self._waiting.popleft()[1].items():
                if entries.get(entry.symbol) is entry and entry.held is None:
                    found.setdefault(entry, []).extend(windows)
        return found
