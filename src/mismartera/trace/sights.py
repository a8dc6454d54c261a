"""What a callback sees of that which other threads do while it runs: noted, and brought about again."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from mismartera.session.quality import Quality
from mismartera.session.sights import Measure
from mismartera.session.state import SessionState
from mismartera.trace.items import Kind, TraceLog
from mismartera.trace.recorded import LoggedCommands
from mismartera.trace.script import Script

FEED_INTERVAL = "1m"
"""A feed's bars, whose quality is measured."""


class RecordedSights:
    """Notes those looks of callbacks that see what other threads have done since the look before."""

    def __init__(self, log: TraceLog, is_engine: Callable[[], bool], commands: LoggedCommands) -> None:
        self._log = log
        self._is_engine = is_engine
        self._commands = commands
        self._looks = 0
        self._seen = (0, 0)

    def look(self, state: SessionState) -> None:
        """See the port."""
        if not self._is_engine():
            return
        self._looks += 1
        seen = (state.shuts, self._commands.foreign)
        if seen != self._seen:
            is_shut = state.is_shut and state.shuts != self._seen[0]
            self._log.note(Kind.LOOK, self._looks << 1 | is_shut)
            self._seen = seen

    def quality(self, measure: Measure) -> Quality | None:
        """See the port."""
        found = measure()
        if self._is_engine():
            for number in (-1,) if found is None else (found.expected, found.present):
                self._log.note(Kind.QUALITY, number)
        return found

    def numbers(self, found: Sequence[int]) -> list[int]:
        """See the port."""
        if self._is_engine():
            for number in found:
                self._log.note(Kind.QUALITY, number)
        return list(found)


class PlayedSights:
    """Callbacks see what they saw."""

    def __init__(self, script: Script) -> None:
        self._script = script
        self._looks = 0

    def look(self, state: SessionState) -> None:
        """See the port."""
        if not self._script.is_asking():
            return
        self._looks += 1
        if self._script.looked(self._looks):
            state.shut()

    def quality(self, measure: Measure) -> Quality | None:
        """See the port."""
        if not self._script.is_asking():
            return measure()
        expected = self._script.engine_item(Kind.QUALITY)
        return None if expected < 0 else Quality(FEED_INTERVAL, expected, self._script.engine_item(Kind.QUALITY))

    def numbers(self, found: Sequence[int]) -> list[int]:
        """See the port."""
        if not self._script.is_asking():
            return list(found)
        return [self._script.engine_item(Kind.QUALITY) for _ in found]
