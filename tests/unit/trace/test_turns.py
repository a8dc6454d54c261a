"""Turns of strategies with threads of their own: the engine never waits for them, and they come again in order."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from functools import partial

import pytest

from mismartera.errors import DepartedError, TraceEndedError
from mismartera.session.turns import Turn
from mismartera.trace.items import Kind, TraceLog, TraceReader
from mismartera.trace.turns import PlayedTurns, RecordedTurns, turn_item

WAIT = 10.0


class Desk:
    """A seat, with a thread that does one thing."""

    def __init__(self, number: int = 0) -> None:
        self.number, self.name, self.is_active = number, f"S{number}", True
        self.changed = threading.Condition()
        self.thread: threading.Thread | None = None
        self.found: list[object] = []

    def do(self, what: Callable[[], object]) -> None:
        def run() -> None:
            try:
                self.found.append(what())
            except BaseException as error:  # noqa: BLE001  # the test looks at it
                self.found.append(type(error))

        self.thread = threading.Thread(target=run, daemon=True)
        self.thread.start()

    def joined(self) -> list[object]:
        """What came of it."""
        assert self.thread is not None
        self.thread.join(WAIT)
        assert not self.thread.is_alive()
        return self.found


class Recording:
    """The present thread is the engine's."""

    def __init__(self) -> None:
        self.log = TraceLog("engine")
        engine = threading.get_ident()
        self.turns = RecordedTurns(self.log, lambda: threading.get_ident() == engine, threading.Condition())

    def see(self, *readings: int) -> None:
        """Read the clock, as the engine does."""
        for us in readings:
            if self.turns.is_seeing():
                self.log.clock(us)

    def let_ask(self, desk: Desk, what: Turn, act: Callable[[], object]) -> None:
        """Return when the desk waits for its turn."""
        desk.do(lambda: self.turns.have(desk, what, act))
        while not self.turns._asked:
            desk.thread.join(0.001) if desk.thread else None

    def items(self) -> list[tuple[int, int]]:
        reader, found = TraceReader(trace.payload for trace in self.log.pull()), list[tuple[int, int]]()
        while (item := reader.peek()) is not None:
            found.append(item)
            reader.skip()
        return found


@pytest.fixture
def recording() -> Recording:
    return Recording()


def test_while_the_engine_works_it_carries_a_turn_out_when_it_looks_at_the_world(recording: Recording) -> None:
    desk, by = Desk(3), list[int]()
    recording.see(1)
    recording.let_ask(desk, Turn.READ, lambda: by.append(threading.get_ident()))
    assert not by
    recording.see(2)
    assert by == [threading.get_ident()], "by the engine: it does not wait for the strategy's thread"
    assert desk.joined() == [None]
    assert recording.items() == [(Kind.CLOCK, 1), (Kind.TURN, turn_item(desk, Turn.READ)), (Kind.CLOCK, 2)]


def test_while_the_engine_stands_a_turn_is_had_at_once(recording: Recording) -> None:
    desk = Desk()
    desk.is_active = False
    with recording.turns:
        desk.do(lambda: recording.turns.have(desk, Turn.ADD, threading.get_ident))
        assert desk.joined() == [desk.thread and desk.thread.ident]
    assert recording.items() == [(Kind.TURN, turn_item(desk, Turn.ADD))]


def test_whoever_waits_has_his_turn_before_the_engine_stands(recording: Recording) -> None:
    desk = Desk()
    recording.let_ask(desk, Turn.READ, lambda: 7)
    with recording.turns:
        assert desk.joined() == [7]


def test_what_is_seen_in_a_turn_follows_it_and_nobody_else_s_turn_comes_between(recording: Recording) -> None:
    one, two = Desk(0), Desk(1)
    recording.let_ask(one, Turn.TAKE, partial(recording.see, 5, 6))
    two.do(lambda: recording.turns.have(two, Turn.READ, lambda: 8))
    while len(recording.turns._asked) < 2:
        two.thread.join(0.001) if two.thread else None
    recording.see(9)
    assert two.joined() == [8]
    assert one.joined()
    takes, reads = (Kind.TURN, turn_item(one, Turn.TAKE)), (Kind.TURN, turn_item(two, Turn.READ))
    assert recording.items() == [takes, (Kind.CLOCK, 5), (Kind.CLOCK, 6), reads, (Kind.CLOCK, 9)]


def test_an_error_is_raised_on_the_strategy_s_thread_alone(recording: Recording) -> None:
    desk = Desk()
    recording.let_ask(desk, Turn.ADD, lambda: int("no number"))
    recording.see(1)
    assert desk.joined() == [ValueError]


def test_a_thread_that_is_none_of_both_sees_the_world_unnoted(recording: Recording) -> None:
    other = Desk()
    other.do(partial(recording.see, 1))
    other.joined()
    other.do(recording.turns.is_acting)
    assert other.joined() == [None, False]
    assert recording.items() == []


def test_who_is_left_alone_at_the_end_acts_unnoted(recording: Recording) -> None:
    asked, late = Desk(0), Desk(1)
    recording.let_ask(asked, Turn.READ, lambda: 1)
    recording.turns.end()
    late.do(lambda: recording.turns.have(late, Turn.READ, partial(recording.see, 4)))
    assert asked.joined() == [1]
    assert late.joined() == [None]
    assert recording.items() == [(Kind.TURN, turn_item(asked, Turn.READ))]


class Script:
    """As much of the script as turns need."""

    let_have: Callable[[int], None]
    is_stopped = False

    def ended(self) -> TraceEndedError:
        return TraceEndedError()

    def let_all_have(self) -> None:
        """None is left."""

    def departed(self, what: str) -> DepartedError:
        return DepartedError(what)


class Playing:
    def __init__(self) -> None:
        self.script = Script()
        self.desks = [Desk(0), Desk(1)]
        self.turns = PlayedTurns(self.script)  # type: ignore[arg-type]  # as much of it as turns need
        self.turns.begin(self.desks)
        self.had: list[tuple[int, int]] = []

    def ask(self, desk: Desk, *what: Turn) -> None:
        """Let the desk ask for these turns, one after the other."""

        def ask() -> None:
            for number, each in enumerate(what):
                self.turns.have(desk, each, partial(self.had.append, (desk.number, number)))

        desk.do(ask)


@pytest.fixture
def playing() -> Iterator[Playing]:
    playing = Playing()
    yield playing
    playing.turns.end()
    assert not [desk for desk in playing.desks if desk.thread is not None and desk.thread.is_alive()]


def test_turns_are_had_again_in_their_order_whoever_comes_first(playing: Playing) -> None:
    one, two = playing.desks
    playing.ask(one, Turn.READ, Turn.READ)
    playing.ask(two, Turn.READ, Turn.ADD)
    two.is_active = False
    for desk, what in ((two, Turn.READ), (one, Turn.READ), (one, Turn.READ), (two, Turn.ADD)):
        playing.script.let_have(turn_item(desk, what))
    assert one.joined() == two.joined() == [None]
    assert playing.had == [(1, 0), (0, 0), (0, 1), (1, 1)]


def test_a_strategy_is_as_active_as_it_was(playing: Playing) -> None:
    desk = playing.desks[0]
    item = turn_item(desk, Turn.READ)
    desk.is_active = False
    desk.do(lambda: playing.turns.have(desk, Turn.READ, lambda: desk.is_active))
    playing.script.let_have(item)
    assert desk.joined() == [True]


def test_a_strategy_that_wants_something_else_has_departed(playing: Playing) -> None:
    desk = playing.desks[1]
    playing.ask(desk, Turn.READ)
    with pytest.raises(DepartedError, match="a turn of S1 to REMOVE was recorded, READ is asked for"):
        playing.script.let_have(turn_item(desk, Turn.REMOVE))


def test_so_has_one_that_has_ended(playing: Playing) -> None:
    desk = playing.desks[0]
    desk.do(lambda: playing.turns.take(desk, lambda: None, lambda: None))
    playing.script.let_have(turn_item(desk, Turn.TAKE))
    with pytest.raises(DepartedError, match="a turn of S0 to READ was recorded, it has ended"):
        playing.script.let_have(turn_item(desk, Turn.READ))


def test_who_stops_the_replay_does_not_wait_for_a_strategy_that_comes_to_nothing(playing: Playing) -> None:
    playing.script.is_stopped = True
    with pytest.raises(TraceEndedError):
        playing.script.let_have(turn_item(playing.desks[0], Turn.READ))


def test_where_the_journal_ends_the_engine_does_and_so_do_they(playing: Playing) -> None:
    def ended() -> None:
        raise TraceEndedError

    one, two = playing.desks
    one.do(lambda: playing.turns.have(one, Turn.TAKE, ended))
    playing.ask(two, Turn.READ)
    with pytest.raises(TraceEndedError):
        playing.script.let_have(turn_item(one, Turn.TAKE))
    playing.turns.end()
    assert one.joined() == two.joined() == [TraceEndedError]
