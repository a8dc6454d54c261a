"""A journal in a file after the power has gone, at any moment (D02): what the writer says to SQLite, with the
settings of its connections, on a disk that forgets whatever was not synced.
"""

from __future__ import annotations

import shutil
import sqlite3
from collections.abc import Sequence
from pathlib import Path
from random import Random
from typing import Any

import apsw
from sqlalchemy import event
from tests.unit.journal.desks import Desk

from mismartera.journal import Trace, open_database
from mismartera.journal.database import _settle_sqlite
from mismartera.testing.sqlite_disk import Kept, SqliteDisk

WALL_SECONDS = 20.0
COMMITS = 12
Said = tuple[str, Sequence[Any]]


def said_to_sqlite(folder: Path, commits: int) -> list[list[Said]]:
    """The statements of each commit, as the writer makes them."""
    desk = Desk(folder / "model.db")
    rng = Random(1)
    said: list[list[Said]] = []

    def note(_c: object, _cursor: object, statement: str, parameters: Any, _x: object, many: bool) -> None:
        if statement.startswith(("BEGIN", "INSERT")):
            if statement.startswith("BEGIN"):
                said.append([])
            said[-1] += [(statement, row) for row in (parameters if many else [parameters])]

    event.listen(desk.database.engine, "before_cursor_execute", note)
    desk.start()
    for _ in range(commits):
        for _ in range(rng.randrange(1, 4)):
            desk.writer.put(Trace("engine", rng.randbytes(rng.randrange(100, 9000))))
        assert desk.writer.wait_durable(WALL_SECONDS)
    desk.close()
    return said


def seqs(folder: Path, files: dict[Path, bytes]) -> list[int]:
    """What is found in these files."""
    folder.mkdir()
    for path, content in files.items():
        (folder / path.name).write_bytes(content)
    connection = sqlite3.connect(folder / "journal.db")
    assert connection.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
    found = [seq for (seq,) in connection.execute("SELECT seq FROM traces ORDER BY seq")]
    connection.close()
    shutil.rmtree(folder)
    return found


def written(
    path: Path, said: Sequence[Sequence[Said]], *, pragmas: Sequence[str] = ()
) -> tuple[SqliteDisk, list[int]]:
    """The disk on which they were said, and the last entry of each commit."""
    disk = SqliteDisk()
    connection = disk.connect(path)

    class Settled:
        execute = connection.execute

    _settle_sqlite(Settled(), None)
    for pragma in (
        "wal_autocheckpoint=8",
        *pragmas,
    ):  # more often than by default: it is where files are written over
        connection.execute(f"PRAGMA {pragma}")
    lasts: list[int] = []
    for statements in said:
        for statement, row in statements:
            connection.execute(statement, row)
        connection.execute("COMMIT")
        disk.acknowledge()
        lasts.append(int(str(connection.execute("SELECT max(seq) FROM traces").fetchall()[0][0])))
    connection.close()
    disk.close()
    return disk, lasts


def losses(folder: Path, *, pragmas: Sequence[str] = ()) -> tuple[int, list[str]]:
    """How many power losses were looked at, and what was wrong after them."""
    said = said_to_sqlite(folder, COMMITS)
    path = folder / "journal.db"
    open_database(path, make=True).close()
    with apsw.Connection(str(path)) as connection:
        connection.execute(
            "INSERT INTO sessions VALUES (1, 'x', 0, NULL, NULL, '', 0, '', '', '', '', '', NULL, NULL, NULL)"
        )
    connection.close()
    before = {path: path.read_bytes()}
    disk, lasts = written(path, said, pragmas=pragmas)
    problems: list[str] = []
    looked, rng = 0, Random(2)
    kinds: tuple[Kept, ...] = ("nothing", "all", "some", "some")
    for step, (acknowledged, state) in enumerate(disk.moments(before)):
        for kept in kinds if not problems else ():
            found = seqs(folder / "after", state.after_power_loss(kept, rng))
            looked += 1
            whole = [0, *lasts]
            if found != list(range(1, len(found) + 1)) or len(found) not in whole:
                problems.append(f"step {step}, {kept}: a part of a commit: {found}")
            elif len(found) < whole[acknowledged]:
                problems.append(f"step {step}, {kept}: {len(found)} of {whole[acknowledged]} acknowledged entries")
    return looked, problems


def test_d02_nothing_acknowledged_is_lost_and_no_commit_is_there_in_part(tmp_path: Path) -> None:
    looked, problems = losses(tmp_path)
    assert looked > 300
    assert not problems


def test_d02_the_model_finds_a_setting_that_loses_what_was_acknowledged(tmp_path: Path) -> None:
    _, problems = losses(tmp_path, pragmas=["synchronous=NORMAL"])
    assert any("acknowledged" in problem for problem in problems)
