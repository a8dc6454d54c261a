"""A journal in PostgreSQL while its server, or a connection to it, goes away (D09)."""

from __future__ import annotations

import os
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import pytest
from sqlalchemy import Connection, create_engine, text

if os.name != "posix":
    pytest.skip("the server runs on POSIX only", allow_module_level=True)

from tests.unit.journal.desks import Desk, FlakyDatabase, signal
from tests.unit.journal.test_database import columns, refusal

from mismartera.errors import JournalError
from mismartera.journal import Database, open_database
from mismartera.journal.lock import lock_journal
from mismartera.journal.tables import REVISION, metadata
from mismartera.testing.postgres import PostgresServer
from mismartera.testing.sim_journal import as_text, play_again
from mismartera.testing.simulation import Simulation

WALL_SECONDS = 30.0
LOCKS = "application_name LIKE 'mismartera %'"


_REFUSE = """
CREATE FUNCTION refuse() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF nextval('tries') <= 2 THEN
        RAISE EXCEPTION 'could not serialize access' USING ERRCODE = '40001';
    END IF;
    RETURN NULL;
END $$
"""


class CutDatabase(FlakyDatabase):
    """``cut`` is called when the rows are sent and nothing is committed yet; then it is None again."""

    cut: Callable[[], object] | None = None

    @contextmanager
    def writing(self) -> Iterator[Connection]:
        with super().writing() as connection:
            yield connection
            if self.cut is not None:
                cut, self.cut = self.cut, None
                cut()


@pytest.fixture
def desk(server: PostgresServer) -> Iterator[Desk]:
    """A journal in PostgreSQL."""
    made = Desk(server.make_database())
    made.database.__class__ = CutDatabase
    yield made
    made.close()


def settled(desk: Desk, value: int) -> bool:
    done = threading.Event()
    desk.writer.settle(signal(value), done.set)
    return done.wait(WALL_SECONDS)


def refused_lock(desk: Desk) -> str:
    """What a second process is told."""
    other = Database.at(desk.where)
    with pytest.raises(JournalError) as raised:
        lock_journal(other)
    other.close()
    return str(raised.value)


def test_the_migrations_make_the_tables_that_the_code_knows(server: PostgresServer) -> None:
    migrated, made = server.make_database(), server.make_database()
    database = open_database(migrated, make=True)
    assert database.upgrade() == (REVISION, REVISION)
    database.close()
    drivers = [url.replace("postgresql:", "postgresql+psycopg:") for url in (migrated, made)]
    engine = create_engine(drivers[1])
    metadata.create_all(engine)
    engine.dispose()
    assert columns(drivers[0]) == columns(drivers[1])


def test_d10_what_is_no_journal_is_named(server: PostgresServer) -> None:
    assert "is empty" in refusal(server.make_database())
    other = server.make_database()
    engine = create_engine(other.replace("postgresql:", "postgresql+psycopg:"))
    with engine.begin() as connection:
        connection.exec_driver_sql("CREATE TABLE notes (id INTEGER)")
    assert "is empty" in refusal(other), "a database may be shared"
    with engine.begin() as connection:
        connection.exec_driver_sql("CREATE TABLE alembic_version (version_num TEXT)")
    assert "is no journal of mismartera" in refusal(other)
    engine.dispose()
    assert 'database "nowhere" does not exist' in refusal(server.url("nowhere"))


def test_d09_a_connection_that_is_cut_in_mid_transaction_loses_and_doubles_nothing(
    desk: Desk, server: PostgresServer
) -> None:
    desk.start()
    assert settled(desk, 1)
    assert isinstance(desk.database, CutDatabase)
    desk.database.cut = lambda: server.cut(f"NOT ({LOCKS})")
    assert settled(desk, 2)
    assert settled(desk, 3)
    assert desk.values() == [1, 2, 3]
    assert [warning.rsplit(" ", 2)[-1] for warning in desk.warnings] == ["again", "again"]
    assert not desk.lost


@pytest.mark.parametrize("mode", ["fast", "immediate"])
def test_d09_a_server_that_restarts_in_mid_transaction_loses_and_doubles_nothing(
    desk: Desk, server: PostgresServer, mode: str
) -> None:
    desk.start()
    assert settled(desk, 1)

    def restart() -> None:
        server.stop(mode)
        server.start()

    assert isinstance(desk.database, CutDatabase)
    desk.database.cut = restart
    assert settled(desk, 2)
    assert settled(desk, 3)
    assert desk.values() == [1, 2, 3]
    assert not desk.lost
    assert f"in use by process {os.getpid()} " in refused_lock(desk)  # it was had again


def test_d09_while_the_server_is_away_commands_wait_and_nothing_is_given_up(
    desk: Desk, server: PostgresServer
) -> None:
    desk.start()
    server.stop("immediate")
    told = threading.Event()
    desk.writer.settle(signal(1), told.set)
    try:
        assert not told.wait(1.0)  # of the wall: a second and some retries
    finally:
        server.start()
    assert told.wait(WALL_SECONDS)
    assert desk.values() == [1]
    assert not desk.lost


def test_d09_a_commit_of_which_nobody_knows_is_looked_up(desk: Desk, server: PostgresServer) -> None:
    desk.start()
    desk.database.unknown = 1
    assert settled(desk, 1)
    server.cut()
    assert settled(desk, 2)
    assert desk.values() == [1, 2]


def test_d09_a_commit_that_is_refused_for_what_others_do_is_made_again(desk: Desk) -> None:
    """A serialization failure, twice: the session knows when the third attempt stands."""
    with desk.database.writing() as connection:
        connection.execute(text("CREATE SEQUENCE tries"))  # a rollback does not undo what it counts
        connection.execute(text(_REFUSE))
        connection.execute(text("CREATE TRIGGER r BEFORE INSERT ON events EXECUTE FUNCTION refuse()"))
    desk.start()
    assert settled(desk, 1)
    assert settled(desk, 2)
    assert desk.values() == [1, 2]
    assert "cannot be written: could not serialize access" in desk.warnings[0]
    assert desk.warnings[1].endswith("is written again")
    assert not desk.lost


def test_d09_a_lock_that_was_lost_is_had_again(desk: Desk, server: PostgresServer) -> None:
    desk.start()
    assert server.cut(LOCKS) == 1
    assert settled(desk, 1)
    assert f"in use by process {os.getpid()} " in refused_lock(desk)
    assert not desk.lost


def test_d09_a_lock_that_somebody_else_has_by_now_ends_the_session_before_it_writes(
    desk: Desk, server: PostgresServer
) -> None:
    desk.start()
    assert settled(desk, 1)
    assert server.cut(LOCKS) == 1
    other = Database.at(desk.where)
    lock = lock_journal(other)
    desk.writer.put(signal(2))
    assert not desk.writer.stop(WALL_SECONDS)
    assert [str(error) for error in desk.lost] == [
        f"the journal {desk.database.label} is written by somebody else now"
    ]
    assert desk.values() == [1]
    lock.release()
    other.close()


def test_a_server_that_answers_before_it_has_synced_is_told_to_sync(server: PostgresServer) -> None:
    url = server.make_database()
    database = open_database(url, make=True)
    with database.reading() as connection:
        name = connection.execute(text("SELECT current_database()")).scalar()
        connection.execute(text(f"ALTER DATABASE {name} SET synchronous_commit = off"))
        connection.commit()
    database.close()
    with database.reading() as connection:
        assert connection.execute(text("SHOW synchronous_commit")).scalar() == "on"
    database.close()


def test_a_session_is_played_again_to_the_byte(server: PostgresServer) -> None:
    url = server.make_database()
    simulation = Simulation(14, journal=url)
    lines = as_text(simulation.run().lines)
    assert play_again(url, Simulation(14).strategies, simulation.until_us) == lines
