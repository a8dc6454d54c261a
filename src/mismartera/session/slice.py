"""Slice: all bars of one instant, as bars by symbol and as columns by interval."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime, tzinfo
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

from mismartera.bars import Bar, parse_interval
from mismartera.bars.instants import to_datetime
from mismartera.session.lane import Part

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
_T = TypeVar("_T", np.float64, np.int64)


class SliceColumns:
    """The bars of one interval in a slice: one row per symbol, in rank order. A column is gathered when asked
    for.
    """

    __slots__ = ("_order", "_parts")

    def __init__(self, parts: Sequence[Part]) -> None:
        self._parts = parts
        self._order: Ints | None = None
        if len(parts) > 1:
            self._order = np.concatenate([strip.ranks_of(rows) for strip, rows in parts]).argsort(kind="stable")

    @property
    def symbols(self) -> tuple[str, ...]:
        """Whose bars they are."""
        if self._order is None and self._parts:
            strip, rows = self._parts[0]
            if len(rows) == len(strip.block.symbols):  # each symbol has one bar at most
                return strip.block.symbols
        names = [
            strip.block.symbols[owner] for strip, rows in self._parts for owner in strip.block.owner[rows].tolist()
        ]
        return tuple(names if self._order is None else [names[k] for k in self._order.tolist()])

    @property
    def open(self) -> Floats:
        """First prices."""
        return self._floats("open")

    @property
    def high(self) -> Floats:
        """Highest prices."""
        return self._floats("high")

    @property
    def low(self) -> Floats:
        """Lowest prices."""
        return self._floats("low")

    @property
    def close(self) -> Floats:
        """Last prices."""
        return self._floats("close")

    @property
    def volume(self) -> Floats:
        """Volumes."""
        return self._floats("volume")

    @property
    def bar_count(self) -> Ints:
        """Base bars in each bar."""
        return self._gathered([strip.block.bar_count[rows] for strip, rows in self._parts], np.int64)

    def indicator(self, name: str) -> Floats:
        """The column of an indicator of this interval, NaN until warm; KeyError for one that is not configured."""
        return self._gathered([strip.block.indicators[name][rows] for strip, rows in self._parts], np.float64)

    def __len__(self) -> int:
        return sum(len(rows) for _, rows in self._parts)

    def _floats(self, name: str) -> Floats:
        return self._gathered([getattr(strip.block, name)[rows] for strip, rows in self._parts], np.float64)

    def _gathered(self, columns: list[NDArray[_T]], dtype: type[_T]) -> NDArray[_T]:
        """The parts' columns as one, in rank order."""
        if self._order is not None:
            return np.concatenate(columns)[self._order]
        return columns[0] if columns else np.empty(0, dtype=dtype)


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
        return tuple(interval.label for interval in sorted({strip.interval for strip, _ in self._parts}))

    def bar(self, symbol: str, interval: str) -> Bar | None:
        """The bar of ``symbol`` and ``interval`` that ended now; None if there is none."""
        wanted = parse_interval(interval)
        return next((bar for bar in self.get(symbol, ()) if parse_interval(bar.interval) == wanted), None)

    def columns(self, interval: str) -> SliceColumns:
        """The bars of one interval as columns (without rows if none of them ended now)."""
        wanted = parse_interval(interval)
        return SliceColumns([part for part in self._parts if part[0].interval == wanted])

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
            found: dict[str, tuple[Bar, ...]] = dict.fromkeys(self._symbols(), ())
            for strip, rows in sorted(self._parts, key=lambda part: part[0].interval):
                for bar in strip.bars_of(rows, self.lag_seconds):
                    found[bar.symbol] += (bar,)
            self._by_symbol = found
        return self._by_symbol

    def _symbols(self) -> list[str]:
        """The symbols that have a bar, in rank order."""
        ranks = {
            strip.block.symbols[owner]: rank
            for strip, rows in self._parts
            for owner, rank in zip(strip.block.owner[rows].tolist(), strip.ranks_of(rows).tolist(), strict=True)
        }
        return sorted(ranks, key=ranks.__getitem__)
