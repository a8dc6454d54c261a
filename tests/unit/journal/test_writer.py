"""The journal's writer: in order, many at a time, told once it is durable, and nothing assumed after a failure."""

from __future__ import annotations

import threading
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import event
from tests.unit.journal.conftest import NewPlace
from tests.unit.journal.desks import Desk, signal

from mismartera.errors import JournalError
from mismartera.journal import Command, Event, Trace

WALL_SECONDS = 20.0


def settled(desk: Desk, value: int) -> bool:
    done = threading.Event()
    desk.writer.settle(signal(value), done.set)
    return done.wait(WALL_SECONDS)


def test_what_is_told_to_be_durable_can_be_read_by_others(desk: Desk) -> None:
    desk.start()
    seen: list[list[int]] = []
    done = threading.Event()

    def look() -> None:
        seen.append(desk.values())
        done.set()

    desk.writer.put(signal(1))
    desk.writer.settle(signal(2), look)
    assert done.wait(WALL_SECONDS)
    assert seen == [[1, 2]]


def test_what_waits_goes_into_one_commit_in_its_order(desk: Desk) -> None:
    for value in range(500):
        desk.writer.put(signal(value))
    desk.start()
    assert desk.writer.wait_durable(WALL_SECONDS)
    assert desk.values() == list(range(500))
    assert desk.writer.commits == 1


def test_threads_that_hand_over_at_once_lose_nothing_and_keep_their_orders(new_place: NewPlace) -> None:
    desk = Desk(new_place(), entries_max=100_000)
    writer = desk.start()

    def put(first: int) -> None:
        for value in range(first, first + 1000):
            writer.put(signal(value))

    threads = [threading.Thread(target=put, args=(k * 1000,)) for k in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert writer.stop(WALL_SECONDS)
    found = desk.values()
    assert sorted(found) == list(range(4000))
    for k in range(4):
        mine = [v for v in found if v // 1000 == k]
        assert mine == sorted(mine)
    desk.close()


@pytest.mark.parametrize("entries", [0, 1, 50])
def test_a_stop_at_any_moment_keeps_what_was_handed_over(new_place: NewPlace, entries: int) -> None:
    place = new_place()
    for _ in range(10):
        desk = Desk(place)
        writer = desk.start()
        for value in range(entries):
            writer.put(signal(value))
        assert writer.stop(WALL_SECONDS)
        assert desk.values() == list(range(entries))
        desk.close()


def test_a_commit_that_failed_is_made_again(desk: Desk) -> None:
    desk.database.lost = 2
    desk.start()
    assert settled(desk, 1)
    assert desk.values() == [1]
    label = desk.database.label
    assert desk.warnings == [
        f"the journal {label} cannot be written: disk I/O error; it is tried again",
        f"the journal {label} is written again",
    ]


def test_d03_a_full_disk_is_told_and_what_waited_is_there_once_when_it_has_room_again(tmp_path: Path) -> None:
    desk, is_full = Desk(tmp_path / "journal.db"), True

    @event.listens_for(desk.database.engine, "connect")
    def limit(connection: Any, _: object) -> None:
        if is_full:
            connection.execute("PRAGMA max_page_count = 1")  # as many as it has

    desk.database.engine.dispose()
    writer, told = desk.start(), threading.Event()
    for value in range(3):
        writer.put(Event(value, "signal", {"name": "n" * 100_000, "strategy": "s", "value": value}))
    writer.settle(signal(3), told.set)
    while not desk.warnings:
        assert not told.wait(0.01), "what has no room is not durable"
    assert not desk.values()
    is_full = False
    desk.database.engine.dispose()
    assert told.wait(WALL_SECONDS)
    assert desk.values() == [0, 1, 2, 3]
    assert desk.warnings == [
        f"the journal {desk.database.label} cannot be written: database or disk is full; it is tried again",
        f"the journal {desk.database.label} is written again",
    ]
    assert writer.stop(WALL_SECONDS)
    desk.close()


def test_a_commit_of_which_nobody_knows_is_looked_up_and_not_made_twice(desk: Desk) -> None:
    desk.database.unknown = 1
    desk.start()
    assert settled(desk, 1)
    assert settled(desk, 2)
    assert desk.values() == [1, 2]
    assert not desk.lost


def test_while_the_journal_fails_nothing_is_told_to_be_durable(desk: Desk) -> None:
    desk.database.lost = 3
    desk.start()
    told = threading.Event()
    desk.writer.settle(signal(1), told.set)
    while desk.database.lost:
        assert not told.is_set()
    assert told.wait(WALL_SECONDS)


def test_too_much_that_waits_ends_the_session_once(new_place: NewPlace) -> None:
    desk = Desk(new_place(), entries_max=3)
    for value in range(6):
        desk.writer.put(signal(value))
    assert len(desk.lost) == 1
    assert isinstance(desk.lost[0], JournalError)
    assert "3 entries wait" in str(desk.lost[0])
    desk.close()


def test_a_journal_that_stays_away_is_given_up_at_the_end(desk: Desk) -> None:
    desk.database.lost = 1000
    writer = desk.start()
    writer.put(signal(1))
    assert not writer.stop(0.5)
    desk.close()
    assert "disk I/O error" in str(desk.lost[0])


def test_a_journal_that_comes_back_while_the_session_ends_has_it_all(desk: Desk) -> None:
    desk.database.lost = 3
    writer = desk.start()
    writer.put(signal(1))
    assert writer.stop(WALL_SECONDS)
    assert desk.values() == [1]
    assert not desk.lost


def test_a_writer_that_lost_its_lock_writes_no_more(desk: Desk) -> None:
    desk.database.lost = 1
    desk.lock.release()
    writer = desk.start()
    writer.put(signal(1))
    assert not writer.stop(WALL_SECONDS)
    assert "written by somebody else" in str(desk.lost[0])
    assert desk.values() == []


def test_sources_are_asked_before_each_commit_in_their_order(desk: Desk) -> None:
    first, second = [[Trace("a", b"1")], [Trace("a", b"2")]], [[Trace("b", b"3")]]
    desk.writer.pull_from(lambda: first.pop(0) if first else [])
    desk.writer.pull_from(lambda: second.pop(0) if second else [])
    desk.start()
    assert settled(desk, 1)
    assert settled(desk, 2)
    with desk.database.reading() as connection:
        rows = connection.exec_driver_sql("SELECT stream, payload, seq FROM traces ORDER BY seq").all()
    assert [(stream, payload) for stream, payload, _ in rows] == [("a", b"1"), ("b", b"3"), ("a", b"2")]
    assert [seq for *_, seq in rows] == [1, 2, 4]


def test_commands_say_who_gave_them(desk: Desk) -> None:
    desk.start()
    done = threading.Event()
    desk.writer.settle(Command(0, 5, "add", "user", "CCC", ("1m", "5m")), done.set)
    assert done.wait(WALL_SECONDS)
    with desk.database.reading() as connection:
        row = connection.exec_driver_sql("SELECT what, who, symbol, streams, accepted FROM commands").one()
    assert tuple(row) == ("add", "user", "CCC", "1m,5m", 1)
