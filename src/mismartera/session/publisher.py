"""Publisher: the session's events, in order, to whoever listens."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

from mismartera.bars.instants import to_iso
from mismartera.session.ports import EventSink, Field
from mismartera.session.quality import Gap
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

    @property
    def wants_gaps(self) -> bool:
        """True if anybody listens to gaps."""
        return any(sink.wants_gaps for sink in self.sinks)

    def publish_gaps(self, gaps: Sequence[Gap]) -> None:
        """Gaps were found: for those that want to know."""
        now = self._time.now_us()
        for gap in gaps:
            span = {"from": to_iso(gap.from_us), "to": to_iso(gap.to_us)}
            fields: dict[str, Field] = {
                "symbol": gap.symbol,
                "interval": gap.interval,
                "missing": gap.missing,
                **span,
            }
            for sink in self.sinks:
                if sink.wants_gaps:
                    sink.event("gap", now, fields)
