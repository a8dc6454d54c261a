"""The fence (R6, I7): once ``remove_symbol`` has returned, nothing of the symbol is told or read any more."""

from __future__ import annotations

from datetime import datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.property.helpers import Lines, bars_of, make_engine
from tests.property.worlds import SYMBOLS, World, worlds

from mismartera.bars import Bar
from mismartera.bars.instants import to_us
from mismartera.session import chunk
from mismartera.session.chunk import MANY
from mismartera.session.slice import Slice
from mismartera.session.strategy import Strategy
from mismartera.testing.invariants import breaches, unbalanced

Action = tuple[str, int, str, str]
"""In which callback, at its how-maniest call, what, and with which symbol."""

ACTIONS = st.lists(
    st.tuples(
        st.sampled_from(["on_bar", "on_bar", "on_slice", "on_symbol_loaded", "on_session_active"]),
        st.integers(0, 40),
        st.sampled_from(["remove", "remove", "add"]),
        st.sampled_from(["itself", *SYMBOLS]),
    ),
    max_size=6,
)


class Meddler(Strategy):
    """Adds and removes symbols from within its callbacks, and holds all that it is told against the fence.

    ``removed`` is shared by all strategies of a run: the symbols that are out at this moment.
    """

    def __init__(self, plan: list[Action], removed: set[str], labels: list[str]) -> None:
        super().__init__()
        self.plan = {(callback, at): (what, whom) for callback, at, what, whom in plan}
        self.calls: dict[str, int] = {}
        self.removed = removed
        self.labels = labels
        self.bars: list[tuple[str, str, int, int]] = []
        self.slice_bars: list[tuple[str, str, int, int]] = []
        self.missed: list[tuple[str, str, int, int]] = []
        """Bars in whose callback this strategy removed their own symbol: those after it never get them."""

    def on_bar(self, bar: Bar) -> None:
        assert bar.symbol not in self.removed, f"{bar} is told after its symbol was removed"
        self.bars.append(key(bar))
        if self.act("on_bar", bar.symbol) and bar.symbol in self.removed:
            self.missed.append(key(bar))

    def on_slice(self, slice: Slice) -> None:
        assert not self.removed & set(slice), f"a slice has {self.removed & set(slice)}, which were removed"
        columns = {symbol for label in slice.intervals for symbol in slice.columns(label).symbols}
        assert columns == set(slice)
        self.slice_bars += [key(bar) for bars in slice.values() for bar in bars]
        self.act("on_slice", next(iter(slice)))

    def on_symbol_loaded(self, symbol: str) -> None:
        assert symbol not in self.removed
        self.act("on_symbol_loaded", symbol)

    def on_session_active(self, active: bool, reason: str) -> None:
        self.act("on_session_active", SYMBOLS[0])

    def act(self, callback: str, present: str) -> bool:
        count = self.calls[callback] = self.calls.get(callback, 0) + 1
        what, whom = self.plan.get((callback, count), ("", ""))
        symbol = present if whom == "itself" else whom
        if what == "add" and self.session.add_symbol(symbol):
            self.removed.discard(symbol)
        if what == "remove" and self.session.remove_symbol(symbol):
            self.removed.add(symbol)
            assert symbol not in self.session.symbols
            assert all(self.session.bars(symbol, label) is None for label in self.labels)
        return bool(what)


@given(worlds(with_schedule=False), ACTIONS, ACTIONS)
def test_nothing_is_told_or_read_of_a_symbol_once_its_removal_has_returned(
    world: World, one: list[Action], two: list[Action]
) -> None:
    """And the deliveries balance with the log: only what an earlier strategy cut off is missing at a later one."""
    first, second, lines, summary = meddled(world, one, two)
    assert breaches(lines, threshold_seconds=threshold(world)) == []
    logged = [as_key(line) for line in bars_of(lines)]
    assert first.bars == logged
    assert second.bars == [bar for bar in logged if bar not in first.missed]
    assert summary["bars_delivered"] == len(logged)
    assert set(second.slice_bars) <= set(first.slice_bars) <= set(logged)
    assert unbalanced(summary["counts"]) == []


@given(worlds(with_schedule=False), ACTIONS, st.sampled_from([2, MANY]))
def test_a_strategy_is_told_the_same_with_a_log_and_without_alone_and_in_company(
    world: World, plan: list[Action], many: int
) -> None:
    """The engine delivers to a single listener by a shorter way: it must lead to the same place."""
    alone, company = Meddler(plan, set(), labels(world)), Meddler(plan, set(), labels(world))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(chunk, "MANY", many)
        silent = make_engine(world.config, world.bars, [alone], with_log=False).run()
    logged = make_engine(world.config, world.bars, [company, Strategy()]).run()
    assert alone.bars == company.bars
    assert alone.slice_bars == company.slice_bars
    assert silent.summary == logged.summary


def meddled(world: World, one: list[Action], two: list[Action]) -> tuple[Meddler, Meddler, Lines, Any]:
    removed: set[str] = set()
    first, second = Meddler(one, removed, labels(world)), Meddler(two, removed, labels(world))
    result = make_engine(world.config, world.bars, [first, second]).run()
    return first, second, result.events, result.summary


def labels(world: World) -> list[str]:
    return list(world.json["session_data_config"]["streams"])


def threshold(world: World) -> float:
    return world.config.session_data_config.streaming.catchup_threshold_seconds


def key(bar: Bar) -> tuple[str, str, int, int]:
    return bar.symbol, bar.interval, bar.start_us, bar.generation


def as_key(line: dict[str, Any]) -> tuple[str, str, int, int]:
    return line["symbol"], line["interval"], to_us(datetime.fromisoformat(line["start"])), line["generation"]
