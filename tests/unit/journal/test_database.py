"""Where a journal is kept: made, refused, locked (D06, D07, D10)."""

from __future__ import annotations

import os
import signal as signals
import sqlite3
import subprocess
import sys
from pathlib import Path

import pytest
from sqlalchemy import create_engine, event, inspect
from tests.unit.journal.desks import Desk, new_session, signal

from mismartera.errors import JournalError
from mismartera.journal import Database, JournalReader, open_database
from mismartera.journal.lock import lock_journal
from mismartera.journal.sessions import begin_session, end_session
from mismartera.journal.tables import REVISION, metadata

WALL_SECONDS = 20.0


def columns(engine_url: str) -> dict[str, list[tuple[str, ...]]]:
    engine = create_engine(engine_url)
    found = inspect(engine)
    facts = ("name", "type", "nullable", "primary_key")
    tables = {
        table: [tuple(str(column.get(fact)) for fact in facts) for column in found.get_columns(table)]
        for table in found.get_table_names()
        if table != "alembic_version"
    }
    engine.dispose()
    return tables


def refusal(where: Path | str) -> str:
    """What is said of a journal that cannot be read; empty if it can be."""
    try:
        database = open_database(where, make=False)
    except JournalError as error:
        return str(error)
    try:
        JournalReader(database).sessions()
    except JournalError as error:
        return str(error)
    finally:
        database.close()
    return ""


def test_the_migrations_make_the_tables_that_the_code_knows(tmp_path: Path) -> None:
    open_database(tmp_path / "a.db", make=True).close()
    engine = create_engine(f"sqlite:///{tmp_path / 'b.db'}")
    metadata.create_all(engine)
    assert columns(f"sqlite:///{tmp_path / 'a.db'}") == columns(f"sqlite:///{tmp_path / 'b.db'}")


def test_a_new_journal_syncs_each_commit_and_leaves_readers_alone(tmp_path: Path) -> None:
    database = open_database(tmp_path / "deep" / "journal.db", make=True)
    with database.reading() as connection:
        assert connection.exec_driver_sql("PRAGMA journal_mode").scalar() == "wal"
        assert connection.exec_driver_sql("PRAGMA synchronous").scalar() == 2
    assert database.revision() == REVISION
    assert database.upgrade() == (REVISION, REVISION)


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (None, "there is no journal at"),
        (b"", "is empty"),
        (b"garbage" * 1000, "file is not a database"),
    ],
)
def test_d10_what_is_no_journal_is_named(tmp_path: Path, content: bytes | None, said: str) -> None:
    path = tmp_path / "journal.db"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(JournalError, match=said) as raised:
        open_database(path, make=False)
    assert "journal.db" in str(raised.value)


def test_d10_a_truncated_or_damaged_journal_is_named_and_never_a_traceback(tmp_path: Path) -> None:
    path = tmp_path / "journal.db"
    open_database(path, make=True).close()
    whole = path.read_bytes()
    for size in range(0, len(whole), 2048):
        path.write_bytes(whole[:size] + b"\xff" * (100 if size % 4096 else 0))
        for trace in tmp_path.glob("journal.db-*"):
            trace.unlink()
        if said := refusal(path):
            assert "journal.db" in said


@pytest.mark.parametrize(("revision", "remedy"), [("0000", "a newer one"), ("9999", "a newer one")])
def test_d10_another_revision_is_refused_with_its_number(tmp_path: Path, revision: str, remedy: str) -> None:
    path = tmp_path / "journal.db"
    open_database(path, make=True).close()
    with sqlite3.connect(path) as connection:
        connection.execute("UPDATE alembic_version SET version_num = ?", (revision,))
    with pytest.raises(JournalError, match=f"revision {revision}.*needs {REVISION}.*{remedy}"):
        open_database(path, make=True)
    with pytest.raises(JournalError, match=revision):
        Database.at(path).upgrade()


@pytest.mark.parametrize(
    "tables", [["events"], ["notes"], ["notes", "alembic_version"], ["sessions", "events"]], ids=" and ".join
)
def test_d10_a_database_of_something_else_is_left_alone(tmp_path: Path, tables: list[str]) -> None:
    path = tmp_path / "other.db"
    connection = sqlite3.connect(path)
    for table in tables:
        connection.execute(f"CREATE TABLE {table} (version_num TEXT)")
    connection.commit()
    connection.close()
    before = path.read_bytes()
    for call in (lambda: open_database(path, make=True), lambda: Database.at(path).upgrade()):
        with pytest.raises(JournalError, match="has tables, but is no journal of mismartera: name another"):
            call()
    assert "no journal of mismartera" in refusal(path)
    assert path.read_bytes() == before
    assert [file.name for file in tmp_path.iterdir()] == ["other.db"]


@pytest.mark.parametrize("url", ["mysql://u@h/x", "sqlite://", "nonsense", "oracle://x"])
def test_a_url_of_another_kind_is_refused_with_what_is_allowed(url: str) -> None:
    with pytest.raises(JournalError, match="allowed: sqlite:///FILE or postgresql://USER@HOST/NAME"):
        open_database(url, make=False)


def test_a_password_is_in_no_message() -> None:
    said = refusal("postgresql://user:canary@127.0.0.1:1/x")  # of the driver that is missing, or of the server
    assert said
    assert "canary" not in said


def test_d06_a_second_writer_is_told_who_the_first_is(desk: Desk) -> None:
    second = Database.at(desk.where)
    with pytest.raises(JournalError, match=rf"in use by process {os.getpid()}( on \S+)?, since \d{{4}}-"):
        lock_journal(second)
    desk.lock.release()
    lock_journal(second).release()
    second.close()


def test_d06_the_lock_of_a_killed_process_is_free(tmp_path: Path) -> None:
    path = tmp_path / "journal.db"
    code = (
        "import sys; from pathlib import Path; from mismartera.journal import open_database\n"
        "from mismartera.journal.lock import lock_journal\n"
        "lock = lock_journal(open_database(Path(sys.argv[1]), make=True))\n"
        "print('held', flush=True); input()"
    )
    holder = subprocess.Popen(
        [sys.executable, "-c", code, str(path)], stdout=subprocess.PIPE, stdin=subprocess.PIPE, text=True
    )
    assert holder.stdout is not None
    assert holder.stdout.readline() == "held\n"
    with pytest.raises(JournalError, match=f"process {holder.pid}, since"):
        lock_journal(Database.at(path))
    holder.send_signal(signals.SIGKILL)
    holder.communicate()
    lock_journal(Database.at(path)).release()


def test_d07_a_reader_that_stays_keeps_nobody_from_writing(file_desk: Desk) -> None:
    file_desk.start()
    with file_desk.database.reading() as connection:
        connection.exec_driver_sql("BEGIN")
        assert connection.exec_driver_sql("SELECT count(*) FROM events").scalar() == 0
        for value in range(20):
            file_desk.writer.put(signal(value))
            assert file_desk.writer.wait_durable(WALL_SECONDS)
        assert connection.exec_driver_sql("SELECT count(*) FROM events").scalar() == 0
        grown = file_desk.database.wal_bytes()
    assert len(file_desk.values()) == 20
    assert grown is not None
    path = file_desk.database.path
    assert path is not None
    assert grown == path.with_name("journal.db-wal").stat().st_size > 20 * 4096, "at least a page a commit"
    assert file_desk.writer.entries_waiting == 0


def test_sessions_are_numbered_and_found_by_number_or_as_the_last(desk: Desk) -> None:
    second = begin_session(desk.database, new_session(name="other", pid=2))
    end_session(desk.database, second, 9, "finished")
    reader = JournalReader(desk.database)
    assert [s.id for s in reader.sessions()] == [desk.session_id, second]
    assert reader.session("last").outcome == "finished"
    assert reader.session(str(desk.session_id)).outcome is None
    found = reader.last_of("test")
    assert found is not None
    assert found.id == desk.session_id
    assert reader.last_of("nobody") is None
    with pytest.raises(JournalError, match="no session '7'; allowed: last, or one of 1, 2"):
        reader.session("7")


def test_d08_one_connection_writes_whatever_else_reads(file_desk: Desk) -> None:
    """SQLite before 3.51.3 could damage a database in WAL mode that several connections write."""
    writers: set[int] = set()

    def note(connection: object, cursor: object, statement: str, *_: object) -> None:
        if statement.startswith(("INSERT", "BEGIN IMMEDIATE")):
            writers.add(id(connection.connection.driver_connection))  # type: ignore[attr-defined]

    event.listen(file_desk.database.engine, "before_cursor_execute", note)
    file_desk.start()
    for value in range(20):
        file_desk.writer.put(signal(value))
        assert file_desk.writer.wait_durable(WALL_SECONDS)
        JournalReader(file_desk.database).sessions()
    assert len(writers) == 1
    assert len(file_desk.values()) == 20


@pytest.mark.parametrize(("version", "is_told"), [((3, 40, 1), True), ((3, 51, 2), True), ((3, 51, 3), False)])
def test_d08_an_sqlite_that_may_damage_what_two_write_is_told_of_with_its_version(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, version: tuple[int, int, int], is_told: bool
) -> None:
    monkeypatch.setattr(sqlite3, "sqlite_version_info", version)
    monkeypatch.setattr(sqlite3, "sqlite_version", ".".join(map(str, version)))
    fault = Database.at(tmp_path / "journal.db").fault
    assert (fault is not None) == is_told
    if fault is not None:
        assert fault.startswith(f"SQLite {sqlite3.sqlite_version} may damage what several connections write")
        assert str(tmp_path / "journal.db") in fault
    assert Database.at("postgresql://user@localhost/journal").fault is None
