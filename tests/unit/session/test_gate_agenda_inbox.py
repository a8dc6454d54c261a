"""The small parts that steer: the gate's cadence, the agenda's order, the inbox's door."""

from __future__ import annotations

import threading
from functools import partial

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mismartera.errors import UsageError
from mismartera.session import inbox as inbox_module
from mismartera.session.agenda import Agenda
from mismartera.session.gate import Gate, GateState
from mismartera.session.inbox import Inbox


@settings(deadline=None, derandomize=True, database=None)
@given(
    st.integers(1, 100), st.lists(st.lists(st.integers(0, 40), max_size=20), max_size=5), st.integers(-1000, 1000)
)
def test_one_evaluation_is_due_at_each_instant_that_holds_a_multiple_of_the_interval(
    interval: int, stretches: list[list[int]], before: int
) -> None:
    gate = Gate(threshold_us=60, check_interval=interval)
    gate.open(0)
    first, expected = 0, 0
    for instants in stretches:  # however the instants are counted together
        for bars in instants:
            expected += any(n % interval == 0 for n in range(first, first + bars))
            first += bars
        counted = before + np.cumsum([0, *instants])
        assert gate.lag_evaluations + gate.evaluations_in(counted) == expected
        gate.count(counted)
        assert gate.lag_evaluations == expected


def test_a_new_session_begins_the_cadence_anew_and_keeps_the_count() -> None:
    gate = Gate(threshold_us=60, check_interval=10)
    gate.count(np.arange(6))
    assert gate.lag_evaluations == 1
    gate.open(0)
    gate.count(np.arange(2))
    assert gate.lag_evaluations == 2


def test_only_a_lag_above_the_threshold_is_stale() -> None:
    gate = Gate(threshold_us=60, check_interval=1)
    assert [gate.is_stale(lag) for lag in (0, 59, 60, 61)] == [False, False, False, True]


def test_the_gate_never_moves_to_where_it_stands() -> None:
    gate = Gate(threshold_us=60, check_interval=1)
    moves = [
        (gate.active, gate.move(state)) for state in (GateState.ACTIVE, GateState.CATCHING_UP, GateState.ACTIVE)
    ]
    assert moves == [(False, GateState.CLOSED), (True, GateState.ACTIVE), (False, GateState.CATCHING_UP)]
    with pytest.raises(AssertionError, match="active already"):
        gate.move(GateState.ACTIVE)


def test_entries_act_by_time_then_in_order_and_the_last_ones_after_all_others_of_their_time() -> None:
    agenda, acted = Agenda(), list[str]()
    for at_us, name, last in [(20, "c", False), (10, "stand", True), (10, "a", False), (10, "b", False)]:
        agenda.add(at_us, partial(acted.append, name), last=last, label=name)
    assert (agenda.next_us, len(agenda)) == (10, 4)
    assert agenda.labels() == ["a", "b", "stand", "c"]
    assert agenda.pop_due(9) is None
    while entry := agenda.pop_due(10):
        entry.action()
    assert acted == ["a", "b"]
    assert agenda.pop_due(15) is None, "what comes last is taken only when asked for"
    last_entry = agenda.pop_due(10, last=True)
    assert last_entry is not None and last_entry.label == "stand"
    assert agenda.next_us == 20
    later = agenda.pop_due(100)
    assert later is not None and later.label == "c"
    assert agenda.pop_due(100, last=True) is None
    assert len(agenda) == 0


def drained(inbox: Inbox) -> bool:
    """Take and run what waits; does the inbox still want attention?"""
    for command in inbox.take_all():
        command()
    return inbox.attention


def test_commands_are_taken_in_their_order_and_draw_attention_until_none_is_left() -> None:
    inbox, done = Inbox(), list[int]()
    for number in range(3):
        inbox.post(partial(done.append, number))
    assert inbox.wait(None)
    assert not drained(inbox)
    assert done == [0, 1, 2]
    assert not inbox.wait(0.0)
    inbox.look_again()
    assert inbox.wait(0.0)
    assert not drained(inbox)


def test_a_pause_and_a_stop_keep_the_attention() -> None:
    inbox = Inbox()
    inbox.pause()
    assert (inbox.must_hold(), drained(inbox)) == (True, True)
    inbox.resume()
    assert (inbox.must_hold(), drained(inbox)) == (False, False)
    inbox.pause()
    inbox.stop()
    assert (inbox.must_hold(), drained(inbox), inbox.stopping) == (False, True, True)


def test_who_waits_for_the_engine_to_hold_learns_that_it_does_or_that_it_is_over() -> None:
    inbox, answers = Inbox(), list[bool]()
    inbox.pause()
    engine = threading.Thread(target=inbox.hold)
    engine.start()
    assert inbox.wait_paused(10)
    assert inbox.wait_until(lambda: True)
    inbox.resume()
    engine.join(10)
    assert not engine.is_alive()
    assert inbox.wait_paused(0.0), "told to go on again: nothing to wait for"
    inbox.pause()
    assert not inbox.wait_paused(0.0)
    waiting = threading.Thread(target=lambda: answers.append(inbox.wait_until(lambda: False)))
    waiting.start()
    inbox.end()
    waiting.join(10)
    assert answers == [False]


class _Noisy(threading.Event):
    """Somebody is woken just when it is set."""

    def __init__(self, inbox: Inbox) -> None:
        super().__init__()
        self.inbox = inbox

    def set(self) -> None:
        super().set()
        self.inbox.look_again()


def test_a_moment_that_pauses_is_reached_for_others_only_when_the_engine_holds_there() -> None:
    """Woken between the moment and its pause, another thread would resume too early: the pause would stay."""
    inbox, found = Inbox(), list[tuple[bool, bool]]()
    reached = _Noisy(inbox)

    def wait() -> None:
        found.append((inbox.wait_until(reached.is_set), inbox._holding))
        inbox.resume()

    waiter = threading.Thread(target=wait)
    waiter.start()
    inbox.pause(reached)
    inbox.hold()
    waiter.join(20)
    assert found == [(True, True)]


def test_a_wait_longer_than_the_system_can_wait_is_cut_to_it() -> None:
    inbox = Inbox()
    inbox.look_again()
    assert inbox.wait(float("inf")) and inbox.wait(1e300)
    engine = threading.Thread(target=inbox.wait, args=(1e300,))
    inbox.take_all()
    engine.start()
    inbox.stop()
    engine.join(10)
    assert not engine.is_alive()


def test_a_full_inbox_refuses_before_anything_changes(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(inbox_module, "COMMANDS_MAX", 2)
    inbox = Inbox()
    inbox.post(inbox.look_again)
    inbox.check_room()
    inbox.post(inbox.look_again)
    with pytest.raises(UsageError, match="2 commands are waiting"):
        inbox.check_room()
    with pytest.raises(UsageError, match="2 commands are waiting"):
        inbox.post(inbox.look_again)
