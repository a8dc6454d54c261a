"""RecentEvents: what has happened lately, numbered, and how long the session was in which state.

A sink. The engine's thread puts a reference into a ring and goes on; whatever else is done with an event is
done by whoever reads it, on a thread of its own.
"""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Mapping
from itertools import islice
from typing import Any

from msgspec import Struct

from mismartera.bars import Bar
from mismartera.bars.instants import SECOND_US, to_iso
from mismartera.session.ports import Field

WAITING, ACTIVE, CATCHING_UP, STALE, PAUSED, CLOSED = (
    "waiting", "active", "catching_up", "stale", "paused", "closed",
)  # fmt: skip
STATES = (WAITING, ACTIVE, CATCHING_UP, STALE, PAUSED, CLOSED)
_SPANS_MAX = 2_000
_NEAR = 500
_CAUSES = {"close": CLOSED, "stopped": CLOSED, "stale": STALE, "paused": PAUSED}
_FOLLOWED = {
    "session_activated", "session_deactivated", "session_state", "symbol_activated", "symbol_deactivated",
    "symbol_removed",
}  # fmt: skip


class RecentEvent(Struct, frozen=True):
    """An event with its number; ``fields`` as in the event log."""

    seq: int
    time_us: int
    name: str
    fields: Mapping[str, Field]

    def as_json(self) -> dict[str, Any]:
        """The event as an object of the event log."""
        return {**self.fields, "seq": self.seq, "time": to_iso(self.time_us), "event": self.name}


class StateSpan(Struct, frozen=True):
    """From ``from_us`` on, in the engine's time, the session is in ``state``, because of ``reason``."""

    from_us: int
    state: str
    reason: str


class RecentEvents:
    """Keeps the last ``kept`` events. Written on the engine's thread and by whoever notes a command; read on any.

    ``seq`` is the number of the newest one, from 1 on. ``withheld``: the symbols that are withheld alone, and why.
    """

    wants_bars = wants_gaps = False

    def __init__(self, kept: int) -> None:
        self._lock = threading.Lock()
        self._ring: deque[RecentEvent] = deque(maxlen=kept)
        self.seq = 0
        self.span = StateSpan(0, WAITING, "not started")
        self.spans: deque[StateSpan] = deque(maxlen=_SPANS_MAX)
        self.withheld: dict[str, str] = {}
        self.last_us = 0
        self._seconds: dict[str, float] = dict.fromkeys(STATES, 0.0)

    def event(self, name: str, now_us: int, fields: Mapping[str, Field]) -> None:
        """Keep an event."""
        with self._lock:
            self.seq += 1
            self._ring.append(RecentEvent(self.seq, now_us, name, fields))
            self.last_us = now_us
        if name in _FOLLOWED:
            self._follow(name, now_us, fields)

    def bar(self, bar: Bar) -> None:
        """Never called: this sink wants no bars."""

    def note(self, name: str, fields: Mapping[str, Field]) -> None:
        """Keep something that the session itself has not published, at the time of its last event."""
        with self._lock:
            self.seq += 1
            self._ring.append(RecentEvent(self.seq, self.last_us, name, fields))

    def after(self, seq: int, limit: int) -> tuple[list[RecentEvent], bool]:
        """The first ``limit`` events after ``seq``; True if others between are no longer kept."""
        with self._lock:
            first = self._ring[0].seq if self._ring else self.seq + 1
            newer = min(max(0, self.seq - seq), len(self._ring))
            if newer <= _NEAR:  # whoever keeps up need not walk over the whole ring
                found = list(islice(reversed(self._ring), newer))[::-1][:limit]
            else:
                skip = len(self._ring) - newer
                found = list(islice(self._ring, skip, skip + limit))
            return found, seq + 1 < first

    @property
    def oldest(self) -> int:
        """The number of the oldest event that is kept; one more than ``seq`` if none is."""
        with self._lock:
            return self._ring[0].seq if self._ring else self.seq + 1

    def seconds(self, now_us: int) -> dict[str, float]:
        """How many seconds of the engine's time the session was in each state, up to ``now_us``."""
        span, found = self.span, self._seconds.copy()
        if span.from_us:
            found[span.state] += max(0, now_us - span.from_us) / SECOND_US
        return found

    def _follow(self, name: str, now_us: int, fields: Mapping[str, Field]) -> None:
        reason, symbol = str(fields.get("reason")), str(fields.get("symbol"))
        if name == "symbol_deactivated":
            self.withheld[symbol] = reason
        elif name in {"symbol_activated", "symbol_removed"}:
            self.withheld.pop(symbol, None)
        elif name == "session_state":
            self._enter(str(fields.get("to")), reason, now_us)
        elif name == "session_activated":
            self._enter(ACTIVE, reason, now_us)
        else:
            self._enter(_CAUSES.get(reason, CATCHING_UP), reason, now_us)

    def _enter(self, state: str, reason: str, now_us: int) -> None:
        before = self.span
        if before.from_us:
            self._seconds[before.state] += max(0, now_us - before.from_us) / SECOND_US
        self.span = StateSpan(now_us, state, reason)
        self.spans.append(self.span)
