"""Slice: all bars of one instant, as bars by symbol and as columns by interval."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime, tzinfo
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mismartera.bars import Bar, parse_interval
from mismartera.bars.instants import to_datetime
from mismartera.bars.view import freeze
from mismartera.session.part import Part

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]


class SliceColumns:
    """The bars of one interval in a slice: one row per symbol, in rank order. Columns are read-only arrays."""

    __slots__ = ("_order", "_parts")

    def __init__(self, parts: Sequence[Part]) -> None:
        self._parts = parts
        self._order: Ints | None = None
        if len(parts) > 1:
            self._order = np.concatenate([part.column("rank") for part in parts]).argsort(kind="stable")

    @property
    def symbols(self) -> tuple[str, ...]:
        """Whose bars they are."""
        if len(self._parts) == 1:
            return self._parts[0].symbols()
        names = [name for part in self._parts for name in part.symbols()]
        return tuple(names if self._order is None else [names[k] for k in self._order.tolist()])

    @property
    def open(self) -> Floats:
        """First prices."""
        return self._column("open")

    @property
    def high(self) -> Floats:
        """Highest prices."""
        return self._column("high")

    @property
    def low(self) -> Floats:
        """Lowest prices."""
        return self._column("low")

    @property
    def close(self) -> Floats:
        """Last prices."""
        return self._column("close")

    @property
    def volume(self) -> Floats:
        """Volumes."""
        return self._column("volume")

    @property
    def bar_count(self) -> Ints:
        """Base bars in each bar."""
        return self._column("bar_count", np.int64)

    def indicator(self, name: str) -> Floats:
        """The column of an indicator of this interval, NaN until warm; KeyError for one that is not configured."""
        if any(name not in part.strip.block.indicators for part in self._parts):
            raise KeyError(name)
        return self._column(name)

    def __len__(self) -> int:
        parts = self._parts
        return len(parts[0]) if len(parts) == 1 else sum(map(len, parts))

    def _column(self, name: str, dtype: type = np.float64) -> NDArray[Any]:
        """The parts' columns as one, in rank order."""
        if len(self._parts) == 1:
            return self._parts[0].column(name)
        if self._order is None:
            return np.empty(0, dtype=dtype)
        return freeze(np.concatenate([part.column(name) for part in self._parts])[self._order])[:]


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
        return sum(map(len, self._parts))

    @property
    def intervals(self) -> tuple[str, ...]:
        """The intervals of its bars, shortest first."""
        return tuple(interval.label for interval in sorted({part.strip.interval for part in self._parts}))

    def bar(self, symbol: str, interval: str) -> Bar | None:
        """The bar of ``symbol`` and ``interval`` that ended now; None if there is none."""
        wanted = parse_interval(interval)
        return next((bar for bar in self.get(symbol, ()) if parse_interval(bar.interval) == wanted), None)

    def columns(self, interval: str) -> SliceColumns:
        """The bars of one interval as columns (without rows if none of them ended now)."""
        length_us = parse_interval(interval).length_us
        return SliceColumns([part for part in self._parts if part.strip.interval.length_us == length_us])

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
            for part in sorted(self._parts, key=lambda part: part.strip.interval):
                for bar in part.bars(self.lag_seconds):
                    found[bar.symbol] += (bar,)
            self._by_symbol = found
        return self._by_symbol

    def _symbols(self) -> list[str]:
        """The symbols that have a bar, in rank order."""
        ranks = {
            symbol: rank
            for part in self._parts
            for symbol, rank in zip(part.symbols(), part.column("rank").tolist(), strict=True)
        }
        return sorted(ranks, key=ranks.__getitem__)
