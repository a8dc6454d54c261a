"""Bars: a read-only sequence of bars over columns, fixed at the moment when it was handed out."""

from __future__ import annotations

import math
from bisect import bisect_right
from collections.abc import Iterator, Mapping, Sequence
from itertools import repeat
from typing import TYPE_CHECKING, Any, TypeVar, overload

import numpy as np
from msgspec import Struct
from numpy.typing import NDArray

from mismartera.bars.bar import SOURCES, Bar, SeriesInfo, Span, make_bar, make_bars
from mismartera.bars.html_table import ROWS_MAX, html_table

if TYPE_CHECKING:  # heavy, and only needed when somebody asks for a frame
    import pandas as pd
    import polars as pl

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
_T = TypeVar("_T", bound=np.generic)


class SeriesColumns(Struct, frozen=True, eq=False):
    """One symbol's bars of one interval in one session: columns of one length, sorted by ``start``.

    Append-only by contract: a change of a value makes a new SeriesColumns. ``start`` and ``end`` in microseconds
    since the epoch; ``indicators`` has a column of doubles (NaN until warm) per indicator name; ``source`` (live)
    says of each bar which of :data:`SOURCES` it has.
    """

    symbol: str
    interval: str
    info: SeriesInfo
    start: Ints
    end: Ints
    open: Floats
    high: Floats
    low: Floats
    close: Floats
    volume: Floats
    bar_count: Ints
    indicators: Mapping[str, Floats] = {}
    source: NDArray[np.uint8] | None = None

    def __len__(self) -> int:
        return len(self.start)

    def stepped(self, part: slice, steps: slice) -> SeriesColumns:
        """Rows ``steps`` of the rows ``part``, as views: they may then stand in reverse."""
        columns: dict[str, Any] = {
            name: getattr(self, name)[part][steps]
            for name in ("start", "end", "open", "high", "low", "close", "volume", "bar_count")
        }
        indicators = {name: column[part][steps] for name, column in self.indicators.items()}
        source = None if self.source is None else self.source[part][steps]
        return SeriesColumns(
            self.symbol, self.interval, self.info, indicators=indicators, source=source, **columns
        )

    def visible(self, now_us: int) -> int:
        """How many of the bars have ended by ``now_us``."""
        # A memoryview gives Python integers, without NumPy's price for a single one.
        return bisect_right(memoryview(self.end), now_us)  # type: ignore[arg-type]  # a NumPy array has a buffer


class NewestValue:
    """Reads a column at the newest bar that has ended, again and again, as time goes on.

    ``next`` is the row after the one that was found last. Several threads may ask, each is answered for its own
    instant; the columns may have room for bars that are still to come, which never end.
    """

    __slots__ = ("ends", "next", "size", "values")

    def __init__(self, ends: Ints, values: Floats) -> None:
        # Their items are plain Python numbers; type checkers do not know yet that an array has a buffer.
        self.ends = memoryview(ends)  # type: ignore[arg-type]
        self.values = memoryview(values)  # type: ignore[arg-type]
        self.size = len(ends)
        self.next = 0

    def until(self, now_us: int) -> float | None:
        """The value at the last bar that ended by ``now_us``; None if there is none or it is NaN."""
        ends, after = self.ends, self.next
        if not (after and ends[after - 1] <= now_us and (after == self.size or now_us < ends[after])):
            after = self.next = bisect_right(ends, now_us)
        value = self.values[after - 1] if after else math.nan
        return value if value == value else None  # noqa: PLR0124  # NaN: not warm


class Bars(Sequence[Bar]):
    """Bars of one symbol and interval, oldest first: ``len``, indexing, slicing, iteration, and columns.

    Zero-copy and fixed: bars that arrive later do not appear in it. The arrays are read-only NumPy views:
    ``open``, ``high``, ``low``, ``close``, ``volume`` (doubles), ``bar_count``, and ``start_us``, ``end_us``
    (int64, microseconds since the epoch, UTC). Two views are equal if all their bars are.
    """

    __slots__ = ("_columns", "_first", "_last")

    def __init__(self, columns: SeriesColumns, first: int = 0, last: int | None = None) -> None:
        self._columns = columns
        self._first = first
        self._last = len(columns) if last is None else last

    @property
    def symbol(self) -> str:
        """The bars' symbol."""
        return self._columns.symbol

    @property
    def interval(self) -> str:
        """The bars' interval, as it was requested."""
        return self._columns.interval

    @property
    def start_us(self) -> Ints:
        """Starts of the bars."""
        return self._part(self._columns.start)

    @property
    def end_us(self) -> Ints:
        """Ends of the bars."""
        return self._part(self._columns.end)

    @property
    def open(self) -> Floats:
        """First prices."""
        return self._part(self._columns.open)

    @property
    def high(self) -> Floats:
        """Highest prices."""
        return self._part(self._columns.high)

    @property
    def low(self) -> Floats:
        """Lowest prices."""
        return self._part(self._columns.low)

    @property
    def close(self) -> Floats:
        """Last prices."""
        return self._part(self._columns.close)

    @property
    def volume(self) -> Floats:
        """Volumes, in the store's unit."""
        return self._part(self._columns.volume)

    @property
    def bar_count(self) -> Ints:
        """Base bars in each bar."""
        return self._part(self._columns.bar_count)

    @property
    def indicator_names(self) -> tuple[str, ...]:
        """The indicators that were computed on these bars."""
        return tuple(self._columns.indicators)

    def indicator(self, name: str) -> Floats:
        """The column of an indicator, NaN until it is warm; KeyError for a name that is not configured."""
        return self._part(self._columns.indicators[name])

    def __len__(self) -> int:
        return self._last - self._first

    @overload
    def __getitem__(self, index: int) -> Bar: ...
    @overload
    def __getitem__(self, index: slice) -> Bars: ...
    def __getitem__(self, index: int | slice) -> Bar | Bars:
        if isinstance(index, slice):
            first, last, step = index.indices(len(self))
            if step != 1:
                return Bars(self._columns.stepped(slice(self._first, self._last), index))
            return Bars(self._columns, self._first + first, self._first + max(first, last))
        size = len(self)
        try:
            is_there = -size <= index < size
        except (TypeError, ValueError) as error:  # a text, an array
            raise TypeError(
                f"bars are indexed by a whole number or a slice, not by {_cut(index)}: the columns are "
                "attributes, for example bars.close, or bars.indicator('SMA_20')"
            ) from error
        if not is_there:
            raise IndexError(f"bar {index} of {size}")
        return self._bar(self._first + index if index >= 0 else self._last + index)

    def __iter__(self) -> Iterator[Bar]:
        c = self._columns
        prices = [self._part(column).tolist() for column in (c.open, c.high, c.low, c.close, c.volume)]
        sources = repeat("") if c.source is None else map(SOURCES.__getitem__, self._part(c.source).tolist())
        spans = map(
            Span, self.start_us.tolist(), self.end_us.tolist(), repeat(c.info.zone), self.bar_count.tolist(),
            repeat(0.0), repeat(c.info.generation), sources,
        )  # fmt: skip
        yield from make_bars(repeat(c.symbol, len(self)), repeat(c.interval), spans, prices)

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Bars):
            return NotImplemented
        return list(self) == list(other)

    __hash__ = None  # type: ignore[assignment]  # compared by value, never a key

    def __repr__(self) -> str:
        span = f", {self[0].timestamp.isoformat()} .. {self[-1].end.isoformat()}" if len(self) else ""
        return f"Bars({self.symbol!r}, {self.interval!r}, {len(self)} bars{span})"

    def _repr_html_(self) -> str:
        """For notebooks: the first and the last bars, exchange time."""
        half = ROWS_MAX // 2
        shown = list(self) if len(self) <= ROWS_MAX else [*self[:half], *self[-half:]]
        rows = [(b.timestamp.isoformat(" "), b.open, b.high, b.low, b.close, b.volume, b.bar_count) for b in shown]
        columns = ("timestamp", "open", "high", "low", "close", "volume", "bar_count")
        return html_table(f"{self.symbol} {self.interval}", columns, rows, len(self))

    def to_polars(self) -> pl.DataFrame:
        """A frame with ``timestamp`` (UTC, microseconds), prices, volume, ``bar_count`` and the indicators."""
        import polars as pl

        return pl.DataFrame(self._frame()).with_columns(
            pl.col("timestamp").cast(pl.Datetime("us")).dt.replace_time_zone("UTC")
        )

    def to_pandas(self) -> pd.DataFrame:
        """The same as a pandas frame indexed by ``timestamp`` (UTC)."""
        import pandas as pd

        frame = pd.DataFrame(self._frame())
        frame["timestamp"] = pd.to_datetime(frame["timestamp"], unit="us", utc=True)
        return frame.set_index("timestamp")

    def _frame(self) -> dict[str, Floats | Ints]:
        columns: dict[str, Floats | Ints] = {
            "timestamp": self.start_us, "open": self.open, "high": self.high, "low": self.low,
            "close": self.close, "volume": self.volume, "bar_count": self.bar_count,
        }  # fmt: skip
        return columns | {name: self.indicator(name) for name in self.indicator_names}

    def _part(self, column: NDArray[_T]) -> NDArray[_T]:
        return column[self._first : self._last]

    def _bar(self, row: int) -> Bar:
        c = self._columns
        span = Span(
            int(c.start[row]), int(c.end[row]), c.info.zone, int(c.bar_count[row]), 0.0, c.info.generation,
            "" if c.source is None else SOURCES[c.source[row]],
        )  # fmt: skip
        return make_bar(
            c.symbol, c.interval, span,
            float(c.open[row]), float(c.high[row]), float(c.low[row]), float(c.close[row]), float(c.volume[row]),
        )  # fmt: skip


def _cut(index: object) -> str:
    return repr(index) if isinstance(index, str) and len(index) <= 40 else f"a {type(index).__name__}"


def freeze(column: NDArray[_T]) -> NDArray[_T]:
    """``column``, which nobody can write to any more, whatever it is a view of."""
    owner: object = column
    while isinstance(owner, np.ndarray):
        owner.flags.writeable = False
        owner = owner.base
    return column
