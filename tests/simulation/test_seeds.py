"""Simulated live sessions keep every law, and each planted breach of one is caught (I1 to I11, I14, I15)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from random import SystemRandom
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from mismartera.bars.instants import MINUTE_US
from mismartera.feeds import sift
from mismartera.feeds.port import Floats, Ints, Rejected
from mismartera.feeds.sift import RawBars
from mismartera.live import ledger, today
from mismartera.live.checks import Checks
from mismartera.live.deadlines import Deadlines
from mismartera.live.desk import EngineDesk
from mismartera.live.entry import Entry
from mismartera.live.ledger import DayLedger
from mismartera.live.sifting import Merge
from mismartera.live.update import Update
from mismartera.session import increment
from mismartera.session.analysis import AnalysisEngine
from mismartera.session.arriving import ArrivingTape, Batch
from mismartera.session.causes import Causes
from mismartera.session.delivery import Delivery
from mismartera.session.gate import Gate
from mismartera.session.increment import Grown
from mismartera.session.part import Part
from mismartera.session.slice import Slice
from mismartera.session.slice_desk import SliceDesk
from mismartera.session.state import SymbolData
from mismartera.session.strategy_run import StrategyRun
from mismartera.session.symbols import Member
from mismartera.session.transitions import Transitions
from mismartera.system import wiring
from mismartera.testing import sim_market
from mismartera.testing.sim_shrink import shrunk
from mismartera.testing.sim_twins import departs, run_checked, unlike_since_open
from mismartera.testing.simulate import main, needed_events
from mismartera.testing.simulation import Simulation

CHUNKS = [range(first, first + 10) for first in range(0, 200, 10)]
BREACH_SEEDS = range(300, 312)
FENCE_SEEDS = (317, 392)
LOADING_SEEDS = (80_329, 80_373)
FELT_SEEDS = (304, *BREACH_SEEDS)


@pytest.mark.parametrize("seeds", CHUNKS, ids=lambda seeds: f"{seeds[0]}-{seeds[-1]}")
def test_every_law_holds_in_simulated_sessions(seeds: range) -> None:
    violations = [(seed, found) for seed in seeds if (found := run_checked(seed).violation)]
    assert not violations


def test_the_backlog_of_a_symbol_that_joins_shuts_no_reads_while_a_callback_is_slow() -> None:
    """It joins while the first strategy has a bar, 40 s long; the second is told of it, and may read (I1)."""
    assert Simulation(901_097).run().violation is None


def test_a_seed_gives_the_same_events_again() -> None:
    for seed in (3, 11, 17):
        assert Simulation(seed).run().lines == Simulation(seed).run().lines


def test_the_command_says_what_was_done(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--seeds", "2", "--first", "5", "--workers", "1"]) == 0
    assert "2 seeds done, 0 violations; faults fired: " in capsys.readouterr().out


def test_a_violation_is_told_with_the_events_that_it_needs_and_they_show_it_again(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(Merge, "backfilled", _without_the_first)
    events = needed_events(308)
    assert [event.split("@")[0] for event in events] == ["add"], "of dozens"
    assert "ADD0" in events[0]
    assert Simulation(308, only=events).run().violation
    assert Simulation(308, only=[]).run().violation is None


def test_all_events_of_a_seed_by_their_names_are_the_seed() -> None:
    for seed in range(300, 306):
        outcome = Simulation(seed).run()
        assert Simulation(seed, only=outcome.events).run().lines == outcome.lines


@given(st.lists(st.integers(0, 60), unique=True, max_size=60), st.data())
def test_a_list_is_shrunk_to_the_part_that_fails(names: list[int], data: st.DataObject) -> None:
    needed = set(data.draw(st.lists(st.sampled_from(names), max_size=4))) if names else set[int]()
    kept = shrunk([str(name) for name in names], lambda fewer: needed <= set(map(int, fewer)))
    assert kept == [str(name) for name in names if name in needed]


def _never(*_: object) -> bool:
    return False


def _only_received(ledger: DayLedger, entries: Sequence[Entry], _: str) -> None:
    ledger.counts[[entry.index for entry in entries], 0] += 1


def _stay(*_: object) -> None:
    return None


def _all_pass(bars: RawBars, *_: object) -> tuple[NDArray[np.intp], list[Rejected]]:
    return np.arange(len(bars)), []


def _backwards(slices: Slice) -> list[str]:
    return _SYMBOLS(slices)[::-1]


def _loaded_twice(tell: Transitions, member: Member) -> None:
    was_told = member.is_told
    _LOADED(tell, member)
    if not was_told:
        member.is_told = False
        _LOADED(tell, member)


def _without_the_first(merge: Merge, window: Ints, prices: Floats, **options: Any) -> None:
    _BACKFILLED(merge, window[1:], prices[:, 1:], **options)


def _call_on(analysis: AnalysisEngine, run: StrategyRun, error: BaseException) -> None:
    analysis._on_error(run, error)


def _at_random(ledger: DayLedger, *windows: int) -> list[Any]:
    found = list(_UNKNOWN(ledger, *windows))
    SystemRandom().shuffle(found)
    return found


def _unseen(tape: ArrivingTape, end_us: int, grown: Sequence[Grown], batch: Batch, gone: Any = ()) -> None:
    _ADD(tape, end_us, grown, batch, gone if end_us // MINUTE_US % 7 else batch.infos_by_name)


def _keep(slices: SliceDesk, end_us: int) -> list[Part]:
    return slices._parts.get(end_us, [])


_ADD = ArrivingTape.add
_SYMBOLS, _LOADED = Slice._symbols, Transitions.loaded
_BACKFILLED, _UNKNOWN = Merge.backfilled, DayLedger.unknown

BREACHES: dict[str, tuple[object, str, object]] = {
    "I1 stale bars are delivered": (wiring, "Gate", lambda threshold_us, every: Gate(5 * threshold_us, every)),
    "I1 a held session tells of bars": (Causes, "hide", property(_never)),
    "I2 a stream that is away holds nothing": (Causes, "hold", lambda *_, **__: None),
    "I3 a bar is received and has no fate": (DayLedger, "count_each", _only_received),
    "I3 bars of some minutes are kept, and never shown": (ArrivingTape, "add", _unseen),
    "I4 the bars of a slice are in another order": (Slice, "_symbols", _backwards),
    "I5 a bar passes whose minute has not ended": (sim_market, "sift", _all_pass),
    "I6 a symbol is told as loaded twice": (Transitions, "loaded", _loaded_twice),
    "I8 an added symbol lacks its first bar": (Merge, "backfilled", _without_the_first),
    "I9 a missing minute is not filled in": (Checks, "reconcile", lambda self, then, *, is_last: then()),
    "I10 quiet minutes are not confirmed": (Checks, "confirm_quiet", _stay),
    "I11 a strategy that failed is called again": (AnalysisEngine, "end_run", _call_on),
    "I15 the instants of slices are never forgotten": (SliceDesk, "take", _keep),
    "I15 a tape only grows": (ArrivingTape, "_forget_before", _stay),
}


def test_a_planted_breach_of_the_fence_is_caught(monkeypatch: pytest.MonkeyPatch) -> None:
    """I7: what was removed stays on the tape, and nobody looks whether it was."""
    monkeypatch.setattr(Delivery, "is_fenced", _never)
    monkeypatch.setattr(ArrivingTape, "remove", _stay)
    assert any(" I7: " in (Simulation(seed).run().violation or "") for seed in FENCE_SEEDS)


def test_a_planted_breach_of_the_time_that_loading_may_take_is_caught(monkeypatch: pytest.MonkeyPatch) -> None:
    """I6: a symbol that is not there in time waits for ever."""
    monkeypatch.setattr(Deadlines, "_passed", _stay)
    assert all(" I6: " in (Simulation(seed).run().violation or "") for seed in LOADING_SEEDS)


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
    law = name.partition(" ")[0]
    assert any(f" {law}: " in f"{Simulation(seed).run().violation}" for seed in BREACH_SEEDS), "some seed shows it"


def test_an_order_that_is_drawn_without_the_seed_is_caught(monkeypatch: pytest.MonkeyPatch) -> None:
    """I14: the minutes that are asked for are told in any order."""
    monkeypatch.setattr(DayLedger, "unknown", _at_random)
    assert any((departs(Simulation(seed).run()) or "").startswith("I14: ") for seed in BREACH_SEEDS)


def test_a_failure_that_is_felt_by_others_is_caught(monkeypatch: pytest.MonkeyPatch) -> None:
    """I11: the engine is paused, for a while, by a strategy that raises."""
    end_run = AnalysisEngine.end_run

    def end_slowly(analysis: AnalysisEngine, run: StrategyRun, error: BaseException) -> None:
        run.strategy.world.sleep(3.0)  # type: ignore[attr-defined]  # it is one of the simulation
        end_run(analysis, run, error)

    monkeypatch.setattr(AnalysisEngine, "end_run", end_slowly)
    assert any((departs(Simulation(seed).run()) or "").startswith("I11: ") for seed in FELT_SEEDS)


def test_an_addition_that_others_feel_is_caught(monkeypatch: pytest.MonkeyPatch) -> None:
    """I8: the first bars that come after a symbol has joined are not shown."""
    join = EngineDesk._join

    def join_and_lose(desk: EngineDesk, data: Mapping[Entry, SymbolData], update: Update) -> None:
        join(desk, data, update)
        lose = desk.tape.__dict__
        lose["add"] = lambda *_: lose.pop("add")

    monkeypatch.setattr(EngineDesk, "_join", join_and_lose)
    assert any("I8: " in (unlike_since_open(seed) or "") for seed in BREACH_SEEDS)


def test_what_ends_after_the_run_is_not_of_it_though_the_engine_is_late_itself() -> None:
    """A strategy is slow at the last instant; its minute's REST, asked afterwards, knows the next minute, too."""
    assert Simulation(9161).run().violation is None
