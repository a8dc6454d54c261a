"""Loading takes so long and no longer: what has failed for a while is told, and comes when it can (R6)."""

from __future__ import annotations

import pytest
from tests.simulation.day import Day, minutes, us
from tests.simulation.late import SYMBOLS, late_day, moments, unanswered_day

from mismartera.errors import RunFailedError
from mismartera.session.inbox import Command

FIRST_HALF_HOUR = ("2024-07-03T09:30-04:00", "2024-07-03T10:00-04:00")


def test_a_symbol_whose_stream_says_nothing_fails_for_a_while_and_is_tried_again() -> None:
    day = late_day("A")
    day.feed.state.mute = True
    with pytest.raises(RunFailedError, match="A failed: not loaded after 30 s: the feed is stale; next try at"):
        day.coordinator.run()
    # a stream that flows says something by 10:02:10; the second and third try have their own first minutes
    assert moments(day, *SYMBOLS) == [
        ("14:00", "symbol_pending", "configured"),
        ("14:02", "symbol_failed", "not loaded after 30 s: the feed is stale"),
        ("14:03", "symbol_pending", "retried"),
        ("14:05", "symbol_failed", "not loaded after 30 s: the feed is stale"),
        ("14:07", "symbol_pending", "retried"),
        ("14:09", "symbol_failed", "not loaded after 30 s: the feed is stale"),
        ("14:13", "symbol_pending", "retried"),
        ("14:15", "symbol_failed", "not loaded after 30 s: the feed is stale"),
    ]
    counts = day.coordinator.tally.counts["A"]
    assert (counts["received"], counts["accepted"]) == (50, 50), "what came of it is counted all the same"
    assert not day.dumps.tables.get(("2024-07-03", "A", "1m")), "nobody could ever read it"


@pytest.mark.parametrize(
    ("at", "pending"), [("10:03:50", "14:03"), ("10:02:50", "14:03")], ids=["tried again", "not yet"]
)
def test_a_symbol_that_failed_with_its_data_there_is_loaded_when_the_stream_speaks(at: str, pending: str) -> None:
    day = late_day("A")
    day.feed.state.mute = True
    day.at(f"2024-07-03T{at}-04:00", lambda: setattr(day.feed.state, "mute", False))  # the next try is at 10:03:40
    day.coordinator.run()
    loaded = "14:04" if at > "10:03" else "14:03"
    assert moments(day, *SYMBOLS)[1:] == [
        ("14:02", "symbol_failed", "not loaded after 30 s: the feed is stale"),
        (pending, "symbol_pending", "retried"),
        (loaded, "symbol_loaded", "caught_up"),
    ]
    assert day.coordinator.get_failed_symbols() == {}
    assert len(day.dumps.tables["2024-07-03", "A", "1m"]) == 50


def test_what_flows_by_its_first_minute_never_fails() -> None:
    day = late_day("A")
    day.coordinator.run()
    assert moments(day, *SYMBOLS) == [
        ("14:00", "symbol_pending", "configured"), ("14:01", "symbol_loaded", "caught_up"),
    ]  # fmt: skip


def test_in_a_pause_symbols_are_loaded_as_soon_as_the_stream_speaks() -> None:
    day = late_day("A")
    day.at("2024-07-03T10:00:30-04:00", day.coordinator.inbox.pause)
    day.at("2024-07-03T10:10:30-04:00", day.coordinator.inbox.resume)
    day.coordinator.run()
    assert moments(day, *SYMBOLS, "session_activated", "session_state")[1:4] == [
        ("14:00", "session_state", "paused"),
        ("14:01", "symbol_loaded", "caught_up"),
        ("14:10", "session_activated", "caught_up"),
    ]


def test_a_pause_between_the_close_and_the_last_comparison_waits_and_does_not_look_all_the_time() -> None:
    day = late_day("A")
    looks: list[int] = []
    take_all = day.coordinator.inbox.take_all

    def counted() -> list[Command]:
        looks.append(day.world.now_us())
        return take_all()

    day.coordinator.inbox.take_all = counted  # type: ignore[method-assign]
    day.at("2024-07-03T10:20:03-04:00", day.coordinator.inbox.pause)
    day.at("2024-07-03T10:20:08-04:00", day.coordinator.inbox.resume)
    day.coordinator.run()
    assert len([at_us for at_us in looks if at_us > us("2024-07-03T10:20:02-04:00")]) < 40
    assert day.events("session_closed")


def test_between_two_sessions_nothing_fails_and_what_is_tried_again_is_told_once() -> None:
    traded = dict.fromkeys(("A", "B"), minutes("2024-03-09T23:30+00:00", "2024-03-10T00:20+00:00"))
    streaming = {"load_timeout_seconds": 15.0}
    day = Day(
        {"calendar": "24/7", "session_data_config": {"symbols": ["A"], "streams": ["1m"], "streaming": streaming}},
        "2024-03-09T23:50:30+00:00", "2024-03-10T00:20:00+00:00", traded,
    )  # fmt: skip
    day.at("2024-03-09T23:57:45+00:00", lambda: setattr(day.feed.state, "rest_down", True))
    day.at("2024-03-09T23:57:50+00:00", lambda: day.coordinator.add_symbol("B"))
    day.at("2024-03-10T00:02:30+00:00", lambda: setattr(day.feed.state, "rest_down", False))
    day.coordinator.run()
    assert moments(day, "symbol_pending", "symbol_failed", "session_closed")[1:6] == [
        ("23:57", "symbol_pending", "added"),
        ("23:58", "symbol_failed", "not loaded after 15 s"),
        ("23:59", "symbol_pending", "retried"),
        ("23:59", "symbol_failed", "not loaded after 15 s"),
        ("00:02", "session_closed", ""),
    ]
    assert moments(day, "symbol_pending", "symbol_loaded")[-2:] == [
        ("00:02", "symbol_pending", "retried"), ("00:02", "symbol_loaded", "caught_up"),
    ]  # fmt: skip


def test_the_others_are_not_kept_by_one_that_cannot_be_loaded() -> None:
    day = late_day("A")
    day.at("2024-07-03T10:03:00-04:00", lambda: setattr(day.feed.state, "rest_down", True))
    day.at("2024-07-03T10:03:01-04:00", lambda: day.coordinator.add_symbol("B"))
    day.at("2024-07-03T10:06:00-04:00", lambda: setattr(day.feed.state, "rest_down", False))
    day.coordinator.run()
    assert moments(day, *SYMBOLS)[2:] == [
        ("14:03", "symbol_pending", "added"),
        ("14:03", "symbol_failed", "not loaded after 30 s"),
        ("14:04", "symbol_pending", "retried"),
        ("14:05", "symbol_failed", "not loaded after 30 s"),
        ("14:07", "symbol_pending", "retried"),
        ("14:07", "symbol_loaded", "caught_up"),
    ]
    a_bars = [line for line in day.log.lines if line["event"] == "bar" and line["symbol"] == "A"]
    assert len([line for line in a_bars if line["interval"] == "1m"]) == 20
    assert len(day.dumps.tables["2024-07-03", "B", "1m"]) == 50


def test_a_symbol_that_the_session_before_had_and_that_fails_for_a_while_is_loaded_again_and_told() -> None:
    day = unanswered_day("00:20", answered="00:05:00")
    day.coordinator.run()
    assert moments(day, *SYMBOLS, "session_opened")[2:] == [
        ("23:51", "symbol_loaded", "caught_up"),
        ("00:00", "session_opened", ""),
        ("00:02", "symbol_failed", "not loaded after 60 s"),
        ("00:03", "symbol_pending", "retried"),
        ("00:04", "symbol_failed", "not loaded after 60 s"),
        ("00:06", "symbol_pending", "retried"),
        ("00:06", "symbol_loaded", "caught_up"),
    ]
    assert len(day.dumps.tables["2024-03-10", "BTC/USD", "1m"]) == 20
    assert not [text for text in day.warnings if " 0 symbols" in text], "those that failed wait for no answer"


@pytest.mark.parametrize("at", ["10:07", "09:45"], ids=["in the session", "before it was joined"])
def test_a_minute_of_which_the_vendor_has_a_bar_that_is_none_is_a_gap_and_counted(at: str) -> None:
    day = late_day("A")
    (start_us,) = minutes(f"2024-07-03T{at}-04:00", f"2024-07-03T{at}:30-04:00")
    day.market.spoiled.add(("A", start_us))
    del day.market.minutes["A"][start_us]  # nor did the stream have it
    day.coordinator.run()
    gaps = [line for line in day.log.lines if line["event"] == "gap"]
    assert [(line["from"][11:16], line["missing"]) for line in gaps] == [(f"{int(at[:2]) + 4}:{at[3:]}", 1)]
    assert not day.events("quiet")
    counts = day.coordinator.tally.counts["A"]
    assert (counts["accepted"], counts["rejected"]) == (49, 1), "once, however often it was asked for"
    assert counts["received"] == sum(counts.values()) - counts["received"]
    told = [text for text in day.warnings if "rejected" in text]
    assert len(told) == 1
    assert "1 bars of the vendor's store were rejected (high_low_order): A at" in told[0]


def test_of_one_that_is_there_before_the_open_time_counts_from_the_session_s_first_minute() -> None:
    config = {
        "calendar": "XNYS",
        "session_data_config": {
            "symbols": ["NEW"], "streams": ["1m"], "streaming": {"load_timeout_seconds": 30.0},
        },
    }  # fmt: skip
    day = Day(config, "2024-07-03T09:25:00-04:00", "2024-07-03T09:40:00-04:00", {"NEW": minutes(*FIRST_HALF_HOUR)})
    day.at("2024-07-03T09:30:40-04:00", lambda: setattr(day.feed.state, "mute", True))
    day.at("2024-07-03T09:30:41-04:00", lambda: day.feed.drop(1.0))
    day.at("2024-07-03T09:33:00-04:00", lambda: setattr(day.feed.state, "mute", False))
    day.coordinator.run()
    assert [time for time, _, _ in day.events("symbol_failed")] == ["13:31:40"], "09:31, its grace, half a minute"
    assert day.coordinator.get_loaded_symbols() == {"NEW"}
