"""Simulated live sessions keep every law, and each planted breach of one is caught (I1 to I10, I14)."""

from __future__ import annotations

from collections.abc import Sequence

import pytest

from mismartera.feeds import sift
from mismartera.live import ledger, today
from mismartera.live.checks import Checks
from mismartera.live.entry import Entry
from mismartera.live.ledger import DayLedger
from mismartera.session import increment
from mismartera.session.arriving import ArrivingTape
from mismartera.session.causes import Causes
from mismartera.session.delivery import Delivery
from mismartera.session.gate import Gate
from mismartera.system import wiring
from mismartera.testing.simulate import main
from mismartera.testing.simulation import Simulation

CHUNKS = [range(first, first + 10) for first in range(0, 40, 10)]
BREACH_SEEDS = range(300, 312)
FENCE_SEEDS = (317, 392)


@pytest.mark.parametrize("seeds", CHUNKS, ids=lambda seeds: f"{seeds[0]}-{seeds[-1]}")
def test_every_law_holds_in_simulated_sessions(seeds: range) -> None:
    violations = [(seed, found) for seed in seeds if (found := Simulation(seed).run().violation)]
    assert not violations


def test_a_seed_gives_the_same_events_again() -> None:
    for seed in (3, 11, 17):
        assert Simulation(seed).run().lines == Simulation(seed).run().lines


def test_the_command_says_what_was_done(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--seeds", "2", "--first", "5", "--workers", "1"]) == 0
    assert "2 seeds done, 0 violations; faults fired: " in capsys.readouterr().out


def _never(*_: object) -> bool:
    return False


def _only_received(ledger: DayLedger, entries: Sequence[Entry], _: str) -> None:
    ledger.counts[[entry.index for entry in entries], 0] += 1


def _stay(*_: object) -> None:
    return None


BREACHES: dict[str, tuple[object, str, object]] = {
    "I1 stale bars are delivered": (wiring, "Gate", lambda threshold_us, every: Gate(5 * threshold_us, every)),
    "I2 a held session is active": (Causes, "any", property(_never)),
    "I3 a bar is received and has no fate": (DayLedger, "count_each", _only_received),
    "I9 a missing minute is not filled in": (Checks, "reconcile", lambda self, then, *, is_last: then()),
    "I10 quiet minutes are not confirmed": (Checks, "confirm_quiet", _stay),
}


def test_a_planted_breach_of_the_fence_is_caught(monkeypatch: pytest.MonkeyPatch) -> None:
    """I7: what was removed stays on the tape, and nobody looks whether it was."""
    monkeypatch.setattr(Delivery, "is_fenced", _never)
    monkeypatch.setattr(ArrivingTape, "remove", _stay)
    assert any("removal" in (Simulation(seed).run().violation or "") for seed in FENCE_SEEDS)


def test_few_bars_are_taken_as_many_are(monkeypatch: pytest.MonkeyPatch) -> None:
    """Plain Python for a few bars and symbols, columns for many: to the byte the same session."""
    for seed in (50, 51, 52):
        few = Simulation(seed).run().lines
        with monkeypatch.context() as patch:
            for module in (today, sift, ledger):
                patch.setattr(module, "FEW_BARS", 0)
            patch.setattr(increment, "FEW_SYMBOLS", 0)
            assert Simulation(seed).run().lines == few


@pytest.mark.parametrize("name", BREACHES)
def test_a_planted_breach_is_caught(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    owner, attribute, broken = BREACHES[name]
    monkeypatch.setattr(owner, attribute, broken)
    assert any(Simulation(seed).run().violation for seed in BREACH_SEEDS), "some seed shows it"
