"""Sessions around the clock: the next one begins with the symbols of the one before, or says that it waits."""

from __future__ import annotations

from tests.simulation.late import unanswered_day

NAMES = ("session_activated", "session_deactivated", "symbol_failed", "symbol_loaded", "symbol_pending")


def test_a_session_without_the_symbols_that_it_goes_on_with_is_stale_from_its_first_minutes_end() -> None:
    """R5: while the vendor's store cannot tell what has ended since midnight, nobody knows what is missing."""
    day = unanswered_day("00:10", answered="00:01:40")
    day.coordinator.run()
    found = [(at[:5], name, about) for at, name, about in day.events(*NAMES) if at < "12"]
    assert found == [
        ("00:00", "session_deactivated", "close"), ("00:00", "session_activated", "open"),
        ("00:01", "session_deactivated", "stale"), ("00:01", "session_activated", "caught_up"),
        ("00:10", "session_deactivated", "close"),
    ]  # fmt: skip
    shown = [
        line["end"][11:16] for line in day.log.lines if line["event"] == "bar" and line["time"] > "2024-03-10"
    ]
    assert shown == [f"00:{minute:02}" for minute in range(11)]
