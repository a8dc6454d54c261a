"""PinnedData: the reads of a strategy that runs on a thread of its own, as of what it is being told."""

from __future__ import annotations

from mismartera.bars import Bars
from mismartera.session.history import MinuteValues
from mismartera.session.quality import Quality
from mismartera.session.session_data import SessionData
from mismartera.session.state import SessionState
from mismartera.session.strategy_desk import StrategyDesk


class PinnedData(SessionData):
    """Answers nothing while its strategy lags, and nothing that ended after what the strategy is being told."""

    def __init__(self, state: SessionState, desk: StrategyDesk) -> None:
        super().__init__(state)
        self._desk = desk

    def is_session_active(self) -> bool:
        """True while this strategy is notified."""
        return self._desk.is_active and super().is_session_active()

    def get_bars(self, symbol: str, interval: str, internal: bool = False) -> Bars | None:
        """See :meth:`SessionData.get_bars`."""
        bars = super().get_bars(symbol, interval, internal)
        if bars is None or not self._desk.is_active:
            return None
        return bars[: int(bars.end_us.searchsorted(self._desk.pin_us, side="right"))]

    def get_indicator(self, symbol: str, name: str, interval: str | None = None) -> float | None:
        """See :meth:`SessionData.get_indicator`."""
        state = self._state
        until_us = min(self._desk.pin_us, state.visible_us(symbol))
        data = state.symbols.get(symbol)
        if (
            data is None
            or not (state.readable and data.loaded and self._desk.is_active)
            or symbol in state.inactive
        ):
            return None
        newest = data.newest_value(name, interval) or self._newest_value(data, symbol, name, interval)
        return newest.until(until_us)

    def get_history(self, symbol: str, interval: str) -> Bars | None:
        """See :meth:`SessionData.get_history`."""
        found = super().get_history(symbol, interval)
        return found if self._desk.is_active else None

    def get_history_quality(self, symbol: str, interval: str) -> Quality | None:
        """See :meth:`SessionData.get_history_quality`."""
        found = super().get_history_quality(symbol, interval)
        return found if self._desk.is_active else None

    def get_historical(self, symbol: str, name: str) -> float | MinuteValues | None:
        """See :meth:`SessionData.get_historical`."""
        found = super().get_historical(symbol, name)
        return found if self._desk.is_active else None
