"""Names and streams at the door of ``add_symbol``, and the registry's states."""

from __future__ import annotations

import pytest
from tests.conftest import MakeSystem
from tests.runs import config

from mismartera.errors import UsageError
from mismartera.session.symbols import SymbolRegistry, SymbolState, in_rank_order


@pytest.mark.parametrize("name", ["", " ", "../etc/passwd", "A B", "-A", "A" * 33, "A\0", "Ä", "A//B", "A/"])
def test_a_name_that_is_no_symbol_is_refused(make_system: MakeSystem, name: str) -> None:
    system = make_system(config("AAA"))
    with pytest.raises(ValueError, match="symbol"):
        system.coordinator.add_symbol(name)


@pytest.mark.parametrize("streams", [[], ["1m", "60s"], ["7x"], ["quotes"], ["ticks"], ["0m"]])
def test_streams_that_are_no_intervals_are_refused(make_system: MakeSystem, streams: list[str]) -> None:
    system = make_system(config("AAA"))
    with pytest.raises(ValueError, match=r"interval|streams"):
        system.coordinator.add_symbol("CCC", streams=streams)
    assert system.coordinator.get_pending_symbols() == {"AAA"}


def test_a_member_has_one_state_and_a_new_generation_each_time_it_is_added_again() -> None:
    registry = SymbolRegistry()
    first = registry.add("AAA")
    other = registry.add("BBB")
    assert first is not None and other is not None
    assert registry.add("AAA") is None
    assert registry.advance(first, SymbolState.LOADED)
    assert registry.symbols(SymbolState.PENDING) == ("BBB",)
    assert registry.remove("AAA") is first
    assert registry.remove("AAA") is None
    assert not registry.advance(first, SymbolState.LOADING), "a result that comes too late is dropped"
    second = registry.add("AAA")
    assert second is not None
    assert (second.generation, second.rank) == (2, 2)
    assert in_rank_order([second, other]) == [other, second]
    assert registry.desired() == ("BBB", "AAA")
    assert registry.is_current(second) and not registry.is_current(first)


def test_a_stay_that_failed_does_not_count() -> None:
    registry = SymbolRegistry()
    failed = registry.add("AAA")
    assert failed is not None
    assert registry.advance(failed, SymbolState.FAILED, "unknown")
    assert registry.desired() == ()
    assert registry.remove("AAA") is None
    assert not registry.wait_loaded("AAA", timeout=None)
    again = registry.add("AAA")
    assert again is not None and again.generation == 1 and again.reason == ""
    with pytest.raises(TimeoutError, match=r"AAA is not loaded after 0\.0 s"):
        registry.wait_loaded("AAA", timeout=0.0)
    registry.end()
    assert not registry.wait_loaded("AAA", timeout=None), "nobody waits for a run that is over"
    for change in (registry.add, registry.remove):
        with pytest.raises(UsageError, match="the run has ended"):
            change("AAA")
