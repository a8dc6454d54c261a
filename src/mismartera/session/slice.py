"""Slice: all bars of one instant, as bars by symbol and as columns by interval."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, tzinfo
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mismartera.bars import Bar, parse_interval
from mismartera.bars.instants import to_datetime
from mismartera.session.lane import Lane

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
Part = tuple[Lane, Ints]
"""A lane and its rows in the instant."""


@dataclass(frozen=True, slots=True, eq=False)
class SliceColumns:
    """The bars of one interval in a slice: one row per symbol, in rank order."""

    symbols: tuple[str, ...]
    open: Floats
    high: Floats
    low: Floats
    close: Floats
    volume: Floats
    bar_count: Ints

    def __len__(self) -> int:
        return len(self.symbols)


class Slice(Mapping[str, tuple[Bar, ...]]):
    """The bars that ended at ``end``: ``slice["AAPL"]`` is the tuple of that symbol's bars, shortest interval
    first.

    Symbols come in rank order. ``size`` counts bars; ``closes`` and the like for whole columns:
    ``slice.columns("1m")``. Bars are only made when they are asked for. Fixed, like a view.
    """

    __slots__ = ("_by_symbol", "_parts", "_zone", "end_us", "lag_seconds")

    def __init__(self, parts: Sequence[Part], end_us: int, zone: tzinfo, lag_seconds: float) -> None:
        self._parts = parts
        self._zone = zone
        self.end_us = end_us
        self.lag_seconds = lag_seconds
        self._by_symbol: dict[str, tuple[Bar, ...]] | None = None

    @property
    def end(self) -> datetime:
        """The instant, in the exchange's zone."""
        return to_datetime(self.end_us, self._zone)

    @property
    def size(self) -> int:
        """How many bars the slice has."""
        return sum(len(rows) for _, rows in self._parts)

    @property
    def intervals(self) -> tuple[str, ...]:
        """The intervals of its bars, shortest first."""
        found = {lane.intervals[k] for lane, rows in self._parts for k in np.unique(lane.kind[rows]).tolist()}
        return tuple(interval.label for interval in sorted(found))

    def bar(self, symbol: str, interval: str) -> Bar | None:
        """The bar of ``symbol`` and ``interval`` that ended now; None if there is none."""
        wanted = parse_interval(interval)
        return next((bar for bar in self.get(symbol, ()) if parse_interval(bar.interval) == wanted), None)

    def columns(self, interval: str) -> SliceColumns:
        """The bars of one interval as columns (without rows if none of them ended now)."""
        chosen = [part for part in self._of_interval(interval) if len(part[1])]
        if len(chosen) == 1:
            return _columns(*chosen[0])
        if not chosen:
            none = np.empty(0, dtype=np.float64)
            return SliceColumns((), none, none, none, none, none, np.empty(0, dtype=np.int64))
        parts = [_columns(lane, rows) for lane, rows in chosen]
        stacked: Any = (
            np.concatenate([getattr(part, name) for part in parts])
            for name in ("open", "high", "low", "close", "volume", "bar_count")
        )
        return SliceColumns(tuple(s for part in parts for s in part.symbols), *stacked)

    def __getitem__(self, symbol: str) -> tuple[Bar, ...]:
        return self._bars()[symbol]

    def __iter__(self) -> Iterator[str]:
        return iter(self._bars())

    def __len__(self) -> int:
        return len(self._bars())

    def __repr__(self) -> str:
        return f"Slice({self.end.isoformat()}, {self.size} bars of {len(self)} symbols)"

    def _bars(self) -> dict[str, tuple[Bar, ...]]:
        if self._by_symbol is None:
            found: dict[str, tuple[Bar, ...]] = {}
            for lane, rows in self._parts:
                for bar in lane.bars_of(rows, self.lag_seconds):
                    found[bar.symbol] = (*found.get(bar.symbol, ()), bar)
            self._by_symbol = found
        return self._by_symbol

    def _of_interval(self, label: str) -> Iterator[Part]:
        interval = parse_interval(label)
        for lane, rows in self._parts:
            if interval not in lane.intervals:
                continue
            if len(lane.intervals) == 1:
                yield lane, rows
            else:
                yield lane, rows[lane.kind[rows] == lane.intervals.index(interval)]


def _taken(lane: Lane, rows: Ints) -> tuple[Floats, Floats, Floats, Floats, Floats, Ints]:
    open_, high, low, close, volume = lane.prices
    return open_[rows], high[rows], low[rows], close[rows], volume[rows], lane.bar_count[rows]


def _columns(lane: Lane, rows: Ints) -> SliceColumns:
    owners = lane.owner[rows].tolist()
    symbols = lane.symbols
    return SliceColumns(
        symbols if len(owners) == len(symbols) else tuple(symbols[k] for k in owners),
        *_taken(lane, rows),
    )
