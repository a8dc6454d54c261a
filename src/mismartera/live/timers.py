"""Timers: what is to be done at instants of the clock, in their order. The intake's thread only."""

from __future__ import annotations

import heapq
from collections.abc import Callable
from itertools import count

_Calls = list[tuple[int, int, Callable[[], None]]]


class Timers:
    """Calls by their time; those of one time in the order in which they were asked for.

    Alarms go before anything else that is to be done: see :meth:`ring`.
    """

    def __init__(self) -> None:
        self._heap: _Calls = []
        self._alarms: _Calls = []
        self._number = count()

    @property
    def next_us(self) -> int | None:
        """When the next one is due, alarm or not."""
        heap, alarms = self._heap, self._alarms
        if heap and alarms:
            return min(heap[0][0], alarms[0][0])
        return (heap or alarms)[0][0] if heap or alarms else None

    def at(self, due_us: int, call: Callable[[], None]) -> None:
        """Let ``call`` be made once the clock reads ``due_us``."""
        heapq.heappush(self._heap, (due_us, next(self._number), call))

    def alarm_at(self, due_us: int, call: Callable[[], None]) -> None:
        """The same, before all others."""
        heapq.heappush(self._alarms, (due_us, next(self._number), call))

    def ring(self, now_us: int) -> None:
        """Make the alarms that are due by ``now_us``, those that they ask for included."""
        _make(self._alarms, now_us)

    def run_due(self, now_us: int) -> None:
        """The same of the other calls."""
        _make(self._heap, now_us)

    def clear(self) -> None:
        """Forget all of them."""
        self._heap.clear()
        self._alarms.clear()


def _make(calls: _Calls, now_us: int) -> None:
    while calls and calls[0][0] <= now_us:
        heapq.heappop(calls)[2]()
