"""The walk over the notifications of an instant, and the fence that cuts into it."""

from __future__ import annotations

import threading
from collections.abc import Callable

import pytest
from tests.runs import minute_bars

from mismartera import Bar
from mismartera.session.delivery import Call, CallbackError, Delivery


def instant(*symbols: str) -> list[Bar]:
    return [minute_bars(symbol, [0])[0] for symbol in symbols]


def on_engine(delivery: Delivery, callback: Callable[[Bar], object], bars: list[Bar]) -> int:
    with delivery.running():
        return delivery.play(callback, bars)


def bound() -> Delivery:
    delivery = Delivery()
    delivery.bind_thread()
    return delivery


def test_every_bar_is_handed_out_once_in_order_and_the_list_is_left_alone() -> None:
    bars, seen = instant("AAA", "BBB", "AAA"), list[str]()
    assert on_engine(bound(), lambda bar: seen.append(bar.symbol), bars) == 0
    assert seen == ["AAA", "BBB", "AAA"]
    assert len(bars) == 3


@pytest.mark.parametrize(
    ("when", "whom", "seen", "dropped"),
    [
        ("AAA", "AAA", ["AAA", "BBB", "CCC"], 1),  # its own second bar
        ("AAA", "CCC", ["AAA", "BBB", "AAA"], 1),
        ("BBB", "AAA", ["AAA", "BBB", "CCC"], 1),
        ("CCC", "AAA", ["AAA", "BBB", "AAA", "CCC"], 0),  # nothing of it is left
        ("AAA", "DDD", ["AAA", "BBB", "AAA", "CCC"], 0),
    ],
)
def test_a_fence_from_the_callback_drops_the_rest_of_the_symbol_at_once(
    when: str, whom: str, seen: list[str], dropped: int
) -> None:
    delivery, told = bound(), list[str]()

    def callback(bar: Bar) -> None:
        told.append(bar.symbol)
        if bar.symbol == when and not delivery.is_fenced(whom, 1):
            delivery.fence(whom, 1)

    assert on_engine(delivery, callback, instant("AAA", "BBB", "AAA", "CCC")) == dropped
    assert told == seen


def test_two_fences_in_one_callback_and_one_in_the_next_all_count() -> None:
    delivery, told = bound(), list[str]()

    def callback(bar: Bar) -> None:
        told.append(bar.symbol)
        for symbol in {"AAA": ("BBB", "DDD"), "CCC": ("EEE",)}.get(bar.symbol, ()):
            delivery.fence(symbol, 1)

    assert on_engine(delivery, callback, instant("AAA", "BBB", "CCC", "DDD", "EEE", "FFF")) == 3
    assert told == ["AAA", "CCC", "FFF"]


def test_a_fence_stands_until_the_tape_is_purged_and_binds_one_generation() -> None:
    delivery, told = bound(), list[str]()
    delivery.fence("AAA", 1)
    assert on_engine(delivery, lambda bar: told.append(bar.symbol), instant("AAA", "BBB")) == 1
    fenced = [delivery.has_fences]
    delivery.purged(delivery.fences)
    assert [*fenced, delivery.has_fences] == [True, False]
    assert delivery.is_fenced("AAA", 1) and not delivery.is_fenced("AAA", 2)
    again = Bar("AAA", "1m", instant("AAA")[0].timestamp, open=1, high=1, low=1, close=1, generation=2)
    delivery.fence("BBB", 1)
    assert on_engine(delivery, lambda bar: told.append(f"{bar.symbol}{bar.generation}"), [again]) == 0
    assert told == ["BBB", "AAA2"]


class Engine:
    """Another thread that plays AAA, BBB, BBB and stays in the callback of AAA until it is released."""

    def __init__(self) -> None:
        self.delivery = Delivery()
        self.inside, self.release = threading.Event(), threading.Event()
        self.seen: list[str] = []
        self.thread = threading.Thread(target=self._run)
        self.thread.start()
        assert self.inside.wait(10)

    def _run(self) -> None:
        self.delivery.bind_thread()
        on_engine(self.delivery, self._callback, instant("AAA", "BBB", "BBB"))

    def _callback(self, bar: Bar) -> None:
        if bar.symbol == "AAA":
            self.inside.set()
            self.release.wait(10)
        self.seen.append(bar.symbol)


def test_a_fence_from_another_thread_waits_for_the_callback_that_runs() -> None:
    engine, done = Engine(), list[list[str]]()

    def remove() -> None:
        engine.delivery.await_fence("BBB", engine.delivery.fence("BBB", 1), timeout=10.0)
        done.append(list(engine.seen))

    removing = threading.Thread(target=remove)
    removing.start()
    while not engine.delivery.is_fenced("BBB", 1):  # it has begun, and must not return yet
        pass
    assert done == []
    engine.release.set()
    removing.join(10)
    engine.thread.join(10)
    assert done == [["AAA"]] and engine.seen == ["AAA"]


def test_a_callback_that_outlasts_the_time_out_leaves_the_fence_standing() -> None:
    engine = Engine()
    with pytest.raises(TimeoutError, match="BBB is removed, but a strategy's callback has been running"):
        engine.delivery.await_fence("BBB", engine.delivery.fence("BBB", 1), timeout=0.01)
    engine.release.set()
    engine.thread.join(10)
    assert engine.seen == ["AAA"]


def test_nobody_waits_while_the_engine_rests_or_is_away() -> None:
    delivery = Delivery()
    delivery.fence("AAA", 1)
    told = list[str]()

    def remove() -> None:
        delivery.await_fence("BBB", delivery.fence("BBB", 1), timeout=0.0)
        told.append("returned")

    def engine() -> None:
        delivery.bind_thread()
        with delivery.running(), delivery.resting():
            outside = threading.Thread(target=remove)
            outside.start()
            outside.join(10)

    thread = threading.Thread(target=engine)
    thread.start()
    thread.join(10)
    assert told == ["returned"]


def test_an_error_names_its_callback_and_what_was_still_to_be_called() -> None:
    delivery, told = bound(), list[str]()
    bars = instant("AAA", "BBB")

    def good(bar: Bar) -> None:
        told.append(bar.symbol)

    def bad(bar: Bar) -> None:
        raise LookupError(bar.symbol)

    calls: list[Call] = [(good, bars[0]), (bad, bars[0]), (good, bars[1]), (bad, bars[1])]
    with delivery.running(), pytest.raises(CallbackError) as raised:
        delivery.play_calls(calls, [])
    assert raised.value.callback is bad
    assert isinstance(raised.value.error, LookupError)
    assert raised.value.rest == calls[2:]
    assert told == ["AAA"]


def test_of_several_listeners_those_after_the_one_that_fenced_are_not_called() -> None:
    delivery, told = bound(), list[str]()

    def first(bar: Bar) -> None:
        told.append(f"1{bar.symbol}")
        if bar.symbol == "AAA":
            delivery.fence("AAA", 1)

    def second(bar: Bar) -> None:
        told.append(f"2{bar.symbol}")

    calls: list[Call] = [(listener, bar) for bar in instant("AAA", "BBB") for listener in (first, second)]
    dropped: list[Call] = []
    with delivery.running():
        delivery.play_calls(calls, dropped)
    assert told == ["1AAA", "1BBB", "2BBB"]
    assert dropped == [calls[1]]
