"""The tables: what they say, and that they fit a terminal."""

from __future__ import annotations

import io
from collections.abc import Callable
from pathlib import Path

import pytest
from tests.unit.report.sessions import config, run, store

from mismartera import Bar, SessionConfig
from mismartera.report.console import percent, rate
from mismartera.report.figures import SymbolFigures
from mismartera.report.table import SYMBOLS_SHOWN_MAX, print_summary
from mismartera.session.strategy import Strategy
from mismartera.system import SystemManager


class Failing(Strategy):
    def on_session_open(self) -> None:
        raise ZeroDivisionError("no luck")


def shown(system: SystemManager, figures: SymbolFigures) -> str:
    stream = io.StringIO()
    print_summary(system.summary(), figures, system.coordinator.tally, stream)
    return stream.getvalue()


def rows(text: str) -> dict[str, list[str]]:
    return {line.split()[0]: line.split()[1:] for line in text.splitlines() if line.strip()}


def test_the_table_tells_bars_quality_gaps_and_changes_of_each_symbol(tmp_path: Path) -> None:
    data = store(tmp_path, {"A": range(390), "B": [*range(100), *range(110, 390), 400], "C": range(60)})
    settings = config(["A", "B"]) | {
        "schedule": [{"at": "2024-07-02T10:00", "add": "C"}, {"at": "2024-07-02T10:30", "remove": "C"}]
    }
    figures = SymbolFigures()
    system = run(data, settings, sinks=[figures], recorders=[figures])
    found = rows(shown(system, figures))
    assert found["A"] == ["390", "78", "100.00", "%", "0", "2", "loaded"]
    assert found["B"] == ["380", "76", "97.44", "%", "1", "2", "loaded"]
    # C: pending, the session is deactivated and activated for it, loaded, removed; it saw no close.
    assert found["C"] == ["60", "12", "100.00", "%", "-", "5", "removed"]
    assert system.summary()["derived_bars"] == 78 + 76 + 12


def test_the_lines_below_tell_totals_failures_and_the_balance_of_counts(tmp_path: Path) -> None:
    data = store(tmp_path, {"A": [*range(5), 400]})
    figures = SymbolFigures()
    strategies = [Failing()]
    system = run(data, config(["A", "NONE"]), strategies=strategies, sinks=[figures], recorders=[figures])
    text = shown(system, figures)
    assert "1 session: 5 bars streamed, 1 derived, 6 delivered" in text
    assert "1 activation, 1 deactivation; 1 symbol loaded at the end; store version 1" in text
    assert "6 received = 5 accepted + 1 out of hours" in text
    assert "1 symbol failed:\n  NONE: NONE is unknown to the store" in text
    assert "1 strategy raised:\n  Failing: ZeroDivisionError: no luck" in text


class Until(Strategy):
    """Ends the run, or takes symbols out, when a bar of A ends at a moment."""

    def __init__(self, end: str, act: Callable[[], object]) -> None:
        super().__init__()
        self.end, self.act = end, act

    def on_bar(self, bar: Bar) -> None:
        if (bar.symbol, bar.interval, f"{bar.end:%dT%H:%M}") == ("A", "1m", self.end):
            self.act()


def stop(error: type[BaseException]) -> None:
    raise error


def derived_of(text: str, *symbols: str) -> list[int]:
    return [int(rows(text)[symbol][1]) for symbol in symbols]


@pytest.mark.parametrize("how", ["stopped", "interrupted"])
def test_the_derived_bars_of_all_rows_add_up_to_those_of_a_run_that_was_stopped(tmp_path: Path, how: str) -> None:
    data = store(tmp_path, {"A": range(390), "B": [*range(20), *range(30, 390)], "C": range(390)})
    settings = config(["A", "B"]) | {
        "schedule": [{"at": "2024-07-02T10:00", "add": "C"}, {"at": "2024-07-02T10:31", "remove": "B"}]
    }
    figures = SymbolFigures()
    end = Until("02T11:02", lambda: system.stop() if how == "stopped" else stop(KeyboardInterrupt))
    system = SystemManager(
        SessionConfig.from_dict(settings),
        data_manager=data,
        strategies=[end],
        sinks=[figures],
        recorders=[figures],
    )
    system.run()
    text = shown(system, figures)
    assert derived_of(text, "A", "B", "C") == [18, 10, 18]
    assert system.summary()["derived_bars"] == 18 + 10 + 18


def test_a_symbol_that_comes_and_goes_keeps_the_derived_bars_of_each_stay(tmp_path: Path) -> None:
    data = store(tmp_path, {"A": range(390), "B": range(390)})
    at = [("10:00", "remove"), ("10:30", "add"), ("11:00", "remove"), ("12:00", "add")]
    settings = config(["A", "B"]) | {"schedule": [{"at": f"2024-07-02T{when}", what: "B"} for when, what in at]}
    figures = SymbolFigures()
    system = run(data, settings, sinks=[figures], recorders=[figures])
    text = shown(system, figures)
    # Each stay is shown from the open on.
    assert derived_of(text, "A", "B") == [78, 6 + 18 + 78]
    assert system.summary()["derived_bars"] == 78 + 6 + 18 + 78


def test_a_symbol_that_a_callback_removes_keeps_what_was_shown_of_it(tmp_path: Path) -> None:
    data = store(tmp_path, {"A": range(390), "B": range(390)})
    figures = SymbolFigures()
    leave = Until("02T10:00", lambda: leave.session.remove_symbol("B"))
    system = run(data, config(["A", "B"]), strategies=[leave], sinks=[figures], recorders=[figures])
    assert derived_of(shown(system, figures), "A", "B") == [78, 6]
    assert system.summary()["derived_bars"] == 78 + 6


def test_of_many_symbols_the_first_are_shown(tmp_path: Path) -> None:
    names = [f"S{number:03}" for number in range(SYMBOLS_SHOWN_MAX + 2)]
    data = store(tmp_path, {name: [0] for name in names})
    figures = SymbolFigures()
    text = shown(run(data, config(names), sinks=[figures], recorders=[figures]), figures)
    assert names[SYMBOLS_SHOWN_MAX - 1] in text
    assert names[SYMBOLS_SHOWN_MAX] not in text
    assert "... and 2 more symbols: --json has them all" in text


@pytest.mark.parametrize(
    ("present", "expected", "text"),
    [
        (0, 0, "-"),
        (390, 390, "100.00 %"),
        (99_999, 100_000, "99.99 %"),
        (1, 3, "33.33 %"),
        (28, 390, "7.18 %"),
        (2, 3, "66.67 %"),
        (0, 390, "0.00 %"),
    ],
)
def test_a_percentage_never_hides_a_gap(present: int, expected: int, text: str) -> None:
    assert percent(present, expected) == text


@pytest.mark.parametrize(("value", "text"), [(12.4, "12"), (9999, "9999"), (12_345, "12.3k"), (1.234e6, "1.23M")])
def test_rates_are_short(value: float, text: str) -> None:
    assert rate(value) == text
