"""Publisher: the session's events, in order, to whoever listens."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

from mismartera.session.ports import EventSink, Field
from mismartera.timing import TimeManager


class Publisher:
    """Hands each event to all sinks at once, stamped with the engine's clock; counts them by name."""

    def __init__(self, sinks: Sequence[EventSink], time: TimeManager) -> None:
        self.sinks = tuple(sinks)
        self.counts: Counter[str] = Counter()
        self._time = time

    def publish(self, name: str, /, **fields: Field) -> None:
        """Something happened now."""
        self.counts[name] += 1
        now = self._time.now_us()
        for sink in self.sinks:
            sink.event(name, now, fields)
