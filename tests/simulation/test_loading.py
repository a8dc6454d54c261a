"""Loading takes so long and no longer: what has failed for a while is told, and comes when it can (R6)."""

from __future__ import annotations

from collections.abc import Sequence

import pytest
from tests.simulation.day import Day, minutes

from mismartera import Bar, Strategy
from mismartera.errors import RunFailedError
from mismartera.feeds.port import SymbolRefused

YESTERDAY = minutes("2024-07-02T15:50-04:00", "2024-07-02T16:00-04:00")
MORNING = minutes("2024-07-03T09:30-04:00", "2024-07-03T11:00-04:00")
SYMBOLS = ("symbol_pending", "symbol_failed", "symbol_loaded", "symbol_removed")


def late_day(*symbols: str, start: str = "10:00:00.5", strategies: Sequence[Strategy] = ()) -> Day:
    """A session that is joined at ``start`` on a day on which all symbols trade every minute."""
    streaming = {"load_timeout_seconds": 30.0}
    config = {
        "calendar": "XNYS",
        "session_data_config": {"symbols": list(symbols), "streams": ["1m", "5m"], "streaming": streaming},
    }
    traded = dict.fromkeys(("A", "B"), (*YESTERDAY, *MORNING))
    return Day(config, f"2024-07-03T{start}-04:00", "2024-07-03T10:20:00-04:00", traded, strategies)


def moments(day: Day, *names: str) -> list[tuple[str, str, str]]:
    """Minute, name and what it is about, of each event of these names."""
    return [(time[:5], name, about.partition(";")[0]) for time, name, about in day.events(*names)]


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


def test_one_that_failed_for_a_while_can_be_removed_and_added_again() -> None:
    day = late_day("A")
    day.feed.state.mute = True
    day.at("2024-07-03T10:03:00-04:00", lambda: day.coordinator.remove_symbol("A"))
    day.at("2024-07-03T10:03:10-04:00", lambda: day.coordinator.add_symbol("A"))
    day.at("2024-07-03T10:03:50-04:00", lambda: setattr(day.feed.state, "mute", False))
    day.coordinator.run()
    assert [name for _, name, _ in moments(day, *SYMBOLS)] == [
        "symbol_pending", "symbol_failed", "symbol_removed", "symbol_pending", "symbol_loaded",
    ]  # fmt: skip
    assert len(day.dumps.tables["2024-07-03", "A", "1m"]) == 50


def test_asking_again_for_one_that_failed_for_a_while_makes_a_new_stay_of_it() -> None:
    day = late_day("A")
    day.feed.state.mute = True
    day.at("2024-07-03T10:03:00-04:00", lambda: day.coordinator.add_symbol("A", ["1m"]))
    day.at("2024-07-03T10:03:50-04:00", lambda: setattr(day.feed.state, "mute", False))
    day.coordinator.run()
    assert [name for _, name, _ in moments(day, *SYMBOLS)] == [
        "symbol_pending", "symbol_failed", "symbol_pending", "symbol_loaded",
    ]  # fmt: skip
    shown = [line for line in day.log.lines if line["event"] == "bar"]
    assert [line["time"][11:16] for line in shown] == [f"14:{minute:02}" for minute in range(4, 21)], "each once"
    assert len(day.dumps.tables["2024-07-03", "A", "1m"]) == 50


def test_one_that_is_refused_while_it_waits_for_the_stream_is_gone() -> None:
    day = late_day("A", "B")
    day.feed.state.mute = True
    day.at("2024-07-03T10:01:00-04:00", lambda: day.feed.say(SymbolRefused("A", "no plan for it")))
    day.at("2024-07-03T10:01:30-04:00", lambda: setattr(day.feed.state, "mute", False))
    day.coordinator.run()
    assert moments(day, *SYMBOLS)[2:] == [
        ("14:01", "symbol_failed", "no plan for it"), ("14:02", "symbol_loaded", "caught_up"),
    ]  # fmt: skip
    assert day.coordinator.get_loaded_symbols() == {"B"}
    assert {line["symbol"] for line in day.log.lines if line["event"] == "bar"} == {"B"}
    assert [symbol for _, symbol, _ in day.dumps.tables] == ["B", "B"]


def test_one_that_is_refused_after_it_was_prepared_for_the_open_fails_there_once() -> None:
    day = late_day("A", "B", start="09:25:00")
    day.at("2024-07-03T09:29:00-04:00", lambda: day.feed.say(SymbolRefused("A", "no plan for it")))
    day.coordinator.run()
    assert moments(day, *SYMBOLS)[2:] == [
        ("13:30", "symbol_failed", "no plan for it"), ("13:30", "symbol_loaded", "caught_up"),
    ]  # fmt: skip
    assert day.coordinator.get_loaded_symbols() == {"B"}


@pytest.mark.parametrize("symbol", ["A", "B"])
def test_one_that_is_removed_and_added_shows_all_its_bars_in_whatever_order_they_come(symbol: str) -> None:
    day = late_day("A", "B")
    day.at("2024-07-03T10:03:10-04:00", lambda: day.coordinator.remove_symbol(symbol))
    day.at("2024-07-03T10:03:20-04:00", lambda: day.coordinator.add_symbol(symbol))
    day.coordinator.run()
    bars = [line for line in day.log.lines if line["event"] == "bar" and line["interval"] == "1m"]
    again = [line["end"][11:16] for line in bars if (line["symbol"], line["generation"]) == (symbol, 2)]
    assert again == [f"14:{minute:02}" for minute in range(3, 21)]
    other = [line["end"][11:16] for line in bars if line["symbol"] != symbol]
    assert other == [f"14:{minute:02}" for minute in range(1, 21)]


@pytest.mark.parametrize("is_down", [True, False], ids=["not fetched", "fetched"])
def test_one_that_failed_and_was_added_and_removed_at_once_is_the_feed_s_no_more(*, is_down: bool) -> None:
    day = late_day("B")
    day.at("2024-07-03T10:01:15-04:00", lambda: setattr(day.feed.state, "rest_down" if is_down else "mute", True))
    if not is_down:
        day.at("2024-07-03T10:01:15-04:00", lambda: day.feed.drop(1.0))
    day.at("2024-07-03T10:01:30-04:00", lambda: day.coordinator.add_symbol("A"))

    def add_and_remove() -> None:
        assert "A" in day.coordinator.get_failed_symbols()
        assert day.coordinator.add_symbol("A")
        assert day.coordinator.remove_symbol("A")

    day.at("2024-07-03T10:03:50-04:00", add_and_remove)
    wanted: list[list[str]] = []
    day.at("2024-07-03T10:10:00-04:00", lambda: wanted.append(list(day.feed._desired)))
    day.coordinator.run()
    assert wanted == [["B"]]
    assert moments(day, *SYMBOLS)[-1] == ("14:03", "symbol_removed", "removed")


def test_one_that_is_added_while_its_retry_is_answered_is_told_of_its_new_stay_alone() -> None:
    class Busy(Strategy):
        def on_bar(self, bar: Bar) -> None:
            told.append((bar.symbol, bar.generation, "A" in day.coordinator.get_loaded_symbols()))
            if (bar.symbol, bar.interval, f"{bar.timestamp:%H:%M}") == ("B", "1m", "10:02"):
                day.world.sleep(20.0)
                assert self.session.add_symbol("A")

    told: list[tuple[str, int, bool]] = []
    day = late_day("B", strategies=[Busy()])
    day.at("2024-07-03T10:01:20-04:00", lambda: setattr(day.feed.state, "rest_down", True))
    day.at("2024-07-03T10:01:35-04:00", lambda: day.coordinator.add_symbol("A"))  # fails at 10:02:05
    day.at("2024-07-03T10:02:30-04:00", lambda: setattr(day.feed.state, "rest_down", False))
    day.coordinator.run()
    assert {found for found in told if found[0] == "A"} == {("A", 2, True)}


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
    traded = {"BTC/USD": minutes("2024-03-09T23:30+00:00", "2024-03-10T00:20+00:00")}
    day = Day(
        {"calendar": "24/7", "session_data_config": {"symbols": ["BTC/USD"], "streams": ["1m"]}},
        "2024-03-09T23:50:30+00:00", "2024-03-10T00:20:00+00:00", traded,
    )  # fmt: skip
    day.at("2024-03-10T00:00:11+00:00", lambda: setattr(day.feed.state, "rest_down", True))
    day.at("2024-03-10T00:05:00+00:00", lambda: setattr(day.feed.state, "rest_down", False))
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
