"""Strategy: what users write. The same class runs in backtest and live."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Collection
from typing import TYPE_CHECKING, Any, Protocol

from mismartera.bars import Bar, Bars
from mismartera.config import SessionConfig
from mismartera.session.history import MinuteValues
from mismartera.session.ports import Field
from mismartera.session.quality import Quality

if TYPE_CHECKING:
    from mismartera.session.slice import Slice


class StrategySession(Protocol):
    """``self.session``: what a strategy can read and do.

    Reads of market data answer None while the session is deactivated; inside a callback they show the data as of
    the callback's instant. They may be called from any thread.
    """

    @property
    def now(self) -> dt.datetime:
        """The engine's clock, in the exchange's zone."""
        ...

    @property
    def date(self) -> dt.date | None:
        """The date of the current session; None before the first one."""
        ...

    @property
    def symbols(self) -> tuple[str, ...]:
        """The loaded symbols, in rank order."""
        ...

    @property
    def config(self) -> SessionConfig:
        """The run's configuration, with the symbols as they are now; ``config.trading_config`` has your limits."""
        ...

    @property
    def is_active(self) -> bool:
        """True while strategies are notified."""
        ...

    def bars(self, symbol: str, interval: str) -> Bars | None:
        """The visible bars of this session: see :meth:`SessionData.get_bars`."""
        ...

    def indicator(self, symbol: str, name: str, interval: str | None = None) -> float | None:
        """The newest value of an indicator's column, for example ``"SMA_20"``; None until it is warm."""
        ...

    def history(self, symbol: str, interval: str) -> Bars | None:
        """The bars of the sessions before this one (``historical.data``)."""
        ...

    def historical(self, symbol: str, name: str) -> float | MinuteValues | None:
        """The value of a historical indicator (``historical.indicators``)."""
        ...

    def quality(self, symbol: str) -> Quality | None:
        """Expected and present base bars of this session so far; None if gated or not loaded."""
        ...

    def history_quality(self, symbol: str, interval: str) -> Quality | None:
        """Expected and present bars of a window of ``historical.data`` (``historical.enable_quality``)."""
        ...

    def add_symbol(self, symbol: str, streams: Collection[str] | None = None) -> bool:
        """Ask for a symbol: see :meth:`SessionCoordinator.add_symbol`."""
        ...

    def remove_symbol(self, symbol: str) -> bool:
        """Drop a symbol at once: see :meth:`SessionCoordinator.remove_symbol`."""
        ...

    def emit(self, name: str, value: Field = None) -> None:
        """Publish a signal: a ``signal`` event of this strategy."""
        ...

    def at(self, time: str | dt.datetime, fn: Callable[[], object]) -> None:
        """Call ``fn`` when the clock stands at ``time``, after that instant was delivered.

        ``time`` is the next such time of day ("10:00", "10:00:30"), a date-time ("2024-07-02T10:00", in exchange
        time), or an aware datetime. A time that has passed means: right after the present instant.
        """
        ...


class Strategy:
    """Override what you need; a callback that is not overridden costs nothing.

    ``symbols`` and ``intervals`` narrow what is delivered (None: everything that was requested). ``name``
    stands in events and errors and defaults to the class's name. An exception in a callback ends this strategy
    alone: it is recorded and the strategy is called no more (``analysis.on_strategy_error``).
    """

    symbols: Collection[str] | None = None
    intervals: Collection[str] | None = None
    name: str = ""
    session: StrategySession
    params: dict[str, Any]

    def __init__(self, **params: Any) -> None:
        """Keep ``analysis.strategies[].params`` as ``self.params``."""
        self.params = params

    def on_start(self) -> None:
        """The run begins: history is readable, the session is not open yet."""

    def on_session_open(self) -> None:
        """A session opens, before its first bar."""

    def on_session_active(self, active: bool, reason: str) -> None:
        """The gate moved (``open``, ``lag``, ``caught_up``, ``close``). Never gated itself."""

    def on_symbol_active(self, symbol: str, active: bool, reason: str) -> None:
        """One symbol's gate moved (``catchup_scope: "symbol"``)."""

    def on_symbol_loaded(self, symbol: str) -> None:
        """A symbol has joined and is caught up; its bars follow."""

    def on_symbol_removed(self, symbol: str) -> None:
        """A symbol has left."""

    def on_symbol_failed(self, symbol: str) -> None:
        """A symbol could not be loaded."""

    def on_bar(self, bar: Bar) -> None:
        """A bar is complete."""

    def on_slice(self, slice: Slice) -> None:
        """All bars of an instant, after its bars were delivered one by one."""

    def on_revision(self, bar: Bar) -> None:
        """A bar that was shown before has changed, or was filled in late (live)."""

    def on_session_close(self) -> None:
        """The session ends: its last instant was delivered, and it is still readable."""

    def on_stop(self) -> None:
        """The run ends."""
