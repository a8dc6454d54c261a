"""What the vendor's store refuses is no answer: nothing is taken for quiet, or for complete, because of it."""

from __future__ import annotations

import pytest
from tests.simulation.day import Day
from tests.simulation.late import SYMBOLS, late_day, moments

from mismartera.errors import RunFailedError

GATE = ("session_activated", "session_deactivated")


def interrupted() -> Day:
    """The stream is away from 10:06:30 to 10:09:30."""
    day = late_day("A", "B")
    day.at("2024-07-03T10:06:30-04:00", lambda: day.feed.drop(180.0))
    return day


def deny(day: Day, symbols: set[str], until: str) -> None:
    """From when the stream is away to ``until`` the store says that there are no such symbols."""
    day.at("2024-07-03T10:06:40-04:00", lambda: day.feed.state.denies.update(symbols))
    day.at(f"2024-07-03T{until}-04:00", day.feed.state.denies.clear)


def minutes_of(day: Day, event: str, symbol: str) -> list[str]:
    lines = [line for line in day.log.lines if (line["event"], line.get("symbol")) == (event, symbol)]
    return [line["start"][11:16] for line in lines if line.get("interval", "1m") == "1m"]


def test_a_session_is_not_active_before_the_store_has_answered_for_what_was_missed() -> None:
    day = interrupted()
    deny(day, {"A", "B"}, "10:14:00")
    day.coordinator.run()
    assert [found[:2] for found in moments(day, *GATE)][2:4] == [
        ("14:06", "session_deactivated"), ("14:14", "session_activated"),
    ]  # fmt: skip
    assert not any(day.events("quiet", "gap", "symbol_failed", "revision"))
    fives = [line["bar_count"] for line in day.log.lines if line["event"] == "bar" and line["interval"] == "5m"]
    assert set(fives) == {5}


def test_a_symbol_that_the_store_does_not_know_for_some_seconds_is_asked_for_again() -> None:
    day = interrupted()
    deny(day, {"B"}, "10:09:45")
    day.coordinator.run()
    assert [found[:2] for found in moments(day, *GATE)][2:4] == [
        ("14:06", "session_deactivated"), ("14:10", "session_activated"),
    ]  # fmt: skip
    assert not any(day.events("quiet", "gap", "symbol_failed", "revision"))


def test_a_symbol_that_the_store_goes_on_to_deny_has_failed_and_the_others_go_on() -> None:
    day = interrupted()
    deny(day, {"B"}, "10:30:00")
    day.coordinator.run()
    assert moments(day, *SYMBOLS)[-1] == ("14:10", "symbol_failed", "no such symbol")
    assert ("14:10", "session_activated", "caught_up") in moments(day, *GATE)
    assert not day.events("quiet")
    assert moments(day, "backfilled")[2:] == [("14:10", "backfilled", "A")]
    assert "14:19" in minutes_of(day, "bar", "A")


def test_a_minute_of_a_symbol_that_the_store_denies_was_not_quiet() -> None:
    day = late_day("A", "B")
    day.at("2024-07-03T10:05:30-04:00", lambda: day.feed.state.forgets.add("B"))
    day.at("2024-07-03T10:05:40-04:00", lambda: day.feed.state.denies.add("B"))
    day.at("2024-07-03T10:07:30-04:00", day.feed.state.forgets.clear)
    day.coordinator.run()
    assert not minutes_of(day, "quiet", "B")
    gaps = [line for line in day.log.lines if line["event"] == "gap"]
    assert [(line["symbol"], line["from"][11:16], line["to"][11:16]) for line in gaps] == [("B", "14:05", "14:07")]


def test_keys_that_the_store_refuses_in_mid_session_end_the_run() -> None:
    day = late_day("A", "B")
    day.at("2024-07-03T10:05:30-04:00", lambda: day.feed.state.forgets.add("B"))
    day.at("2024-07-03T10:05:40-04:00", lambda: setattr(day.feed.state, "refuses_keys", True))
    with pytest.raises(RunFailedError, match="the feed has failed: these keys are not known"):
        day.coordinator.run()
    assert [found[:2] for found in moments(day, "feed_failed")] == [("14:06", "feed_failed")]
