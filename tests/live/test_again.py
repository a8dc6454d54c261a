"""Removed and added again at once, on a real feed: the vendor sends it as before; its new stay is told (R6)."""

from __future__ import annotations

from tests.live.conftest import MakeStage
from tests.live.markets import draw


def test_a_symbol_that_is_removed_and_added_at_once_is_there_with_its_next_bar(make_stage: MakeStage) -> None:
    stage = make_stage(draw(), until="10:12")

    def hurry() -> None:
        assert stage.system.coordinator.remove_symbol("BBB")
        assert stage.system.coordinator.add_symbol("BBB")

    stage.at("10:03:20", hurry)
    stage.play()
    told = [
        line["event"] for line in stage.log.lines if line.get("symbol") == "BBB" and "symbol_" in line["event"]
    ]
    assert told == ["symbol_pending", "symbol_loaded", "symbol_removed", "symbol_pending", "symbol_loaded"]
    bars = [line for line in stage.log.of("bar") if (line["symbol"], line["interval"]) == ("BBB", "1m")]
    assert [line["start"][14:16] for line in bars if line["generation"] == 2][-8:] == [
        f"{m:02}" for m in range(4, 12)
    ]
