"""History and the indicators made of it (R7), against plain Python over the same stored bars."""

from __future__ import annotations

from collections.abc import Callable
from datetime import date
from pathlib import Path
from typing import Any

import pytest
from tests.conftest import MakeSystem
from tests.runs import Recorder, config, minute_bars

from mismartera import Bar, DataManager

PAST = ("2024-06-27", "2024-06-28", "2024-07-01")  # the three sessions before 2024-07-02
TODAY = "2024-07-02"


class Historian(Recorder):
    """Keeps what it reads of the past at each open, and what it reads of a symbol when that has joined."""

    def __init__(self, *names: str) -> None:
        super().__init__()
        self.names = names
        self.read: dict[tuple[str, str, str], Any] = {}
        self.past: dict[tuple[str, str], list[Bar] | None] = {}

    def on_session_open(self) -> None:
        for symbol in ("A", "B", "NEW"):
            self.look(symbol)

    def on_symbol_loaded(self, symbol: str) -> None:
        self.look(symbol)

    def look(self, symbol: str) -> None:
        day = str(self.session.date)
        bars = self.session.history(symbol, "1m")
        self.past[day, symbol] = None if bars is None else list(bars)
        for name in self.names:
            self.read[day, symbol, name] = self.session.historical(symbol, name)


@pytest.fixture
def store(tmp_path: Path) -> DataManager:
    """A: every past session, but fewer bars in each; B: none on 06-28; NEW: like A, dearer. All: bars of today."""
    data = DataManager(tmp_path / "store")
    minutes = {day: range(k, 40 - 5 * k) for k, day in enumerate((*PAST, TODAY, "2024-07-03"))}
    data.write_many(
        (symbol, "1m", minute_bars(symbol, minutes[day], day=day, price=price))
        for symbol, price in (("A", 100.0), ("B", 50.0), ("NEW", 200.0))
        for day in minutes
        if (symbol, day) != ("B", "2024-06-28")
    )
    return data


def stored(data: DataManager, symbol: str, *days: str) -> list[list[Bar]]:
    """The bars of each of these days on which there are any, by a plain reading of the store."""
    found = []
    for day in days:
        first = minute_bars(symbol, [0], day=day)[0].timestamp
        bars = list(data.get_bars(symbol, "1m", first, first.replace(hour=16)))
        found += [bars] if bars else []
    return found


def added(values: list[float]) -> float:
    total = 0.0
    for value in values:
        total += value
    return total


def settings(indicators: dict[str, Any], days: int = 3, **more: Any) -> Any:
    return config(
        "A", "B", historical={"data": [{"trailing_days": days, "intervals": ["1m"]}], "indicators": indicators},
        **more,
    )  # fmt: skip


DAILY: dict[str, tuple[str, str, Callable[[list[list[Bar]]], float]]] = {
    "volume": ("trailing_average", "volume", lambda d: added([added([b.volume for b in x]) for x in d]) / len(d)),
    "highest": ("trailing_max", "high", lambda d: max(b.high for x in d for b in x)),
    "lowest": ("trailing_min", "low", lambda d: min(b.low for x in d for b in x)),
    "closes": ("trailing_average", "close", lambda d: added([x[-1].close for x in d]) / len(d)),
    "opens": ("trailing_max", "open", lambda d: max(x[0].open for x in d)),
}


@pytest.mark.parametrize(("period", "days"), [("1d", 1), ("2d", 2), ("3d", 3)])
def test_daily_indicators_use_the_sessions_of_their_period_that_have_bars(
    make_system: MakeSystem, store: DataManager, period: str, days: int
) -> None:
    wanted = {
        name: {"type": kind, "period": period, "granularity": "daily", "field": field}
        for name, (kind, field, _) in DAILY.items()
    }
    historian = Historian(*wanted)
    make_system(settings(wanted), historian, data=store).run()
    for symbol in ("A", "B"):
        past = stored(store, symbol, *PAST[-days:])
        for name, (_, _, expected) in DAILY.items():
            assert historian.read[TODAY, symbol, name] == expected(past), (symbol, name)


def test_a_period_without_any_bar_has_no_value(make_system: MakeSystem, store: DataManager) -> None:
    wanted = {"v": {"type": "trailing_average", "period": "1d", "granularity": "daily", "field": "volume"}}
    historian = Historian("v")
    day = ("2024-07-01", "2024-07-01")  # the session before it is the one that B lacks
    make_system(settings(wanted, dates=day), historian, data=store).run()
    assert historian.read["2024-07-01", "B", "v"] is None
    assert historian.read["2024-07-01", "A", "v"] is not None


@pytest.mark.parametrize("granularity", ["daily", "minute"])
@pytest.mark.parametrize("period", ["2d", "3d"])
def test_a_period_reaches_no_further_than_the_windows_of_its_symbol(
    make_system: MakeSystem, store: DataManager, granularity: str, period: str
) -> None:
    own = [
        {"trailing_days": 3, "intervals": ["1m"], "apply_to": ["B"]},
        {"trailing_days": 3, "intervals": ["5m"], "apply_to": ["NONE"]},
        {"trailing_days": 1, "intervals": ["1m"]},
    ]
    wanted = {"v": {"type": "trailing_max", "period": period, "granularity": granularity, "field": "volume"}}
    historian = Historian("v")
    make_system(config("A", "B", historical={"data": own, "indicators": wanted}), historian, data=store).run()
    for symbol, past in (("A", PAST[-1:]), ("B", PAST[-int(period[0]) :])):
        days = stored(store, symbol, *past)
        minutes = {bar.timestamp.hour * 60 + bar.timestamp.minute for day in days for bar in day}
        value = historian.read[TODAY, symbol, "v"]
        if granularity == "daily":
            assert value == max(added([bar.volume for bar in day]) for day in days)
        else:
            assert set(value) == minutes


def test_an_indicator_per_minute_uses_the_sessions_that_have_that_minute(
    make_system: MakeSystem, store: DataManager
) -> None:
    wanted = {"m": {"type": "trailing_average", "period": "3d", "granularity": "minute", "field": "volume"}}
    historian = Historian("m")
    make_system(settings(wanted), historian, data=store).run()
    by_minute: dict[int, list[float]] = {}
    for bars in stored(store, "A", *PAST):
        for bar in bars:
            by_minute.setdefault(bar.timestamp.hour * 60 + bar.timestamp.minute, []).append(bar.volume)
    values = historian.read[TODAY, "A", "m"]
    assert values == {minute: added(volumes) / len(volumes) for minute, volumes in by_minute.items()}
    assert next(iter(values)) == 9 * 60 + 30
    assert 10 * 60 + 30 not in values


def test_history_moves_on_with_the_sessions_and_never_holds_the_present_one(
    make_system: MakeSystem, store: DataManager
) -> None:
    historian = Historian()
    make_system(settings({}, days=2, dates=(TODAY, "2024-07-03")), historian, data=store).run()
    for day, before in ((TODAY, PAST[1:]), ("2024-07-03", (PAST[2], TODAY))):
        expected = [bar for bars in stored(store, "A", *before) for bar in bars]
        assert [bar.start_us for bar in historian.past[day, "A"] or ()] == [bar.start_us for bar in expected]
        assert [bar.volume for bar in historian.past[day, "A"] or ()] == [bar.volume for bar in expected]
        assert {bar.timestamp.date() for bar in historian.past[day, "A"] or ()} == set(
            map(date.fromisoformat, before)
        )


def test_a_symbol_that_joins_has_the_same_past_as_one_that_was_there(
    make_system: MakeSystem, store: DataManager
) -> None:
    wanted = {"v": {"type": "trailing_average", "period": "3d", "granularity": "daily", "field": "volume"}}
    historian = Historian("v")
    make_system(settings(wanted, schedule=[("09:45", "add", "NEW")]), historian, data=store).run()
    past = stored(store, "NEW", *PAST)
    assert historian.read[TODAY, "NEW", "v"] == DAILY["volume"][2](past)
    assert len(historian.past[TODAY, "NEW"] or ()) == sum(map(len, past))


def test_a_symbol_without_a_window_has_neither_history_nor_values(
    make_system: MakeSystem, store: DataManager
) -> None:
    historian = Historian("v")
    historical = {
        "data": [{"trailing_days": 3, "intervals": ["1m"], "apply_to": ["A"]}],
        "indicators": {"v": {"type": "trailing_max", "period": "2d", "granularity": "daily", "field": "close"}},
    }
    historian.look = lambda symbol: historian.read.update(  # type: ignore[method-assign]
        {("", symbol, "v"): historian.session.historical(symbol, "v")}
    )
    make_system(config("A", "B", historical=historical), historian, data=store).run()
    assert historian.read["", "B", "v"] is None
    assert historian.read["", "A", "v"] is not None
