"""A halt explains a silence as long as nothing shows that it is over."""

from __future__ import annotations

from tests.simulation.day import Day, minutes

from mismartera.feeds.port import StatusChanged

YESTERDAY = minutes("2024-07-02T15:50-04:00", "2024-07-02T16:00-04:00")
BEFORE = minutes("2024-07-03T09:30-04:00", "2024-07-03T10:06-04:00")
AFTER = minutes("2024-07-03T10:20-04:00", "2024-07-03T10:40-04:00")


def halted_day() -> Day:
    """A is halted from 10:05:58 to 10:20."""
    config = {
        "calendar": "XNYS", "session_data_config": {"symbols": ["A"], "streams": ["1m"]},
        "feed": {"type": "replay", "date": "2024-07-03", "stall_timeout_seconds": 90},
    }  # fmt: skip
    traded = {"A": (*YESTERDAY, *BEFORE, *AFTER)}
    day = Day(config, "2024-07-03T09:29:00-04:00", "2024-07-03T10:40:00-04:00", traded)
    day.at("2024-07-03T10:05:58-04:00", lambda: day.feed.say(StatusChanged("A", halted=True, reason="news")))
    return day


def seen(day: Day) -> list[tuple[str, str, str]]:
    names = ("halted", "resumed", "feed_disconnected", "session_deactivated", "session_activated")
    return [(at[:5], name, about) for at, name, about in day.events(*names) if "14:00" < at < "14:39"]


def test_a_halted_market_is_quiet_and_neither_stale_nor_dead() -> None:
    day = halted_day()
    day.coordinator.run()
    assert seen(day) == [("14:05", "halted", "news"), ("14:21", "resumed", "it trades")]
    assert len(day.events("quiet")) == 14
    assert not day.events("gap", "revision")


def test_a_stream_that_dies_in_a_halt_is_found_out_by_what_the_store_has() -> None:
    day = halted_day()
    day.at("2024-07-03T10:10:00-04:00", lambda: setattr(day.feed.state, "mute", True))
    day.at("2024-07-03T10:24:00-04:00", lambda: setattr(day.feed.state, "mute", False))
    day.coordinator.run()
    found = seen(day)
    assert found[:2] == [("14:05", "halted", "news"), ("14:21", "resumed", "it trades")]
    assert ("14:23", "feed_disconnected", "no data for 90 s") in found
    assert found[-1][1] == "session_activated"
    assert len(day.events("quiet")) == 14
    assert not day.events("gap")


def test_minutes_of_a_halt_of_which_the_store_cannot_tell_were_quiet() -> None:
    day = halted_day()
    day.at("2024-07-03T10:06:30-04:00", lambda: setattr(day.feed.state, "rest_down", True))
    day.at("2024-07-03T10:38:30-04:00", lambda: setattr(day.feed.state, "rest_down", False))
    day.coordinator.run()
    assert len(day.events("quiet")) == 14
    assert not day.events("gap", "session_deactivated")[:-1]
