"""The symbol half of the reference model: one symbol's stay in a run, and its bars of the current session."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from mismartera.bars.interval import Interval, parse_interval
from mismartera.config import SessionConfig
from mismartera.indicators import resolve_indicator
from mismartera.testing.reference_bars import (
    Day,
    Row,
    ShownBar,
    Store,
    choose_base,
    classify,
    derive,
    history_bars,
    indicator_rows,
    windows,
)
from mismartera.timing import TimeManager


@dataclass(eq=False)
class RefSymbol:
    """A generation of a symbol: pending until ``is_loaded``. The fields below ``base`` are the session's.

    ``shown`` has the whole session's bars of each requested interval; what of them is visible is the run's matter.
    """

    name: str
    rank: int
    generation: int
    streams: list[Interval]
    is_loaded: bool = False
    base: Interval | None = None
    rows: list[Row] = field(default_factory=list)
    base_bars: list[ShownBar] = field(default_factory=list)
    shown: list[tuple[Interval, list[ShownBar]]] = field(default_factory=list)

    def read(self, config: SessionConfig, store: Store, day: Day) -> bool:
        """Take the session ``day`` from the store; False if it has nothing that the streams derive from."""
        base = choose_base(store, self.name, self.streams, day)
        if base is None:
            return False
        self.base = next((stream for stream in self.streams if stream == base), base)  # "60s", if so requested
        complete = config.session_data_config.derived_bars == "complete"
        self.rows = classify(store.get((self.name, base.label), ()), base, day)
        self.base_bars = [row.bar for row in self.rows if row.bar is not None]
        self.shown = [
            (stream, derive(self.base_bars, self.base, stream, day, complete=complete)) for stream in self.streams
        ]
        return True

    def items(self) -> list[Item]:
        """Every bar that is processed in the session: the requested ones, and the base bars in any case."""
        base = self.loaded_base()
        result = [
            Item(bar.end_us, self.rank, interval.length_us, self, bar, interval.label, interval == base)
            for interval, bars in self.shown
            for bar in bars
        ]
        if base not in self.streams:
            result += [
                Item(bar.end_us, self.rank, base.length_us, self, bar, None, is_base=True)
                for bar in self.base_bars
            ]
        return result

    def quality(self, day: Day, until_us: int) -> dict[str, dict[str, float | None]]:
        """Expected and present base bars that ended by ``until_us``; no percentage if none were expected."""
        base = self.loaded_base()
        expected = sum(1 for _, end_us in windows(base, day) if end_us <= until_us)
        present = sum(1 for bar in self.base_bars if bar.end_us <= until_us)
        percent = 100.0 * present / expected if expected else None
        return {base.label: {"expected": expected, "present": present, "percent": percent}}

    def gaps(self, day: Day) -> Iterator[tuple[int, int, int]]:
        """Runs of missing base bars within a part of the session: (from, to, how many)."""
        present = {bar.start_us for bar in self.base_bars}
        part_ends = {last for _, last in day.parts}
        missing: list[tuple[int, int]] = []
        for window in windows(self.loaded_base(), day):
            if window[0] not in present:
                missing.append(window)
            if missing and (window[0] in present or window[1] in part_ends):
                yield missing[0][0], missing[-1][1], len(missing)
                missing = []

    def dump(
        self, config: SessionConfig, store: Store, time_manager: TimeManager, day: Day
    ) -> Iterator[tuple[str, list[dict[str, Any]]]]:
        """For each requested interval the rows of its dump: the bars with their indicators."""
        for interval, bars in self.shown:
            specs = [
                resolve_indicator(wanted.name, wanted.interval, wanted.params, wanted.input)
                for wanted in config.session_data_config.indicators
                if parse_interval(wanted.interval) == interval
            ]
            history = history_bars(config, store, time_manager, self.name, interval, day) if specs else []
            values = indicator_rows(specs, history, bars)
            yield interval.label, [_dump_row(bar) | row for bar, row in zip(bars, values, strict=True)]

    def loaded_base(self) -> Interval:
        """The session's base interval; asking before a successful :meth:`read` is a mistake."""
        assert self.base is not None, f"{self.name} has not been read"
        return self.base


class Item(NamedTuple):
    """A bar yet to be processed; items sort into the order of R4. ``label`` None: a base bar nobody requested."""

    end_us: int
    rank: int
    length_us: int
    symbol: RefSymbol
    bar: ShownBar
    label: str | None
    is_base: bool


def _dump_row(bar: ShownBar) -> dict[str, Any]:
    row: dict[str, Any] = {"timestamp": bar.start_us, **bar._asdict()}
    del row["start_us"], row["end_us"]
    return row
