"""PinnedData: the reads of a strategy that runs on a thread of its own, as of what it is being told."""

from __future__ import annotations

from collections.abc import Callable

from mismartera.bars import Bars
from mismartera.session.history import MinuteValues
from mismartera.session.quality import Quality
from mismartera.session.session_data import SessionData
from mismartera.session.sights import Sights
from mismartera.session.state import SessionState
from mismartera.session.strategy_desk import StrategyDesk
from mismartera.session.turns import T, Turn


class PinnedData(SessionData):
    """Answers nothing while its strategy lags, and nothing that ended after what the strategy is being told."""

    def __init__(self, state: SessionState, desk: StrategyDesk, sights: Sights) -> None:
        super().__init__(state)
        self._desk = desk
        self._sights = sights

    def is_session_active(self) -> bool:
        """True while this strategy is notified."""
        return bool(self._read(super().is_session_active))

    def get_bars(self, symbol: str, interval: str, internal: bool = False) -> Bars | None:
        """See :meth:`SessionData.get_bars`."""
        read = super().get_bars

        def pinned() -> Bars | None:
            bars = read(symbol, interval, internal)
            if bars is None:
                return None
            return bars[: int(bars.end_us.searchsorted(self._desk.pin_us, side="right"))]

        return self._read(pinned)

    def get_indicator(self, symbol: str, name: str, interval: str | None = None) -> float | None:
        """See :meth:`SessionData.get_indicator`."""

        def pinned() -> float | None:
            state = self._state
            until_us = min(self._desk.pin_us, state.visible_us(symbol))
            data = state.symbols.get(symbol)
            if data is None or not (state.readable and data.loaded) or symbol in state.inactive:
                return None
            newest = data.newest_values.get((name, interval)) or self._newest_value(data, symbol, name, interval)
            return newest.until(until_us)

        return self._read(pinned)

    def get_history(self, symbol: str, interval: str) -> Bars | None:
        """See :meth:`SessionData.get_history`."""
        read = super().get_history
        return self._read(lambda: read(symbol, interval))

    def get_history_quality(self, symbol: str, interval: str) -> Quality | None:
        """See :meth:`SessionData.get_history_quality`."""
        read = super().get_history_quality
        return self._read(lambda: read(symbol, interval))

    def get_historical(self, symbol: str, name: str) -> float | MinuteValues | None:
        """See :meth:`SessionData.get_historical`."""
        read = super().get_historical
        return self._read(lambda: read(symbol, name))

    def _read(self, read: Callable[[], T]) -> T | None:
        """What ``read`` gives, in a turn; None while the strategy lags."""

        def look() -> T | None:
            with self._state.lock:
                self._sights.look(self._state)
                found = read()  # a wrong name is told of, whether it lags or not
            return found if self._desk.is_active else None

        return self._desk.turn(Turn.READ, look)
