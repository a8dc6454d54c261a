"""A symbol that failed, or was removed, and is wanted again: its new stay, and nothing of the old one (R6)."""

from __future__ import annotations

import pytest
from tests.simulation.late import SYMBOLS, late_day, moments

from mismartera import Bar, Strategy
from mismartera.feeds.port import SymbolRefused


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


def test_one_that_was_refused_while_it_waited_is_delivered_when_it_is_added_again() -> None:
    day = late_day("A", "B")
    day.feed.state.mute = True
    day.at("2024-07-03T10:01:00-04:00", lambda: day.feed.say(SymbolRefused("A", "no plan for it")))
    day.at("2024-07-03T10:01:30-04:00", lambda: setattr(day.feed.state, "mute", False))
    day.at("2024-07-03T10:04:30-04:00", lambda: day.coordinator.add_symbol("A"))
    day.coordinator.run()
    bars = [line for line in day.log.lines if line["event"] == "bar" and line["interval"] == "1m"]
    found = [(line["end"][11:16], line["generation"]) for line in bars if line["symbol"] == "A"]
    assert found == [(f"14:{minute:02}", 2) for minute in range(4, 21)], "the first stay's generation was fenced"


def test_one_that_is_refused_while_a_callback_adds_it_anew_is_told_of_its_new_stay_alone() -> None:
    class Stubborn(Strategy):
        def on_symbol_failed(self, symbol: str) -> None:
            if symbol == "A" and not told:
                told.append(("added", 0, False))
                day.world.sleep(25.0)
                assert self.session.add_symbol(symbol)

        def on_bar(self, bar: Bar) -> None:
            told.append((bar.symbol, bar.generation, "A" in day.coordinator.get_loaded_symbols()))

    told: list[tuple[str, int, bool]] = []
    day = late_day("B", "A", strategies=[Stubborn()])
    day.feed.state.mute = True
    day.at("2024-07-03T10:02:50-04:00", lambda: setattr(day.feed.state, "mute", False))
    day.at("2024-07-03T10:03:03-04:00", lambda: day.feed.say(SymbolRefused("A", "no plan for it")))
    day.coordinator.run()
    assert {found for found in told if found[0] == "A"} == {("A", 2, True)}


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
