"""Whoever listens to a feed in a test: reads its queue, and waits for what must come."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

from mismartera.bars.instants import MINUTE_US, SECOND_US
from mismartera.feeds import BarsArrived, FeedMessage, FeedQueue, Rejected
from mismartera.timing import RehearsalClock

OPEN_US = 1_719_927_000 * SECOND_US  # 2024-07-02 09:30 in New York
WALL_SECONDS = 15.0
"""How long a test waits for what must come; only a failing one waits that long."""

T = TypeVar("T", bound=FeedMessage)


class Listener:
    """Reads a feed's queue; keeps every message in order."""

    def __init__(self, bars_max: int = 200_000) -> None:
        self.messages: list[FeedMessage] = []
        self.queue = FeedQueue(bars_max)

    def of(self, kind: type[T]) -> list[T]:
        self.messages += self.queue.take_all()
        return [message for message in self.messages if isinstance(message, kind)]

    def bars(self) -> list[tuple[str, int]]:
        """Symbol and minute of every bar that arrived."""
        return [
            (symbol, (start - OPEN_US) // MINUTE_US)
            for message in self.of(BarsArrived)
            for symbol, start in zip(message.symbols, message.start_us.tolist(), strict=True)
        ]

    def rejected(self) -> dict[str, int]:
        counts: dict[str, int] = {}
        for message in self.of(Rejected):
            counts[message.reason] = counts.get(message.reason, 0) + message.count
        return counts

    def wait_until(self, condition: Callable[[], bool], wall_seconds: float = WALL_SECONDS) -> None:
        """Until the messages fulfil ``condition``; fails, and shows them, if they do not in time."""
        clock = RehearsalClock(0)
        clock.begin(clock.monotonic())
        while not condition():
            assert clock.now_us() < wall_seconds * SECOND_US, f"in vain: {self.messages[-20:]}"
            self.queue.wait(0.05)

    def wait_for(self, kind: type[T], count: int = 1) -> T:
        """The ``count``-th message of ``kind``."""
        self.wait_until(lambda: len(self.of(kind)) >= count)
        return self.of(kind)[count - 1]
