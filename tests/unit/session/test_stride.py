"""The stride: the short way to a single listener keeps every rule of the general one.

A log that wants bars is a second listener, so the same run with such a log takes the general way: what a strategy
is told, reads and counts must be the same on both.
"""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Callable
from functools import partial
from typing import Any

import numpy as np
import pytest
import talib
from tests.conftest import MakeSystem
from tests.runs import HALF_DAY, Log, Recorder, config, us

from mismartera import Bar, Slice, Strategy
from mismartera.bars.instants import to_us
from mismartera.session.stride import Stride

SYMBOLS = ("AAA", "BBB", "CCC")
STREAMS = ("1m", "5m", "15m")
SMA: dict[str, Any] = {"indicators": [{"name": "SMA", "interval": "5m", "params": {"timeperiod": 3}}]}


@pytest.fixture
def strides(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """How many instants each walk of the stride has shown."""
    walked: list[int] = []
    walk = Stride.walk

    def counted(self: Stride, tape: Any, feed: Any, callback: Any, last: int) -> int:
        before = tape.position
        try:
            return walk(self, tape, feed, callback, last)
        finally:
            walked.append(tape.position - before)

    monkeypatch.setattr(Stride, "walk", counted)
    return walked


class Looking(Strategy):
    """Reads everything at each bar: nothing that is read may end after the clock, and nothing may be missing."""

    def __init__(self) -> None:
        super().__init__()
        self.looks = 0

    def on_bar(self, bar: Bar) -> None:
        self.look()

    def look(self) -> None:
        now_us = to_us(self.session.now)
        minutes = (now_us - us("09:30", HALF_DAY)) // 60_000_000
        for symbol in SYMBOLS:
            for label, length in (("1m", 1), ("5m", 5), ("15m", 15)):
                bars = self.session.bars(symbol, label)
                assert bars is not None
                assert len(bars) == minutes // length
                assert (bars.end_us <= now_us).all()
            fives = self.session.bars(symbol, "5m")
            assert fives is not None
            value = self.session.indicator(symbol, "SMA_3", "5m")
            expected = talib.SMA(fives.close.copy(), 3)[-1] if len(fives) else np.nan
            assert value == expected if value is not None else np.isnan(expected)
            quality = self.session.quality(symbol)
            assert quality is not None and quality.present == quality.expected == minutes
        self.looks += 1


def test_nothing_that_is_computed_ahead_is_visible_before_its_time(
    make_system: MakeSystem, strides: list[int]
) -> None:
    """T04, T06: on the fast path, where the whole day is ready before its first bar is shown."""
    looking = Looking()
    session = config(*SYMBOLS, streams=STREAMS, dates=(HALF_DAY, HALF_DAY), on_error="stop", **SMA)
    make_system(session, looking).run()
    assert looking.looks == 3 * (210 + 42 + 14)
    assert sum(strides) == 210, "all of it was shown on the short way"


def test_nothing_that_is_computed_ahead_is_visible_in_a_slice_before_its_time(make_system: MakeSystem) -> None:
    class Slices(Looking):
        on_bar = Strategy.on_bar

        def on_slice(self, slice: Slice) -> None:
            assert all(bar.end_us == slice.end_us for bars in slice.values() for bar in bars)
            self.look()

    looking = Slices()
    session = config(*SYMBOLS, streams=STREAMS, dates=(HALF_DAY, HALF_DAY), on_error="stop", **SMA)
    make_system(session, looking).run()
    assert looking.looks == 210


def test_both_ways_tell_count_and_evaluate_the_same(make_system: MakeSystem, strides: list[int]) -> None:
    runs = []
    for log in (None, Log(wants_bars=True)):
        strategy = Recorder()
        session = config(
            *SYMBOLS, streams=STREAMS, schedule=[("10:00", "add", "DDD"), ("12:00", "remove", "AAA")],
            streaming={"catchup_check_interval": 7},
        )  # fmt: skip
        system = make_system(session, strategy, log=log)
        system.run()
        coordinator = system.coordinator
        runs.append((strategy.bars, strategy.told, coordinator.lag_evaluations, coordinator.progress()))
    assert sum(strides) > 0
    assert runs[0] == runs[1]
    assert runs[0][2] > 100


def removing(strategy: Strategy, symbol: str) -> None:
    strategy.session.remove_symbol(symbol)  # at the first of its bars of that instant; later it is gone


@pytest.mark.parametrize("whom", ["AAA", "BBB", "CCC"])
def test_a_removal_in_the_callback_cuts_the_rest_of_the_instant_on_both_ways(
    make_system: MakeSystem, whom: str
) -> None:
    """S04: the symbol itself, the next one, and the last one, in the middle of a chunk of bars."""
    told = []
    for log in (None, Log(wants_bars=True)):
        strategy = Recorder()
        strategy.on["BBB 10:00"] = partial(removing, strategy, whom)
        system = make_system(config(*SYMBOLS, streams=STREAMS), strategy, log=log)
        system.run()
        told.append((strategy.bars, strategy.told, system.summary()["bars_delivered"]))
    assert told[0] == told[1]
    rest = [bar for bar in told[0][0] if bar.symbol == whom and bar.end_us > us("10:00")]
    assert rest == []


def until(reached: Callable[[], bool]) -> None:
    """Let other threads go on until ``reached`` is true."""
    for _ in range(10_000):
        if reached():
            return
        threading.Event().wait(0.001)
    raise AssertionError("nothing came of it in ten seconds")


@pytest.mark.parametrize("after_its_command", [False, True])
def test_a_removal_from_another_thread_cuts_one_symbol_and_no_other(
    make_system: MakeSystem, after_its_command: bool
) -> None:
    """S05: the fence may come before the engine has carried out the command, or while it streams again."""
    raised, returned, after = threading.Event(), threading.Event(), list[str]()
    asked = threading.Event()

    class Told(Strategy):
        def on_bar(self, bar: Bar) -> None:
            told[bar.symbol] += 1
            if returned.is_set():
                after.append(bar.symbol)
            if bar.symbol == "AAA" and bar.end_us == us("10:00"):
                thread.start()
                assert asked.wait(10)
                if not after_its_command:
                    raised.set()
                    until(lambda: delivery.fences == 1)
            if bar.symbol == "AAA" and bar.end_us == us("10:30") and after_its_command:
                raised.set()
                until(lambda: delivery.fences == 1)

    told: Counter[str] = Counter()
    system = make_system(config(*SYMBOLS), Told())
    delivery = system.coordinator._parts.delivery
    fence = delivery.fence

    def held(symbol: str, generation: int) -> int:
        asked.set()  # the command is posted, the fence does not stand yet
        assert raised.wait(10)
        return fence(symbol, generation)

    delivery.fence = held  # type: ignore[method-assign]

    def remove() -> None:
        system.coordinator.remove_symbol("CCC")
        returned.set()

    thread = threading.Thread(target=remove)
    system.run()
    thread.join(10)
    assert returned.is_set()
    assert "CCC" not in after
    assert told == {"AAA": 390, "BBB": 390, "CCC": 30 if after_its_command else 29}
    assert system.summary()["bars_delivered"] == told.total()


def test_a_strategy_that_raises_ends_alone_and_what_it_was_told_counts(make_system: MakeSystem) -> None:
    """T01"""

    class Raising(Recorder):
        def on_bar(self, bar: Bar) -> None:
            super().on_bar(bar)
            if bar.symbol == "BBB" and bar.end_us == us("10:00"):
                raise RecursionError("too deep")

    strategy = Raising()
    system = make_system(config(*SYMBOLS, on_error="isolate"), strategy)
    system.run()
    summary = system.summary()
    assert [bar.symbol for bar in strategy.bars[-2:]] == ["AAA", "BBB"]
    assert summary["bars_streamed"] == summary["bars_delivered"] == 3 * 390
    assert "too deep" in str(summary["strategy_errors"])


@pytest.mark.parametrize("removed", [None, "CCC"])
def test_a_callback_that_ends_the_run_leaves_exact_counts(make_system: MakeSystem, removed: str | None) -> None:
    """Also if a symbol of that very instant was removed before."""

    class Ending(Recorder):
        def on_bar(self, bar: Bar) -> None:
            super().on_bar(bar)
            if bar.symbol == "AAA" and bar.end_us == us("10:00") and removed:
                assert self.session.remove_symbol(removed)
            if bar.symbol == "BBB" and bar.end_us == us("10:00"):
                raise SystemExit(3)

    counts = []
    for log in (None, Log(wants_bars=True)):
        strategy = Ending()
        system = make_system(config(*SYMBOLS), strategy, log=log)
        system.run()
        counts.append((len(strategy.bars), system.summary()["bars_delivered"]))
    assert counts == [(3 * 29 + 2, 3 * 29 + 2)] * 2
