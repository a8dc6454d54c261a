"""Journals of both kinds. The server is started by the first test that needs it, once per process."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from tests.unit.journal.desks import Desk

NewPlace = Callable[[], "Path | str"]
has_server = os.name == "posix"
if has_server:
    from mismartera.testing.postgres import PostgresServer


@pytest.fixture(scope="session")
def server() -> Iterator[PostgresServer]:
    """A PostgreSQL server."""
    with PostgresServer(syncs=False) as started:
        yield started


@pytest.fixture(params=["sqlite", "postgresql"] if has_server else ["sqlite"])
def new_place(request: pytest.FixtureRequest, tmp_path: Path) -> NewPlace:
    """Makes places for journals: a file, or a database of the server, each time another one."""
    if request.param == "postgresql":
        return request.getfixturevalue("server").make_database  # type: ignore[no-any-return]
    places = (tmp_path / str(number) / "journal.db" for number in range(1000))
    return lambda: next(places)


@pytest.fixture
def desk(new_place: NewPlace) -> Iterator[Desk]:
    """A journal of either kind, whose writer has not begun."""
    made = Desk(new_place())
    yield made
    made.close()


@pytest.fixture
def file_desk(tmp_path: Path) -> Iterator[Desk]:
    """A journal in a file."""
    made = Desk(tmp_path / "journal.db")
    yield made
    made.close()
