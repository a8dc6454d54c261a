"""Symbols that do not trade: loaded once REST has confirmed it, and never by heartbeats alone (R5, R6)."""

from __future__ import annotations

from typing import Any

import pytest
from tests.simulation.day import Day, minutes

from mismartera.errors import RunFailedError

YESTERDAY = minutes("2024-07-02T09:30-04:00", "2024-07-02T09:40-04:00")
TODAY = minutes("2024-07-03T09:30-04:00", "2024-07-03T11:00-04:00")


def config(*symbols: str) -> dict[str, Any]:
    return {"calendar": "XNYS", "session_data_config": {"symbols": list(symbols), "streams": ["1m"]}}


def late_start(traded: dict[str, Any], *symbols: str) -> Day:
    return Day(config(*symbols), "2024-07-03T10:00:20-04:00", "2024-07-03T10:20:00-04:00", traded)


def test_a_symbol_that_has_not_traded_today_is_loaded_when_rest_has_confirmed_it() -> None:
    day = late_start({"QUIET": YESTERDAY}, "QUIET")
    day.coordinator.run()
    assert day.events("symbol_loaded")[0][0] < "14:00:40", "as soon as REST has said so"
    names = [name for _, name, _ in day.events("session_deactivated", "session_activated", "symbol_loaded")]
    assert names == ["session_deactivated", "session_activated", "symbol_loaded", "session_deactivated"]
    quality = day.coordinator.tally.quality["QUIET"]
    assert [found.percent for found in quality.values()] == [0.0]


def test_a_stream_that_is_mute_is_not_believed_while_rest_has_trades() -> None:
    day = late_start({"A": [*YESTERDAY, *TODAY]}, "A")
    day.feed.state.mute = True
    with pytest.raises(RunFailedError, match="the feed is stale"):
        day.coordinator.run()
    assert not day.events("session_activated", "symbol_loaded")


def test_one_that_traded_earlier_today_must_send_data_to_be_believed() -> None:
    day = late_start({"A": [*YESTERDAY, *TODAY[:10]]}, "A")
    with pytest.raises(RunFailedError, match="the feed is stale"):
        day.coordinator.run()
    assert not day.events("session_activated", "symbol_loaded")


def test_a_quiet_symbol_that_begins_to_trade_on_a_mute_stream_makes_the_session_stale() -> None:
    day = late_start({"QUIET": [*YESTERDAY, *TODAY[35:]]}, "QUIET")
    day.feed.state.mute = True
    day.coordinator.run()
    told = day.events("session_deactivated", "session_activated")
    assert [reason for _, _, reason in told] == ["backlog", "caught_up", "stale"]
    assert told[-1][0] < "14:08:00"
    assert day.events("symbol_loaded")
