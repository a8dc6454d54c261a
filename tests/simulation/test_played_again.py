"""Simulated sessions, with all faults, are played again from their journals to the byte (I13)."""

from __future__ import annotations

from pathlib import Path
from random import Random

import pytest
from sqlalchemy import delete

from mismartera.journal import JournalReader, open_database, tables
from mismartera.testing.sim_journal import as_text, play_again
from mismartera.testing.simulation import Simulation
from mismartera.trace import DepartedError

CHUNKS = [range(first, first + 6) for first in range(0, 36, 6)]


def run(seed: int, where: Path | str) -> tuple[list[str], int]:
    """The events of a session that keeps a journal, and when it ends."""
    simulation = Simulation(seed, journal=where)
    outcome = simulation.run()
    assert outcome.violation is None
    return as_text(outcome.lines), simulation.until_us


@pytest.mark.parametrize("seeds", CHUNKS, ids=lambda seeds: f"{seeds[0]}-{seeds[-1]}")
def test_a_session_is_played_again_to_the_byte(seeds: range, tmp_path: Path) -> None:
    for seed in seeds:
        place = tmp_path / str(seed)
        lines, until_us = run(seed, place)
        assert play_again(place, Simulation(seed).strategies, until_us) == lines, seed


def test_a_journal_that_ends_anywhere_gives_the_session_s_beginning(tmp_path: Path) -> None:
    for seed in (9, 14, 19):
        place = tmp_path / str(seed)
        lines, until_us = run(seed, place)
        database = open_database(place, make=False)
        sizes = JournalReader(database).sizes(1)
        rows, rng, before = sum(sizes.values()), Random(seed), len(lines)
        for last in sorted((rng.randrange(rows) for _ in range(5)), reverse=True):
            with database.writing() as connection:
                for table in tables.ENTRIES:
                    connection.execute(delete(table).where(table.c.seq > last))
            played = play_again(place, Simulation(seed).strategies, until_us)
            assert played == lines[: len(played)], (seed, last)
            assert len(played) <= before
            before = len(played)
        database.close()


def test_a_strategy_that_does_something_else_is_told_of(tmp_path: Path) -> None:
    _, until_us = run(4, tmp_path / "journal")
    others = Simulation(4).strategies
    others[0].rng, others[0].slow_share = Random(1), 0.0
    others[1].rng, others[1].raise_share = Random(1), 0.5
    with pytest.raises(DepartedError, match="the replay has departed from the session at 2024"):
        play_again(tmp_path / "journal", others, until_us)
