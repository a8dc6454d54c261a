"""A live session's journal from its first entry to its last: it ends durable, or says that it did not."""

from __future__ import annotations

from pathlib import Path

import pytest
from tests.unit.journal.desks import FlakyDatabase

from mismartera import DataManager, SessionConfig
from mismartera.errors import JournalError
from mismartera.journal import JournalReader, open_database
from mismartera.system.journaling import SessionJournal
from mismartera.timing import RehearsalClock

CONFIG = SessionConfig.from_dict({
    "mode": "live", "session_name": "mine", "feed": {"type": "replay", "date": "2024-07-03"},
    "session_data_config": {"symbols": ["AAA"]},
})  # fmt: skip


def begun(folder: Path) -> tuple[FlakyDatabase, SessionJournal]:
    path = folder / "journal.db"
    open_database(path, make=True).close()
    database = FlakyDatabase.at(path)
    journal = SessionJournal(database, RehearsalClock(5), lambda _: None, folder=folder)
    journal.begin(CONFIG, DataManager(folder / "store"), None)
    return database, journal


def test_what_it_began_with_and_how_it_ended_are_on_record(tmp_path: Path) -> None:
    _, journal = begun(tmp_path)
    journal.audit("page", "add BBB", "loaded")
    assert journal.wait_durable(20)
    assert journal.backlog.entries == 0
    assert journal.backlog.wal_bytes
    journal.end("stopped")
    reader = JournalReader(open_database(tmp_path / "journal.db", make=False))
    past = reader.session("last")
    assert (past.name, past.began_us, past.ended_us, past.outcome) == ("mine", 5, 5, "stopped")
    assert past.began_with["configured"] == ["AAA"]
    assert SessionConfig.from_dict(dict(past.config)) == CONFIG
    assert {"mismartera", "python", "polars"} <= past.versions.keys()
    assert reader.sizes(past.id)["events"] == 1


def test_a_journal_that_cannot_be_written_to_its_end_says_so_and_is_free_for_others(tmp_path: Path) -> None:
    database, journal = begun(tmp_path)
    database.lost = 1000
    journal.audit("page", "add BBB", "loaded")
    with pytest.raises(JournalError, match="the last entries are missing"):
        journal.end("finished")
    database.lost = 0
    again = begun(tmp_path)[1]
    again.end("finished")
    sessions = JournalReader(open_database(tmp_path / "journal.db", make=False)).sessions()
    assert [session.outcome for session in sessions] == [None, "finished"]
