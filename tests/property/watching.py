"""Strategies that keep what they are told, and hold every read against the clock while they are told it."""

from __future__ import annotations

from typing import Any

from tests.property.worlds import World

from mismartera.bars import Bar, parse_interval
from mismartera.bars.instants import to_us
from mismartera.indicators import resolve_indicator
from mismartera.session.slice import Slice
from mismartera.session.strategy import Strategy
from mismartera.testing.memory import DumpKey


class Notes(Strategy):
    """Keeps the bars and slices that it is given, and what its reads say with each of them."""

    def __init__(self, world: World) -> None:
        super().__init__()
        self.columns = column_names(world)
        self.bars: list[Bar] = []
        self.slices: list[tuple[int, dict[str, tuple[Bar, ...]]]] = []
        self.indicators: list[tuple[Any, ...]] = []

    def on_bar(self, bar: Bar) -> None:
        self.bars.append(bar)
        values = (
            self.session.indicator(bar.symbol, name, bar.interval)
            for name in self.columns.get(parse_interval(bar.interval).length_us, ())
        )
        self.indicators.append((bar.symbol, bar.interval, bar.start_us, *values))

    def on_slice(self, slice: Slice) -> None:
        self.slices.append((slice.end_us, dict(slice)))


class Watcher(Strategy):
    """At every notification: no read knows more than the clock, and every read has the bars of the instant.

    ``sightings`` are indicator values as they were read: (dump's key, number of visible bars, column, value).
    """

    def __init__(self, world: World) -> None:
        super().__init__()
        entries = [entry for entry in world.json["schedule"] if "add" in entry]
        self.symbol_names = sorted({*world.json["session_data_config"]["symbols"], *(e["add"] for e in entries)})
        own = [label for entry in entries for label in entry.get("streams", ())]
        self.labels = list(dict.fromkeys([*world.json["session_data_config"]["streams"], *own]))
        self.columns = column_names(world)
        self.sightings: list[tuple[DumpKey, int, str, float | None]] = []
        self.looks = 0

    def on_bar(self, bar: Bar) -> None:
        assert to_us(self.session.now) >= bar.end_us
        view = self.session.bars(bar.symbol, bar.interval)
        assert view is not None and view[-1].start_us == bar.start_us and view[-1].close == bar.close
        self.look()

    def on_slice(self, slice: Slice) -> None:
        for symbol, bars in slice.items():
            for bar in bars:
                view = self.session.bars(symbol, bar.interval)
                assert bar.end_us == slice.end_us
                assert view is not None and view[-1].start_us == bar.start_us
        self.look()

    def on_session_open(self) -> None:
        self.look()

    def on_session_active(self, active: bool, reason: str) -> None:
        self.look(gated=not active and reason == "lag")

    def on_symbol_active(self, symbol: str, active: bool, reason: str) -> None:
        self.look(gated=not active, only=symbol)

    def on_symbol_loaded(self, symbol: str) -> None:
        self.look()

    def on_session_close(self) -> None:
        self.look()

    def look(self, *, gated: bool = False, only: str | None = None) -> None:
        """Read everything that there is."""
        now_us = to_us(self.session.now)
        for symbol in self.symbol_names if only is None else [only]:
            for label in self.labels:
                self.look_at(symbol, label, now_us, gated=gated)

    def look_at(self, symbol: str, label: str, now_us: int, *, gated: bool) -> None:
        try:
            view = self.session.bars(symbol, label)
        except ValueError:  # not one of this symbol's streams
            return
        self.looks += 1
        if view is None:
            return
        assert not gated, f"{symbol} {label} can be read while deactivated by lag"
        assert not len(view) or view.end_us[-1] <= now_us, f"{symbol} {label}: {view[-1]} is not over at {now_us}"
        date = self.session.date
        assert date is not None
        for name in self.columns.get(parse_interval(label).length_us, ()):
            value = self.session.indicator(symbol, name, label)
            self.sightings.append(((date.isoformat(), symbol, view.interval), len(view), name, value))


def column_names(world: World) -> dict[int, list[str]]:
    """The indicator columns of each interval, by its length."""
    columns: dict[int, list[str]] = {}
    for wanted in world.json["session_data_config"]["indicators"]:
        spec = resolve_indicator(wanted["name"], wanted["interval"], wanted["params"], wanted["input"])
        columns.setdefault(parse_interval(wanted["interval"]).length_us, []).extend(spec.columns)
    return columns
