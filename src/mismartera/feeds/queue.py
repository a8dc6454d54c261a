"""FeedQueue: the bounded, ordered stream from a feed's thread to the engine's."""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable

from mismartera.feeds.port import FEW_BARS, BarsArrived, FeedMessage


class FeedQueue:
    """A :class:`~mismartera.feeds.port.FeedSink` for one reader.

    ``bars_max`` bounds the bars that wait (any other message counts as one). A full queue refuses, and the feed
    waits; an empty one takes a message of any size, so that nothing is too large to pass.
    """

    def __init__(self, bars_max: int = 200_000, on_message: Callable[[], None] | None = None) -> None:
        assert bars_max > 0, "a queue without room passes nothing"
        self._bars_max = bars_max
        self._on_message = on_message
        self._lock = threading.Lock()
        self._has_message = threading.Condition(self._lock)
        self._messages: deque[FeedMessage] = deque()
        self._bars = self._readers = 0
        self._waiting: list[Callable[[], None]] = []
        self._is_plain = True
        """All that waits are bars of the stream, and no corrections."""

    @property
    def waiting_bars(self) -> int:
        """How many bars (and other messages) wait."""
        return self._bars

    @property
    def has_few(self) -> bool:
        """True if some bars wait, few of them, and no correction or message of another kind."""
        return self._is_plain and 0 < self._bars <= FEW_BARS

    def put(self, message: FeedMessage) -> bool:
        """Take ``message`` and wake the reader; False if there is no room."""
        size = max(len(message.symbols), 1) if isinstance(message, BarsArrived) else 1
        with self._lock:
            if self._messages and self._bars + size > self._bars_max:
                return False
            self._messages.append(message)
            self._bars += size
            self._is_plain = self._is_plain and isinstance(message, BarsArrived) and not message.corrections
            if self._readers:
                self._has_message.notify_all()
        if self._on_message:
            self._on_message()
        return True

    def when_room(self, callback: Callable[[], None]) -> None:
        """Call ``callback`` when the reader has taken everything; at once if nothing waits."""
        with self._lock:
            if self._messages:
                self._waiting.append(callback)
                return
        callback()

    def take_all(self) -> list[FeedMessage]:
        """All messages that wait, in order."""
        with self._lock:
            taken = list(self._messages)
            self._messages.clear()
            self._bars, self._is_plain = 0, True
            waiting, self._waiting = self._waiting, []
        for callback in waiting:
            callback()
        return taken

    def wait(self, timeout_wall_seconds: float) -> bool:
        """Until a message waits; False if none came in time."""
        with self._lock:
            self._readers += 1
            try:
                return self._has_message.wait_for(lambda: bool(self._messages), timeout_wall_seconds)
            finally:
                self._readers -= 1
