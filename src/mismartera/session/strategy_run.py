"""StrategyRun: one strategy of a run. Whether it can be one is found out here, before anything begins."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import TypeVar

from msgspec import Struct

from mismartera.bars import Interval, check_symbol, parse_interval
from mismartera.config import SessionConfig
from mismartera.errors import UsageError
from mismartera.session.delivery import OnBar
from mismartera.session.plain import plain_text
from mismartera.session.strategy import Strategy
from mismartera.session.strategy_desk import StrategyDesk

_T = TypeVar("_T")
_CALLBACKS = tuple(name for name in vars(Strategy) if name.startswith("on_"))


class StrategyRun(Struct, eq=False):
    """One strategy of the run. ``error`` names the exception that ended it."""

    strategy: Strategy
    name: str
    symbols: frozenset[str] | None
    intervals: frozenset[Interval] | None
    error: str | None = None
    desk: StrategyDesk | None = None
    """Where it runs, if it has a thread of its own."""

    def listener(self) -> OnBar:
        """Whoever takes its bars."""
        return self.strategy.on_bar if self.desk is None else self.desk.on_bar

    def overrides(self, callback: str) -> bool:
        """True if the strategy's class has its own ``callback`` and still runs."""
        return self.error is None and getattr(type(self.strategy), callback) is not getattr(Strategy, callback)

    def wants(self, symbol: str, interval: str) -> bool:
        """True if bars of this series are for the strategy."""
        return (self.symbols is None or symbol in self.symbols) and (
            self.intervals is None or parse_interval(interval) in self.intervals
        )


def runs_of(strategies: Sequence[Strategy]) -> list[StrategyRun]:
    """One per strategy, in their order. UsageError for one whose filters are none, or whose callbacks would never
    run.
    """
    return [_run(strategy, name) for strategy, name in zip(strategies, _names(strategies), strict=True)]


def misses(runs: Iterable[StrategyRun], config: SessionConfig) -> Iterator[str]:
    """What to warn of before the run: strategies that ask for intervals which none of its streams has.

    They may still add a symbol that has them.
    """
    added = (label for entry in config.schedule for label in entry.streams or ())
    there = dict.fromkeys(map(parse_interval, (*config.session_data_config.streams, *added)))
    for run in runs:
        absent = sorted((run.intervals or frozenset()) - there.keys())
        if absent:
            yield (
                f"strategy {run.name} asks for {', '.join(map(str, absent))}, which no stream of the session has: "
                f"there are {', '.join(map(str, there))}"
            )


def _run(strategy: Strategy, name: str) -> StrategyRun:
    _check_callbacks(strategy, name)
    for what in ("symbols", "intervals"):
        value = getattr(strategy, what)
        if isinstance(value, str):
            raise UsageError(f"{what} of strategy {name} is the text {value!r}: give a collection, ({value!r},)")
    return StrategyRun(
        strategy,
        name,
        None if strategy.symbols is None else frozenset(_checked(name, "symbols", check_symbol, strategy.symbols)),
        None
        if strategy.intervals is None
        else frozenset(_checked(name, "intervals", parse_interval, strategy.intervals)),
    )


def _check_callbacks(strategy: Strategy, name: str) -> None:
    """A call of a coroutine function or of a generator function runs nothing of it."""
    for callback in _CALLBACKS:
        function = getattr(strategy, callback)
        if inspect.iscoroutinefunction(function):
            found, instead = "an 'async def'", "write 'def'"
        elif inspect.isgeneratorfunction(function) or inspect.isasyncgenfunction(function):
            found, instead = "a generator", "leave out its 'yield'"
        else:
            continue
        raise UsageError(f"{callback} of strategy {name} is {found}, which would never run: {instead}")


def _checked(name: str, what: str, check: Callable[[str], _T], values: Iterable[str]) -> list[_T]:
    try:
        return [check(value) for value in values]
    except ValueError as error:
        raise UsageError(f"{what} of strategy {name}: {error}") from error


def _names(strategies: Sequence[Strategy]) -> list[str]:
    """Distinct names in configured order: ``Momentum``, ``Momentum#2`` ..."""
    names: list[str] = []
    for strategy in strategies:
        name = wanted = plain_text(strategy.name or type(strategy).__name__)
        count = 1
        while wanted in names:
            count += 1
            wanted = f"{name}#{count}"
        names.append(wanted)
    return names
