"""StrategyContext: ``self.session`` of one strategy, made of the parts that answer."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Collection

from mismartera.bars import Bars
from mismartera.config import SessionConfig
from mismartera.session.analysis import AnalysisEngine
from mismartera.session.coordinator import SessionCoordinator
from mismartera.session.history import MinuteValues
from mismartera.session.moments import moment_us
from mismartera.session.plain import plain_name, plain_value
from mismartera.session.ports import Field
from mismartera.session.quality import Quality
from mismartera.session.session_data import SessionData
from mismartera.session.sights import Sights
from mismartera.session.strategy_run import StrategyRun


class StrategyContext:
    """See :class:`StrategySession`, the contract that this keeps."""

    def __init__(
        self, coordinator: SessionCoordinator, run: StrategyRun, analysis: AnalysisEngine,
        data: SessionData, sights: Sights,
    ) -> None:  # fmt: skip
        self._coordinator = coordinator
        self._data = data
        self._sights = sights
        self._run = run
        self._analysis = analysis
        self.indicator = data.get_indicator  # type: ignore[method-assign]  # what is asked most often: a call less

    @property
    def now(self) -> dt.datetime:
        """The engine's clock, in the exchange's zone."""
        return self._coordinator.time.get_current_time()

    @property
    def date(self) -> dt.date | None:
        """The date of the current session; None before the first one."""
        return self._coordinator.date

    @property
    def symbols(self) -> tuple[str, ...]:
        """The loaded symbols, in rank order."""
        return self._coordinator.loaded_in_order()

    @property
    def config(self) -> SessionConfig:
        """The run's configuration, with the symbols as they are now."""
        return self._coordinator.config

    @property
    def is_active(self) -> bool:
        """True while strategies are notified."""
        return self._data.is_session_active()

    def bars(self, symbol: str, interval: str) -> Bars | None:
        """The visible bars of this session."""
        return self._data.get_bars(symbol, interval)

    def indicator(self, symbol: str, name: str, interval: str | None = None) -> float | None:
        """The newest value of an indicator's column; None until it is warm."""
        return self._data.get_indicator(symbol, name, interval)

    def history(self, symbol: str, interval: str) -> Bars | None:
        """The bars of the sessions before this one."""
        return self._data.get_history(symbol, interval)

    def historical(self, symbol: str, name: str) -> float | MinuteValues | None:
        """The value of a historical indicator."""
        return self._data.get_historical(symbol, name)

    def quality(self, symbol: str) -> Quality | None:
        """Expected and present base bars of this session so far."""
        return self._sights.quality(lambda: self._coordinator.get_quality(symbol))

    def history_quality(self, symbol: str, interval: str) -> Quality | None:
        """Expected and present bars of a window of ``historical.data``."""
        return self._data.get_history_quality(symbol, interval)

    def add_symbol(self, symbol: str, streams: Collection[str] | None = None) -> bool:
        """Ask for a symbol."""
        return self._coordinator.add_symbol(symbol, streams)

    def remove_symbol(self, symbol: str) -> bool:
        """Drop a symbol at once."""
        return self._coordinator.remove_symbol(symbol)

    def emit(self, name: str, value: Field = None) -> None:
        """Publish a ``signal`` event; a number that is not finite is published as null.

        TypeError for a name that is no text, and for a value that is no text, number, truth value or None (NumPy's
        scalars are numbers).
        """
        self._coordinator.tell(self._signal(name, value))

    def at(self, time: str | dt.datetime, fn: Callable[[], object]) -> None:
        """Call ``fn`` when the clock stands at ``time``, isolated like a callback."""
        at_us = moment_us(time, self._coordinator.time, self._coordinator.dates)
        label = f"the call that strategy {self._run.name} has asked for at {time}"
        self._coordinator.agenda.add(at_us, lambda: self._call(fn), label=label)
        self._coordinator.inbox.look_again()  # it may stream towards a later moment already

    def _signal(self, name: str, value: Field) -> Callable[[], None]:
        text, plain = plain_name(name), plain_value(value)
        return lambda: self._coordinator.publisher.publish(
            "signal", strategy=self._run.name, name=text, value=plain
        )

    def _call(self, fn: Callable[[], object]) -> None:
        if self._run.error is None:
            self._analysis.call(self._run, fn)
