"""Clocks: they never go back, a pause freezes them, and a jump re-bases them."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mismartera.bars.instants import SECOND_US
from mismartera.timing import Clock, PacedClock, SteppedClock, make_clock

START = 1_719_927_000 * SECOND_US  # 2024-07-02 09:30 in New York


class Wall:
    """Wall seconds that a test moves by hand."""

    def __init__(self) -> None:
        self.seconds = 12_345.678

    def __call__(self) -> float:
        return self.seconds


def paced(speed: float) -> tuple[PacedClock, Wall]:
    wall = Wall()
    return PacedClock(speed, wall), wall


def test_a_stepped_clock_stands_where_it_is_put() -> None:
    clock = SteppedClock()
    clock.start_at(START)
    assert clock.now_us() == START
    clock.advance_to(START)
    clock.advance_to(START + 7)
    assert clock.now_us() == START + 7
    assert clock.wall_seconds_until(START + 10**12) == 0.0


def test_a_stepped_clock_refuses_to_go_back() -> None:
    clock = SteppedClock(START)
    with pytest.raises(AssertionError, match=r"stands at 2024-07-02T13:30:00\+00:00 and cannot go back"):
        clock.advance_to(START - 1)
    with pytest.raises(AssertionError, match="cannot go back"):
        clock.start_at(START - 1)
    assert clock.now_us() == START


@pytest.mark.parametrize("clock", [SteppedClock(), PacedClock(60, Wall())])
def test_a_pause_is_remembered(clock: Clock) -> None:
    seen = [clock.is_paused]
    for act in (clock.pause, clock.pause, clock.resume, clock.resume):
        act()
        seen.append(clock.is_paused)
    assert seen == [False, True, True, False, False]


def test_a_paced_clock_runs_by_the_wall_times_its_speed() -> None:
    clock, wall = paced(60)
    wall.seconds += 100
    assert clock.now_us() == 0
    clock.start_at(START)
    assert clock.now_us() == START
    wall.seconds += 0.5
    assert clock.now_us() == START + 30 * SECOND_US
    wall.seconds += 1
    assert clock.now_us() == START + 90 * SECOND_US


def test_a_pause_freezes_and_resume_continues() -> None:
    clock, wall = paced(2)
    clock.start_at(START)
    wall.seconds += 3
    clock.pause()
    wall.seconds += 1000
    assert clock.now_us() == START + 6 * SECOND_US
    clock.resume()
    assert clock.now_us() == START + 6 * SECOND_US
    wall.seconds += 1
    assert clock.now_us() == START + 8 * SECOND_US


def test_a_second_pause_or_resume_changes_nothing() -> None:
    clock, wall = paced(1)
    clock.start_at(START)
    wall.seconds += 1
    clock.resume()
    wall.seconds += 1
    clock.pause()
    wall.seconds += 1
    clock.pause()
    assert clock.now_us() == START + 2 * SECOND_US


def test_a_clock_that_is_paused_before_its_start_waits_there() -> None:
    clock, wall = paced(1)
    clock.pause()
    clock.start_at(START)
    wall.seconds += 5
    assert clock.now_us() == START
    clock.resume()
    wall.seconds += 5
    assert clock.now_us() == START + 5 * SECOND_US


def test_a_jump_goes_on_from_there_and_never_back() -> None:
    clock, wall = paced(10)
    clock.start_at(START)
    wall.seconds += 1
    clock.advance_to(START + 3600 * SECOND_US)
    assert clock.now_us() == START + 3600 * SECOND_US
    wall.seconds += 1
    assert clock.now_us() == START + 3610 * SECOND_US
    clock.advance_to(START)
    assert clock.now_us() == START + 3610 * SECOND_US


def test_a_jump_while_paused_stays_paused() -> None:
    clock, wall = paced(10)
    clock.start_at(START)
    clock.pause()
    clock.advance_to(START + 5)
    wall.seconds += 1
    assert clock.now_us() == START + 5


def test_a_running_clock_cannot_start_in_its_past() -> None:
    clock, wall = paced(1)
    clock.start_at(START)
    wall.seconds += 1
    with pytest.raises(AssertionError, match="cannot go back"):
        clock.start_at(START)
    clock.start_at(START + 60 * SECOND_US)
    assert clock.now_us() == START + 60 * SECOND_US


def test_waiting_is_measured_on_the_wall() -> None:
    clock, wall = paced(60)
    assert clock.wall_seconds_until(START) == math.inf
    clock.start_at(START)
    assert clock.wall_seconds_until(START + 60 * SECOND_US) == pytest.approx(1.0)
    wall.seconds += 0.25
    assert clock.wall_seconds_until(START + 60 * SECOND_US) == pytest.approx(0.75)
    assert clock.wall_seconds_until(START) == 0.0
    clock.pause()
    assert clock.wall_seconds_until(START + 60 * SECOND_US) == math.inf
    assert clock.wall_seconds_until(START) == 0.0


@pytest.mark.parametrize("speed", [0, -1, math.inf, math.nan, True])
def test_a_pace_is_a_number_above_zero(speed: float) -> None:
    with pytest.raises(ValueError, match="the speed of a paced clock is a number above 0"):
        PacedClock(speed)


def test_speed_zero_is_stepped_and_others_are_paced() -> None:
    assert isinstance(make_clock(0), SteppedClock)
    wall = Wall()
    clock = make_clock(3.0, wall)
    assert isinstance(clock, PacedClock)
    assert clock.speed == 3.0
    clock.start_at(START)
    wall.seconds += 1
    assert clock.now_us() == START + 3 * SECOND_US


ACTIONS = st.lists(
    st.one_of(
        st.tuples(st.just("wall"), st.floats(0, 100_000)),
        st.tuples(st.just("advance"), st.integers(-(10**9), 10**12)),
        st.tuples(st.sampled_from(["pause", "resume", "wait"]), st.just(0)),
    ),
    max_size=40,
)


@given(speed=st.floats(1e-3, 1e6), actions=ACTIONS)
def test_a_paced_clock_never_goes_back(speed: float, actions: list[tuple[str, float]]) -> None:
    clock, wall = paced(speed)
    clock.start_at(START)
    before = clock.now_us()
    for action, amount in actions:
        if action == "wall":
            wall.seconds += amount
            if clock.is_paused:
                assert clock.now_us() == before
        elif action == "advance":
            target = before + int(amount)
            clock.advance_to(target)
            assert clock.now_us() == max(target, before)
        elif action == "pause":
            clock.pause()
        elif action == "resume":
            clock.resume()
        elif not clock.is_paused:
            target = before + 1_000_000
            wall.seconds += clock.wall_seconds_until(target)
            # A double holds wall seconds of this size to some 1e-11.
            assert abs(clock.now_us() - target) <= 2 + speed * 1e-3
        assert clock.now_us() >= before
        before = clock.now_us()


@given(steps=st.lists(st.integers(-5, 10**9), max_size=40))
def test_a_stepped_clock_moves_forward_or_refuses(steps: list[int]) -> None:
    clock = SteppedClock(START)
    for step in steps:
        before = clock.now_us()
        if step < 0:
            with pytest.raises(AssertionError):
                clock.advance_to(before + step)
            assert clock.now_us() == before
        else:
            clock.advance_to(before + step)
            assert clock.now_us() == before + step


def test_another_speed_does_not_make_the_clock_jump() -> None:
    wall = [0.0]
    clock = PacedClock(60, lambda: wall[0])
    clock.start_at(1_000_000)
    wall[0] = 2.0
    clock.set_speed(1)
    assert clock.now_us() == 121_000_000
    wall[0] = 3.0
    assert clock.now_us() == 122_000_000
    assert clock.speed == 1


def test_another_speed_does_not_end_a_pause() -> None:
    wall = [0.0]
    clock = PacedClock(60, lambda: wall[0])
    clock.start_at(0)
    clock.pause()
    clock.set_speed(2)
    wall[0] = 10.0
    assert clock.now_us() == 0
    clock.resume()
    wall[0] = 11.0
    assert clock.now_us() == 2_000_000


@pytest.mark.parametrize("speed", [0, -1, float("inf"), float("nan"), True])
def test_a_refused_speed_leaves_the_clock_as_it_is(speed: float) -> None:
    clock = PacedClock(60, lambda: 0.0)
    with pytest.raises(ValueError, match="above 0"):
        clock.set_speed(speed)
    assert clock.speed == 60
