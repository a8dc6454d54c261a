"""Timers: what is to be done at instants of the clock, in their order. The intake's thread only."""

from __future__ import annotations

import heapq
from collections.abc import Callable
from itertools import count


class Timers:
    """Calls by their time; those of one time in the order in which they were asked for."""

    def __init__(self) -> None:
        self._heap: list[tuple[int, int, Callable[[], None]]] = []
        self._number = count()

    @property
    def next_us(self) -> int | None:
        """When the next one is due."""
        return self._heap[0][0] if self._heap else None

    def at(self, due_us: int, call: Callable[[], None]) -> None:
        """Let ``call`` be made once the clock reads ``due_us``."""
        heapq.heappush(self._heap, (due_us, next(self._number), call))

    def run_due(self, now_us: int) -> None:
        """Make the calls that are due by ``now_us``, those that they ask for included."""
        while self._heap and self._heap[0][0] <= now_us:
            heapq.heappop(self._heap)[2]()

    def clear(self) -> None:
        """Forget all of them."""
        self._heap = []
