"""Clocks of a live session: they never go back, and a rehearsal's stands until the vendor is reached."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from mismartera.bars.instants import HOUR_US, SECOND_US
from mismartera.timing import RehearsalClock, SystemClock

START = 1_719_927_000 * SECOND_US


class Wall:
    """A wall clock and a monotonic one, both moved by hand."""

    def __init__(self) -> None:
        self.us = START
        self.seconds = 5_000.0

    def pass_by(self, seconds: float, *, wall_us: int | None = None) -> None:
        self.seconds += seconds
        self.us += round(seconds * SECOND_US) if wall_us is None else wall_us

    def clock(self) -> SystemClock:
        return SystemClock(lambda: self.us, lambda: self.seconds)


def test_the_system_clock_follows_the_wall() -> None:
    wall = Wall()
    clock = wall.clock()
    wall.pass_by(60)
    assert clock.now_us() == START + 60 * SECOND_US
    wall.pass_by(1, wall_us=8 * HOUR_US)  # a laptop that slept: its monotonic clock slept, too
    assert clock.now_us() == START + 60 * SECOND_US + 8 * HOUR_US
    assert clock.wall_seconds(7.5) == 7.5


def test_while_the_wall_is_set_back_the_system_clock_runs_on() -> None:
    """C04."""
    wall = Wall()
    clock = wall.clock()
    wall.pass_by(10, wall_us=-HOUR_US)
    assert clock.now_us() == START + 10 * SECOND_US
    wall.pass_by(5)
    assert clock.now_us() == START + 15 * SECOND_US
    wall.pass_by(1, wall_us=2 * HOUR_US)
    assert clock.now_us() == wall.us


@given(st.lists(st.tuples(st.floats(0, 100), st.integers(-(10**10), 10**10)), max_size=30))
def test_the_system_clock_never_goes_back(steps: list[tuple[float, int]]) -> None:
    """C04."""
    wall = Wall()
    clock = wall.clock()
    seen = [clock.now_us()]
    for seconds, jump_us in steps:
        wall.pass_by(seconds, wall_us=jump_us)
        seen.append(clock.now_us())
    assert seen == sorted(seen)


def test_a_rehearsal_stands_until_the_vendor_is_reached_and_then_runs_at_its_speed() -> None:
    wall = Wall()
    clock = RehearsalClock(START, 60.0, lambda: wall.seconds)
    wall.pass_by(100)
    assert clock.now_us() == START
    asked = clock.monotonic()
    wall.pass_by(0.5)
    clock.begin(asked)
    assert clock.now_us() == START + 30 * SECOND_US
    clock.begin(clock.monotonic())  # a later contact changes nothing
    wall.pass_by(1)
    assert clock.now_us() == START + 90 * SECOND_US
    clock.begin(asked - 0.25)  # an earlier one, whose answer was slower, does
    assert clock.now_us() == START + 105 * SECOND_US
    clock.begin(asked)
    assert clock.now_us() == START + 105 * SECOND_US
    assert (clock.speed, clock.wall_seconds(90.0)) == (60.0, 1.5)


def test_the_clock_of_the_machine_is_the_default() -> None:
    clock = SystemClock()
    first = clock.now_us()
    clock.begin(clock.monotonic())
    assert START < first <= clock.now_us() < first + 60 * SECOND_US
