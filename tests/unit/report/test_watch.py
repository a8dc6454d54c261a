"""The one line of a live session follows its events."""

from __future__ import annotations

from datetime import datetime

from tests.unit.report.sessions import NEW_YORK, bars

from mismartera.bars import with_lag
from mismartera.report.progress import StatusLine
from mismartera.report.watch import SessionWatch

NOW = datetime(2024, 7, 2, 10, 0, 5, tzinfo=NEW_YORK)


def test_the_line_has_clock_state_symbols_bars_and_lag() -> None:
    watch = SessionWatch()
    assert watch.text(NOW) == "2024-07-02 10:00:05 EDT  waiting  0 symbols  0 bars  lag 0.0 s"
    watch.event("session_opened", 0, {"date": "2024-07-02"})
    watch.event("symbol_loaded", 0, {"symbol": "A", "reason": "configured"})
    assert watch.text(NOW).split("  ")[1:3] == ["open", "1 symbol"]
    watch.event("session_activated", 0, {"reason": "open", "lag_seconds": 0.0, "symbol": None})
    for bar in bars("A", range(3)):
        watch.bar(with_lag(bar, 1.25))
    assert watch.text(NOW) == "2024-07-02 10:00:05 EDT  active  1 symbol  3 bars  lag 1.2 s"


def test_the_state_of_an_inactive_session_is_its_reason() -> None:
    watch = SessionWatch()
    watch.event("session_activated", 0, {"reason": "open", "lag_seconds": 0.0, "symbol": None})
    watch.event("session_deactivated", 0, {"reason": "stale", "lag_seconds": 95.0, "symbol": None})
    assert (watch.state, watch.lag_seconds) == ("stale", 95.0)
    watch.event("session_state", 0, {"from": "stale", "to": "catching_up", "reason": "reconnected"})
    assert watch.state == "catching_up"
    watch.event("session_closed", 0, {"date": "2024-07-02"})
    assert watch.state == "closed"


def test_symbols_that_leave_or_fail_are_not_counted() -> None:
    watch = SessionWatch()
    for symbol in ("A", "B", "C", "A"):
        watch.event("symbol_loaded", 0, {"symbol": symbol, "reason": ""})
    watch.event("symbol_removed", 0, {"symbol": "B", "reason": ""})
    watch.event("symbol_failed", 0, {"symbol": "C", "reason": ""})
    watch.event("symbol_failed", 0, {"symbol": "D", "reason": "unknown"})
    assert list(watch.loaded) == ["A"]


def test_a_line_that_is_not_shown_does_nothing() -> None:
    with StatusLine(is_shown=False) as line:
        line.show("text")
        assert line._progress is None
