"""Sights: what a callback on the engine's thread sees of that which other threads change underneath it.

Whoever records a session notes it there, whoever plays it again brings it about: see :mod:`mismartera.trace`.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from typing import Protocol

from mismartera.bars import Bars
from mismartera.session.history import MinuteValues
from mismartera.session.quality import MeasuresOfOne, Quality
from mismartera.session.session_data import SessionData
from mismartera.session.state import SessionState

Measure = Callable[[], Quality | None]


class Sights(Protocol):
    """Notes looks, or repeats them."""

    def look(self, state: SessionState) -> None:
        """The session's data are about to be looked at. ``state`` stays as it is until the look is over."""
        ...

    def quality(self, measure: Measure) -> Quality | None:
        """What ``measure`` says of the bars that have come so far."""
        ...

    def numbers(self, found: Sequence[int]) -> list[int]:
        """``found``, which was counted of the bars that have come so far."""
        ...


class PlainSights:
    """Nobody takes notes."""

    def numbers(self, found: Sequence[int]) -> list[int]:
        """See the port."""
        return list(found)

    def look(self, state: SessionState) -> None:
        """Nothing."""

    def quality(self, measure: Measure) -> Quality | None:
        """See the port."""
        return measure()


class SightedMeasures:
    """What is measured of a symbol in mid-session, while bars come."""

    def __init__(self, measures: MeasuresOfOne, sights: Sights) -> None:
        self._measures = measures
        self._sights = sights

    def counts(self, symbol: str, until_us: int | None) -> dict[str, int] | None:
        """See :meth:`MeasuresOfOne.counts`."""
        found = self._measures.counts(symbol, until_us)
        return None if found is None else dict(zip(found, self._sights.numbers([*found.values()]), strict=True))

    def quality(self, symbol: str, until_us: int) -> Quality | None:
        """See :meth:`MeasuresOfOne.quality`."""
        return self._sights.quality(lambda: self._measures.quality(symbol, until_us))


class SightedData(SessionData):
    """The reads of strategies whose looks are noted. ``changed``: the registry's lock."""

    def __init__(self, state: SessionState, sights: Sights, changed: threading.Condition) -> None:
        super().__init__(state)
        self._sights = sights
        self._changed = changed

    def is_session_active(self) -> bool:
        """See :meth:`SessionData.is_session_active`."""
        with self._changed, self._state.lock:
            self._sights.look(self._state)
            return super().is_session_active()

    def get_bars(self, symbol: str, interval: str, internal: bool = False) -> Bars | None:
        """See :meth:`SessionData.get_bars`."""
        with self._changed, self._state.lock:
            self._sights.look(self._state)
            return super().get_bars(symbol, interval, internal)

    def get_indicator(self, symbol: str, name: str, interval: str | None = None) -> float | None:
        """See :meth:`SessionData.get_indicator`."""
        with self._changed, self._state.lock:
            self._sights.look(self._state)
            return super().get_indicator(symbol, name, interval)

    def get_history(self, symbol: str, interval: str) -> Bars | None:
        """See :meth:`SessionData.get_history`."""
        with self._changed, self._state.lock:
            self._sights.look(self._state)
            return super().get_history(symbol, interval)

    def get_history_quality(self, symbol: str, interval: str) -> Quality | None:
        """See :meth:`SessionData.get_history_quality`."""
        with self._changed, self._state.lock:
            self._sights.look(self._state)
            return super().get_history_quality(symbol, interval)

    def get_historical(self, symbol: str, name: str) -> float | MinuteValues | None:
        """See :meth:`SessionData.get_historical`."""
        with self._changed, self._state.lock:
            self._sights.look(self._state)
            return super().get_historical(symbol, name)
