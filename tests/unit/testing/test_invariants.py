"""Each invariant can fail: breaches are planted in a sound log, one at a time, and each is found by its name."""

from __future__ import annotations

from collections.abc import Callable
from copy import deepcopy
from typing import Any

import pytest

from mismartera.testing.invariants import breaches, dump_breaches, unbalanced

Lines = list[dict[str, Any]]
OPEN = "2024-07-02T13:30:00+00:00"


def at(minute: int, event: str, **fields: Any) -> dict[str, Any]:
    return {"time": time(minute), "event": event, **fields}


def time(minute: int) -> str:
    return f"2024-07-02T13:{30 + minute:02d}:00+00:00"


def bar(symbol: str, end: int, *, now: int | None = None, generation: int = 1, **fields: Any) -> dict[str, Any]:
    now = end if now is None else now
    line = at(
        now, "bar", symbol=symbol, interval="1m", start=time(end - 1), end=time(end), open=1.0, high=1.0, low=1.0,
        close=1.0, volume=1.0, bar_count=1, lag_seconds=60.0 * (now - end), generation=generation,
    )  # fmt: skip
    return line | fields


def gate(minute: int, event: str, reason: str, lag: float = 0.0, symbol: str | None = None) -> dict[str, Any]:
    return at(minute, event, reason=reason, lag_seconds=lag, symbol=symbol)


def sound() -> Lines:
    """A joins at the open; B is added at 13:34 with a backlog, leaves, comes back; a strategy fails."""
    return [
        at(0, "session_opened", date="2024-07-02"),
        at(0, "symbol_pending", symbol="A", reason="configured"),
        at(0, "symbol_loaded", symbol="A", reason="caught_up"),
        gate(0, "session_activated", "open"),
        bar("A", 1),
        at(1, "signal", strategy="S", name="x", value=1),
        bar("A", 4),
        at(4, "strategy_error", strategy="S", error="RuntimeError: enough"),
        at(4, "symbol_pending", symbol="B", reason="added"),
        gate(4, "session_deactivated", "lag", 180.0, "B"),
        gate(4, "session_activated", "caught_up", 60.0, "B"),
        at(4, "symbol_loaded", symbol="B", reason="caught_up"),
        bar("B", 3, now=4),
        bar("B", 4),
        bar("A", 5),
        bar("B", 5),
        at(5, "symbol_removed", symbol="B", reason="removed"),
        at(5, "symbol_pending", symbol="B", reason="added"),
        at(5, "symbol_loaded", symbol="B", reason="caught_up"),
        bar("B", 5, generation=2),
        gate(9, "session_deactivated", "close"),
        at(9, "gap", symbol="A", interval="1m", missing=2, **{"from": time(1), "to": time(3)}),
        at(9, "gap", symbol="A", interval="1m", missing=1, **{"from": time(6), "to": time(7)}),
        at(9, "session_closed", date="2024-07-02"),
    ]


def test_a_sound_log_breaks_nothing() -> None:
    assert breaches(sound(), threshold_seconds=60) == []
    numbered = [line | {"seq": number} for number, line in enumerate(sound(), start=1)]
    assert breaches(numbered, threshold_seconds=60) == []


def put(at: int, *lines: dict[str, Any]) -> Callable[[Lines], None]:
    return lambda log: log.__setitem__(slice(at, at), list(lines))


def drop(at: int) -> Callable[[Lines], None]:
    return lambda log: log.__delitem__(at)


def change(at: int, **fields: Any) -> Callable[[Lines], None]:
    return lambda log: log[at].update(fields)


def swap(one: int, other: int) -> Callable[[Lines], None]:
    def change_places(log: Lines) -> None:
        log[one], log[other] = log[other], log[one]

    return change_places


PLANTED: dict[str, tuple[str, Callable[[Lines], None]]] = {
    "a stale bar": ("I1", put(12, bar("B", 2, now=4))),
    "a bar before the activation": ("I1", put(3, bar("A", 0))),
    "a bar while catching up": ("I1", put(10, bar("A", 4))),
    "a bar of a symbol that is withheld": (
        "I1",
        put(14, gate(4, "symbol_deactivated", "lag", 61.0, "A")),
    ),
    "two activations in a row": ("I2", put(4, gate(0, "session_activated", "caught_up"))),
    "a deactivation at the threshold": ("I2", change(9, lag_seconds=60.0)),
    "an activation above the threshold": ("I2", change(10, lag_seconds=61.0)),
    "a second activation by the open": ("I2", change(10, reason="open")),
    "a session that opens twice": ("I2", put(1, at(0, "session_opened", date="2024-07-02"))),
    "a session that closes while active": ("I2", drop(20)),
    "a symbol that is activated without need": ("I2", put(14, gate(4, "symbol_activated", "caught_up", 0, "A"))),
    "a gap in mid-session": ("I2", put(14, at(4, "gap", symbol="A", interval="1m", missing=1,
                                               **{"from": time(1), "to": time(2)}))),
    "a bar twice": ("I3", put(5, bar("A", 1, now=1))),
    "an older bar after a newer one": ("I3", swap(12, 13)),
    "a bar without length": ("I3", change(4, start=time(1))),
    "an empty gap": ("I3", change(21, to=time(1))),
    "time that goes back": ("I4", swap(4, 6)),
    "symbols out of rank": ("I4", swap(14, 15)),
    "gaps out of order": ("I4", swap(21, 22)),
    "a bar before its end": ("I5", change(4, time=time(0))),
    "a lag that is not the clock's": ("I5", change(12, lag_seconds=0.0)),
    "a bar of a symbol on its way": ("I6", put(9, bar("B", 4))),
    "a bar of a symbol unheard of": ("I6", put(14, bar("C", 4))),
    "a symbol that is loaded twice": ("I6", put(3, at(0, "symbol_loaded", symbol="A", reason="caught_up"))),
    "a symbol that is pending while loaded": ("I6", put(14, at(4, "symbol_pending", symbol="A", reason="added"))),
    "a symbol that never arrives": ("I6", put(20, at(5, "symbol_pending", symbol="C", reason="added"))),
    "a gap of a symbol that is not there": ("I6", change(22, symbol="C")),
    "a bar after the removal": ("I7", put(17, bar("B", 5))),
    "a bar of the generation before": ("I7", change(19, generation=1)),
    "a signal of a strategy that failed": ("I11", put(14, at(4, "signal", strategy="S", name="x", value=2))),
    "a strategy that fails twice": ("I11", put(14, at(4, "strategy_error", strategy="S", error="again"))),
    "numbers that skip": ("I14", change(3, seq=9)),
}  # fmt: skip


@pytest.mark.parametrize("name", PLANTED)
def test_a_planted_breach_is_found(name: str) -> None:
    law, plant = PLANTED[name]
    log = deepcopy(sound())
    plant(log)
    found = breaches(log, threshold_seconds=60)
    assert any(text.startswith(f"{law}: ") for text in found), found


def test_counts_that_do_not_balance_are_found() -> None:
    counts = {
        "received": 3,
        "accepted": 1,
        "duplicate": 1,
        "revised": 0,
        "late": 0,
        "out_of_hours": 1,
        "rejected": 0,
    }
    assert unbalanced({"A": counts}) == []
    assert unbalanced({"A": counts, "B": counts | {"received": 4}}) == ["R1: B received 4, but its parts are 3"]


def test_a_delivered_bar_that_is_not_in_the_dump_is_found() -> None:
    def row(minute: int, **fields: Any) -> dict[str, Any]:
        timestamp = 1_719_927_000_000_000 + 60_000_000 * minute
        prices = {"open": 1.0, "high": 1.0, "low": 1.0, "close": 1.0, "volume": 1.0, "bar_count": 1}
        return {"timestamp": timestamp, **prices, **fields}

    dumps = {
        ("2024-07-02", "A", "1m"): [row(0), row(3), row(4)],
        ("2024-07-02", "B", "1m"): [row(0), row(4)],
    }
    assert dump_breaches(sound(), dumps) == []
    assert len(dump_breaches(sound(), dumps | {("2024-07-02", "A", "1m"): [row(0), row(3)]})) == 1
    assert len(dump_breaches(sound(), dumps | {("2024-07-02", "B", "1m"): [row(4, close=2.0)]})) == 1
