"""Who drives the intake: its own thread, or whoever brings a few bars while it sleeps."""

from __future__ import annotations

import threading
from typing import Any

from mismartera.live.thread import IntakeThread
from mismartera.testing.sim_world import SimWorld


class Steps:
    """An intake as its driver sees it: notes who takes a step."""

    next_us: int | None = None
    has_work = False

    def __init__(self) -> None:
        self.has_few_bars = False
        self.by: list[int] = []
        self.fails = False
        self.stepped, self.ended = threading.Event(), threading.Event()

    def step(self, *, takes_orders: bool = True) -> None:
        self.by.append(threading.get_ident())
        self.has_few_bars = False
        self.stepped.set()
        assert takes_orders is (threading.get_ident() != ME), "an order may end the thread of whoever brings bars"
        if self.fails:
            raise RuntimeError("a fault of ours")

    def stop(self) -> None:
        self.ended.set()


ME = threading.get_ident()


def begun(steps: Any, errors: list[BaseException]) -> IntakeThread:
    driver = IntakeThread(SimWorld(0))
    driver.start(steps, errors.append)
    assert steps.stepped.wait(10.0)
    with driver._driving:  # its first step is done with
        steps.stepped.clear()
    return driver


def test_a_few_bars_are_taken_by_the_thread_that_brings_them_and_all_else_by_the_intakes() -> None:
    steps = Steps()
    driver = begun(steps, [])
    steps.has_few_bars = True
    driver.wake()
    assert steps.by[-1] == ME
    steps.stepped.clear()
    driver.wake()  # something else
    assert steps.stepped.wait(10.0)
    assert steps.by[-1] != ME
    driver.stop()
    assert steps.ended.is_set()


def test_whoever_brings_bars_does_not_wait_for_an_intake_that_is_busy() -> None:
    steps = Steps()
    driver = begun(steps, [])
    with driver._driving:
        steps.has_few_bars = True
        driver.wake()
        assert steps.by[-1] != ME
        assert not steps.stepped.is_set()
    assert steps.stepped.wait(10.0), "they are left to its own thread"
    driver.stop()


def test_what_is_due_is_left_to_the_intakes_thread() -> None:
    steps = Steps()
    driver = begun(steps, [])
    steps.next_us, steps.has_few_bars = 0, True
    driver.wake()
    assert steps.stepped.wait(10.0)
    assert ME not in steps.by
    steps.next_us = None
    driver.stop()


def test_a_fault_on_the_feeds_thread_ends_the_run_and_not_the_feed() -> None:
    steps, errors = Steps(), list[BaseException]()
    driver = begun(steps, errors)
    steps.has_few_bars = steps.fails = True
    driver.wake()
    assert steps.ended.wait(10.0)
    driver.stop()
    assert [str(error) for error in errors] == ["a fault of ours"]
