"""Simulated sessions, with all faults, are played again from their journals to the byte (I13)."""

from __future__ import annotations

from pathlib import Path
from random import Random

import pytest
from sqlalchemy import delete

from mismartera.errors import DepartedError
from mismartera.journal import open_database, tables
from mismartera.testing.sim_journal import as_text, play_again
from mismartera.testing.simulation import Simulation

CHUNKS = [range(first, first + 4) for first in range(0, 12, 4)]


def run(seed: int, where: Path | str) -> tuple[list[str], Simulation]:
    """The events of a session that kept a journal."""
    simulation = Simulation(seed, journal=where)
    outcome = simulation.run()
    assert outcome.violation is None
    return as_text(outcome.lines), simulation


def replay(simulation: Simulation, where: Path | str) -> list[str]:
    return play_again(where, Simulation(simulation.seed).strategies, simulation.until_us)


@pytest.mark.parametrize("seeds", CHUNKS, ids=lambda seeds: f"{seeds[0]}-{seeds[-1]}")
def test_a_session_is_played_again_to_the_byte(seeds: range, tmp_path: Path) -> None:
    for seed in seeds:
        place = tmp_path / str(seed)
        lines, simulation = run(seed, place)
        assert replay(simulation, place) == lines, seed


@pytest.mark.parametrize("seed", [9, 14, 19, 26])
def test_a_journal_that_ends_anywhere_gives_the_session_s_beginning(seed: int, tmp_path: Path) -> None:
    place = tmp_path / "journal"
    lines, simulation = run(seed, place)
    assert simulation.journal is not None
    commits, rng = simulation.journal.writer.last_seqs, Random(seed)
    cuts = {*rng.sample(commits, min(len(commits), 5)), *(rng.randrange(commits[-1]) for _ in range(3))}
    lengths = []
    for last in sorted(cuts, reverse=True):
        database = open_database(place, make=False)
        with database.writing() as connection:
            for table in tables.ENTRIES:
                connection.execute(delete(table).where(table.c.seq > last))
        database.close()
        played = replay(simulation, place)
        assert played == lines[: len(played)], last
        lengths.append(len(played))
    assert lengths == sorted(lengths, reverse=True)
    assert lengths[0] > lengths[-1]


def test_a_strategy_that_does_something_else_is_told_of(tmp_path: Path) -> None:
    _, simulation = run(4, tmp_path / "journal")
    others = Simulation(4).strategies
    others[0].rng, others[0].slow_share = Random(1), 0.0
    others[1].rng, others[1].raise_share = Random(1), 0.5
    with pytest.raises(DepartedError, match="the replay has departed from the session at 2024"):
        play_again(tmp_path / "journal", others, simulation.until_us)
