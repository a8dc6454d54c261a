"""Watchdog: while a callback keeps the engine, nobody reads what is stale by then; the callback is named."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable

from mismartera.bars.instants import SECOND_US
from mismartera.session.analysis import AnalysisEngine
from mismartera.session.delivery import Calling
from mismartera.session.desks import Desks
from mismartera.session.state import SessionState
from mismartera.session.streamer import Streamer
from mismartera.timing import Clock


class Watchdog:
    """Looks at the engine from the intake's thread.

    The engine itself deactivates the session as soon as it has the word again; until then its reads are shut here.
    ``sent`` has the ends of what was sent to the engine and not yet taken.
    """

    def __init__(
        self, analysis: AnalysisEngine, state: SessionState, streamer: Streamer, clock: Clock, threshold_us: int,
        warn: Callable[[str], None], desks: Desks | None = None,
    ) -> None:  # fmt: skip
        self._analysis = analysis
        self._state = state
        self._streamer = streamer
        self._clock = clock
        self._threshold_us = threshold_us
        self._warn = warn
        self._seen: tuple[Calling, int] | None = None
        self._warned: Calling | None = None
        self._desks = desks
        self._named: list[str] = []
        self.sent: deque[int] = deque()

    def look(self) -> None:
        """Shut the reads if the engine is kept from what is stale by now."""
        if self._desks is not None:
            kept = self._desks.kept_waiting()
            for name in kept:
                if name not in self._named:
                    self._warn(f"{name} is slow: it is told of nothing, and reads nothing, until it has caught up")
            self._named = kept
        calling = self._analysis.calling
        now_us = self._clock.now_us()
        if calling is None:
            self._seen = None
            return
        if self._seen is None or self._seen[0] is not calling:
            self._seen = (calling, now_us)
        waited_us = now_us - self._seen[1]
        if waited_us > self._threshold_us and self._warned is not calling:
            self._warned = calling
            name = self._analysis.name_of(calling) or "a listener"
            self._warn(
                f"{name} has kept the engine for {waited_us / SECOND_US:.0f} s: the session catches up after it"
            )
        oldest_us = self._oldest_us()
        if oldest_us is None or now_us - oldest_us <= self._threshold_us:
            return
        with self._state.lock:
            if self._analysis.calling is calling and self._state.active:
                self._state.shut()

    def _oldest_us(self) -> int | None:
        """The end of the oldest bar that the engine has not shown."""
        head_us = self._streamer.tape.head_end
        sent_us = min(self.sent.copy(), default=None)
        return min([us for us in (head_us, sent_us) if us is not None], default=None)
