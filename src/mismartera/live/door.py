"""IntakeDoor: what reaches the intake: orders of the engine, answers of the vendor, messages of the feed."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable

from mismartera.feeds.port import FeedMessage
from mismartera.feeds.queue import FeedQueue

Order = Callable[[], None]


class IntakeDoor:
    """Ordered. ``put`` and the queue's ``put`` may be called from any thread, the rest is the intake's."""

    def __init__(self, on_work: Callable[[], None]) -> None:
        self._on_work = on_work
        self._orders: deque[Order] = deque()
        self.queue = FeedQueue(on_message=on_work)

    def put(self, order: Order) -> None:
        """Let the intake carry ``order`` out at its next step."""
        self._orders.append(order)
        self._on_work()

    @property
    def has_work(self) -> bool:
        """True if anything waits."""
        return bool(self._orders) or self.queue.waiting_bars > 0

    @property
    def has_few_bars(self) -> bool:
        """True if a few bars of the stream are all that waits."""
        return not self._orders and self.queue.has_few

    def begin(self) -> None:
        """The intake begins a step."""

    def next_order(self) -> Order | None:
        """The next order, taken out; None if there is none."""
        return self._orders.popleft() if self._orders else None

    def messages(self) -> list[FeedMessage]:
        """What the feed has sent, in order, taken out."""
        return self.queue.take_all()
