"""DeskContext: ``self.session`` of a strategy on a thread of its own."""

from __future__ import annotations

import datetime as dt
import threading
from collections.abc import Callable, Collection
from functools import partial

from mismartera.config import SessionConfig
from mismartera.session.analysis import AnalysisEngine
from mismartera.session.context import StrategyContext
from mismartera.session.coordinator import SessionCoordinator
from mismartera.session.inbox import DESK
from mismartera.session.ports import Field
from mismartera.session.quality import Quality
from mismartera.session.session_data import SessionData
from mismartera.session.sights import Sights
from mismartera.session.strategy_desk import StrategyDesk
from mismartera.session.strategy_run import StrategyRun
from mismartera.session.turns import Turn


class DeskContext(StrategyContext):
    """Whatever the strategy looks at or asks for has a turn of its desk; the bars have theirs by themselves."""

    def __init__(
        self, coordinator: SessionCoordinator, run: StrategyRun, desk: StrategyDesk, analysis: AnalysisEngine,
        data: SessionData, sights: Sights,
    ) -> None:  # fmt: skip
        super().__init__(coordinator, run, analysis, data, sights)
        self._desk = desk

    @property
    def now(self) -> dt.datetime:
        """The engine's clock, in the exchange's zone."""
        return self._desk.turn(Turn.READ, self._coordinator.time.get_current_time)

    @property
    def date(self) -> dt.date | None:
        """The date of the current session; None before the first one."""
        return self._desk.turn(Turn.READ, lambda: self._coordinator.date)

    @property
    def symbols(self) -> tuple[str, ...]:
        """The loaded symbols, in rank order."""
        return self._desk.turn(Turn.READ, self._coordinator.loaded_in_order)

    @property
    def config(self) -> SessionConfig:
        """The run's configuration, with the symbols as they are now."""
        return self._desk.turn(Turn.READ, lambda: self._coordinator.config)

    def quality(self, symbol: str) -> Quality | None:
        """Expected and present base bars of this session so far."""
        return self._desk.turn(Turn.READ, partial(super().quality, symbol))

    def add_symbol(self, symbol: str, streams: Collection[str] | None = None) -> bool:
        """Ask for a symbol."""
        return self._desk.turn(Turn.ADD, partial(super().add_symbol, symbol, streams))

    def remove_symbol(self, symbol: str) -> bool:
        """Drop a symbol at once."""
        return self._desk.turn(Turn.REMOVE, partial(super().remove_symbol, symbol))

    def emit(self, name: str, value: Field = None) -> None:
        """See :meth:`StrategyContext.emit`."""
        if not self._desk.is_mine(threading.current_thread()):
            super().emit(name, value)
            return
        signal = self._signal(name, value)
        self._desk.turn(Turn.SIGNAL, lambda: self._coordinator.inbox.urge(signal, DESK))

    def at(self, time: str | dt.datetime, fn: Callable[[], object]) -> None:
        """Call ``fn`` when the clock stands at ``time``, isolated like a callback."""
        self._desk.turn(Turn.AT, partial(super().at, time, fn))
