"""D11: old sessions leave the journal, the last one of each name never does, and their room is given back."""

from __future__ import annotations

from pathlib import Path

import pytest
from tests.unit.journal.desks import Desk, new_session, signal

from mismartera.journal import JournalReader
from mismartera.journal.pruning import prunable, prune
from mismartera.journal.sessions import begin_session


def test_the_newest_of_each_name_stay_and_of_the_others_only_young_ones(desk: Desk) -> None:
    for name, began_us in (("a", 1), ("a", 5), ("b", 2), ("a", 9), ("b", 3)):
        begin_session(desk.database, new_session(name=name, began_us=began_us))
    reader = JournalReader(desk.database)
    assert [s.id for s in prunable(reader, keep=1)] == [2, 3, 4]
    assert [s.id for s in prunable(reader, keep=2)] == [2]
    assert [s.id for s in prunable(reader, keep=1, before_us=3)] == [2, 4]
    prune(desk.database, prunable(reader, keep=1))
    assert [(s.id, s.name) for s in reader.sessions()] == [(1, "test"), (5, "a"), (6, "b")]
    assert prunable(reader, keep=1) == []
    with pytest.raises(AssertionError):
        prunable(reader, keep=0)


def test_months_of_sessions_that_are_pruned_take_the_room_of_a_few(tmp_path: Path) -> None:
    sizes: list[int] = []
    for _ in range(8):
        desk = Desk(tmp_path / "journal.db", entries_max=10_000)
        desk.start()
        for value in range(3000):
            desk.writer.put(signal(value))
        assert desk.writer.stop(20)
        prune(desk.database, prunable(JournalReader(desk.database), keep=2))
        sizes.append(sum(path.stat().st_size for path in tmp_path.glob("journal.db*")))
        desk.close()
    assert max(sizes[3:]) <= 1.05 * sizes[2]
