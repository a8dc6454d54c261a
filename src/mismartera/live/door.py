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
        self._due = 0
        """How many orders this step may still carry out."""
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
        """The intake begins a step, with the orders that are there now.

        One that the engine gives on what this very step tells it belongs to the next: so whatever a step sees was
        there before anything that it tells, and a replay can take a step as a whole.
        """
        self._due = len(self._orders)

    def next_order(self) -> Order | None:
        """The next order of this step, taken out; None if there is none."""
        if not self._due:
            return None
        self._due -= 1
        return self._orders.popleft()

    def messages(self) -> list[FeedMessage]:
        """What the feed has sent, in order, taken out."""
        return self.queue.take_all()
