"""A strategy on a thread of its own lags by itself, and is caught up in silence (R5, scope "strategy")."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Sequence

import pytest

from mismartera import Bar
from mismartera.bars import Span, make_bar
from mismartera.bars.instants import MINUTE_US
from mismartera.session.part import Part
from mismartera.session.strategy_desk import BARS_MAX, StrategyDesk
from mismartera.timing import SteppedClock

WAIT = 10.0


def bar(minute: int, symbol: str = "AAA", generation: int = 1) -> Bar:
    span = Span(minute * MINUTE_US, (minute + 1) * MINUTE_US, generation=generation)
    return make_bar(symbol, "1m", span, 1.0, 1.0, 1.0, 1.0, 1.0)


class Stage:
    """A desk's host and its strategy: keeps what is told; a bar of minute ``hold_at`` is held until let go."""

    def __init__(self) -> None:
        self.clock = SteppedClock()
        self.told: list[object] = []
        self.events: list[tuple[str, str]] = []
        self.fenced: set[str] = set()
        self.errors: list[BaseException] = []
        self.in_callback, self.let_go, self.failed = threading.Event(), threading.Event(), threading.Event()
        self.hold_at: int | None = None
        self.raise_at: int | None = None
        self.desk = StrategyDesk("S", self, self, self.clock, MINUTE_US)
        self.desk.start()

    def is_fenced(self, symbol: str, generation: int) -> bool:
        return symbol in self.fenced

    def deliver_parts(self, name: str, parts: Sequence[Part], end_us: int, lag_seconds: float) -> None:
        self.told.append(("slice", end_us // MINUTE_US))

    def tell(self, name: str, event: str, reason: str, lag_us: int) -> None:
        self.events.append((event, reason))

    def raised(self, name: str, error: BaseException) -> None:
        self.errors.append(error)
        self.failed.set()

    def on_bar(self, bar: Bar) -> None:
        minute = bar.start_us // MINUTE_US
        self.told.append((minute, bar.lag_seconds))
        if minute == self.raise_at:
            raise LookupError("a strategy's own")
        if minute == self.hold_at:
            self.in_callback.set()
            assert self.let_go.wait(WAIT)

    def on_revision(self, bar: Bar) -> None:
        self.told.append(("revision", bar.start_us // MINUTE_US))

    def on_session_active(self, active: bool, reason: str) -> None:
        self.told.append((active, reason))

    def settle(self) -> None:
        """Return when all that waits was told."""
        done = threading.Event()
        self.desk.call(done.set)
        assert done.wait(WAIT)


@pytest.fixture
def stage() -> Iterator[Stage]:
    stage = Stage()
    yield stage
    stage.let_go.set()
    assert stage.desk.stop(WAIT)


def hold(stage: Stage, minute: int) -> None:
    stage.hold_at = minute
    stage.clock.advance_to((minute + 1) * MINUTE_US)
    stage.desk.on_bar(bar(minute))
    assert stage.in_callback.wait(WAIT)


def test_bars_in_time_are_told_in_order_with_their_lag(stage: Stage) -> None:
    stage.clock.advance_to(2 * MINUTE_US)
    for minute in (0, 1):
        stage.desk.on_bar(bar(minute))
    stage.desk.on_slice([], 2 * MINUTE_US)
    stage.settle()
    assert stage.told == [(0, 60.0), (1, 0.0), ("slice", 2)]
    assert stage.events == []


def test_what_became_stale_during_a_callback_is_passed_over_and_the_first_fresh_bar_told(
    stage: Stage,
) -> None:
    hold(stage, 0)
    for minute in range(1, 6):
        stage.desk.on_bar(bar(minute))
    stage.clock.advance_to(6 * MINUTE_US)
    stage.let_go.set()
    stage.settle()
    assert stage.told == [(0, 0.0), (False, "lag"), (True, "caught_up"), (4, 60.0), (5, 0.0)]
    assert stage.events == [("strategy_deactivated", "lag"), ("strategy_activated", "caught_up")]


def test_a_backlog_that_is_stale_as_a_whole_ends_active_again(stage: Stage) -> None:
    hold(stage, 0)
    stage.desk.on_bar(bar(1))
    stage.clock.advance_to(9 * MINUTE_US)
    stage.let_go.set()
    stage.settle()
    assert stage.told == [(0, 0.0), (False, "lag"), (True, "caught_up")]
    assert stage.desk.is_active


def test_nothing_is_read_while_what_waits_is_stale(stage: Stage) -> None:
    hold(stage, 0)
    assert not stage.desk.keeps_waiting()
    stage.desk.on_bar(bar(1))
    stage.clock.advance_to(4 * MINUTE_US)
    assert stage.desk.keeps_waiting()
    assert not stage.desk.is_active


def test_calls_that_no_gate_keeps_back_and_revisions_keep_their_order(stage: Stage) -> None:
    stage.clock.advance_to(MINUTE_US)
    stage.desk.on_bar(bar(0))
    stage.desk.call(stage.told.append, "loaded")
    stage.desk.on_revision(bar(0))
    stage.settle()
    assert stage.told == [(0, 0.0), "loaded", ("revision", 0)]


def test_what_a_revision_tells_can_be_read_though_nothing_newer_was_told_and_an_older_one_hides_nothing(
    stage: Stage,
) -> None:
    stage.clock.advance_to(9 * MINUTE_US)
    stage.desk.on_bar(bar(8))
    for minute in (9, 2):
        stage.desk.on_revision(bar(minute))
        stage.desk.call(lambda: stage.told.append(("readable by", stage.desk.pin_us // MINUTE_US)))
    stage.settle()
    readable = ("readable by", 10)
    assert stage.told == [(8, 0.0), ("revision", 9), readable, ("revision", 2), readable]


def test_a_revision_that_is_not_told_makes_nothing_readable(stage: Stage) -> None:
    stage.clock.advance_to(MINUTE_US)
    stage.desk.on_bar(bar(0))
    stage.fenced.add("AAA")
    stage.desk.on_revision(bar(5))
    stage.settle()
    assert stage.desk.pin_us == MINUTE_US


def test_a_fence_waits_for_the_callback_and_nothing_of_the_symbol_is_told_after_it(stage: Stage) -> None:
    hold(stage, 0)
    stage.desk.on_bar(bar(1))
    stage.fenced.add("AAA")
    assert not stage.desk.fence(0.0)
    waited: list[bool] = []
    waiter = threading.Thread(target=lambda: waited.append(stage.desk.fence(WAIT)))
    waiter.start()
    stage.let_go.set()
    waiter.join(WAIT)
    stage.settle()
    assert waited == [True]
    assert stage.told == [(0, 0.0)]


def test_a_strategy_that_raises_is_reported_once_and_told_no_more(stage: Stage) -> None:
    stage.raise_at = 0
    stage.clock.advance_to(2 * MINUTE_US)
    stage.desk.on_bar(bar(0))
    stage.desk.on_bar(bar(1))
    assert stage.failed.wait(WAIT)
    stage.desk.call(stage.told.append, "never")
    assert stage.desk.stop(WAIT)
    assert stage.told == [(0, 60.0)]
    assert [str(error) for error in stage.errors] == ["a strategy's own"]


def test_a_full_queue_forgets_bars_and_keeps_calls(stage: Stage, monkeypatch: pytest.MonkeyPatch) -> None:
    assert BARS_MAX >= 10_000
    monkeypatch.setattr("mismartera.session.strategy_desk.BARS_MAX", 3)
    hold(stage, 0)
    stage.desk.on_bar(bar(1))
    stage.desk.call(stage.told.append, "kept")
    for minute in range(2, 6):
        stage.desk.on_bar(bar(minute))
    stage.clock.advance_to(6 * MINUTE_US)
    stage.let_go.set()
    stage.settle()
    assert stage.told[:2] == [(0, 0.0), "kept"]
    assert stage.told[-1] == (5, 0.0)


def test_a_callback_that_never_ends_does_not_keep_the_run(stage: Stage) -> None:
    hold(stage, 0)
    ended: Callable[[], bool] = lambda: stage.desk.stop(0.0)  # noqa: E731
    assert not ended()
