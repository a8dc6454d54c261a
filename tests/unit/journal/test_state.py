"""What a session had come to, by any prefix of its journal (I12)."""

from __future__ import annotations

import threading
from collections.abc import Sequence
from pathlib import Path

from hypothesis import given
from hypothesis import strategies as st
from tests.unit.journal.desks import Desk

from mismartera.journal import Command, Entry, Event, JournalReader, JournalState

SYMBOLS = ("AAA", "BBB", "CCC")
_commands = st.builds(
    Command, st.integers(0, 99), st.integers(0, 10**6), st.sampled_from(["add", "remove"]),
    st.sampled_from(["user", "engine"]), st.sampled_from(SYMBOLS),
    st.sampled_from([None, ("1m",), ("1m", "5m")]), st.booleans(),
)  # fmt: skip
_acted = st.builds(
    Command, st.just(-1), st.integers(0, 10**6), st.just("acted"), st.sampled_from(["s[0]", "s[1]"])
)
_of_symbols = st.builds(
    Event, st.integers(0, 10**6), st.sampled_from(["symbol_pending", "symbol_loaded", "symbol_failed"]),
    st.builds(lambda s: {"symbol": s, "reason": "r"}, st.sampled_from(SYMBOLS)),
)  # fmt: skip
_moves = st.builds(
    Event, st.integers(0, 10**6), st.sampled_from(["session_activated", "session_deactivated"]),
    st.builds(lambda r: {"reason": r, "lag_seconds": 0.0}, st.sampled_from(["lag", "open"])),
)  # fmt: skip
entries = st.lists(st.one_of(_commands, _acted, _of_symbols, _moves), max_size=30)


def apply(state: JournalState, seq: int, entry: Entry) -> None:
    if isinstance(entry, Event):
        state.event(seq, entry.time_us, entry.name, entry.fields)
    else:
        state.command(seq, entry.row())


def expected(found: Sequence[Entry]) -> tuple[list[tuple[str, str, int]], str, set[str]]:
    """The obvious way: symbols by rank with their states and stays, the session's state, what has acted."""
    stays: list[tuple[str, str, int]] = [("AAA", "pending", 1), ("BBB", "pending", 1)]
    added = {"AAA": 1, "BBB": 1}
    state, acted = "closed", set[str]()
    for entry in found:
        row = entry.row()
        if isinstance(entry, Event):
            if entry.name.startswith("session_"):
                state = entry.name.split("_")[1]
            told = entry.fields.get("symbol")
            stays = [(s, entry.name.split("_")[1] if s == told else at, n) for s, at, n in stays]
        elif row["what"] == "acted":
            acted.add(row["who"])
        elif row["accepted"]:
            stays = [stay for stay in stays if stay[0] != row["symbol"]]
            if row["what"] == "add":
                added[row["symbol"]] = added.get(row["symbol"], 0) + 1
                stays.append((row["symbol"], "pending", added[row["symbol"]]))
    return stays, state, acted


def seen(state: JournalState) -> tuple[list[tuple[str, str, int]], str, set[str]]:
    return [(stay.symbol, stay.state, stay.generation) for stay in state.symbols], state.state, state.acted


def begun() -> JournalState:
    state = JournalState()
    state.configured({"AAA": None, "BBB": None}, {})
    return state


@given(entries)
def test_every_prefix_gives_the_state_at_that_point(found: list[Entry]) -> None:
    state = begun()
    for seq, entry in enumerate(found, 1):
        apply(state, seq, entry)
        assert seen(state) == expected(found[:seq])
        assert state.seq == seq


@given(entries, st.data())
def test_entries_that_come_again_change_nothing(found: list[Entry], data: st.DataObject) -> None:
    state = begun()
    for seq, entry in enumerate(found, 1):
        apply(state, seq, entry)
        again = data.draw(st.integers(1, seq))
        for number in range(again, seq + 1):
            apply(state, number, found[number - 1])
    assert seen(state) == expected(found)


def test_the_journal_s_own_rows_give_the_same_prefix_by_prefix(tmp_path: Path) -> None:
    desk = Desk(tmp_path / "journal.db")
    found: list[Entry] = [
        Event(1, "session_opened", {"date": "2024-07-03"}), Event(2, "session_activated", {"reason": "open"}),
        Command(0, 3, "add", "user", "CCC", ("1m",)), Event(4, "symbol_loaded", {"symbol": "CCC", "reason": "x"}),
        Command(-1, 5, "acted", "schedule[0]"), Command(1, 6, "remove", "user", "AAA"),
        Event(7, "signal", {"strategy": "s", "name": "n", "value": 1}),
        Event(8, "strategy_error", {"strategy": "s", "error": "ValueError: x"}),
    ]  # fmt: skip
    desk.start()
    for entry in found:
        done = threading.Event()
        desk.writer.settle(entry, done.set)
        assert done.wait(20)
    reader = JournalReader(desk.database)
    session = reader.session("last")
    for size in range(len(found) + 1):
        assert seen(reader.state(session, size)) == expected(
            [e for e in found[:size] if not isinstance(e, Event) or e.name != "session_opened"]
        )
    whole = reader.state(session)
    assert (whole.date, whole.signals, whole.strategy_errors) == ("2024-07-03", 1, ["s: ValueError: x"])
    assert [stay.streams for stay in whole.symbols] == [None, ("1m",)]
    desk.close()
