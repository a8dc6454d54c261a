"""Bar: one bar as a strategy sees it.

Making bars is the cost of streaming, so a bar is a msgspec Struct (no dict, not tracked by the garbage
collector) that the engine makes positionally, by the thousand; instants become datetimes on access.
``Bar(...)`` is the public way to make one and checks its time; ``BarRow`` is the same object without checks.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from datetime import UTC, datetime, tzinfo
from itertools import repeat
from typing import TYPE_CHECKING, Any, cast

import msgspec

from mismartera.bars.instants import to_datetime, to_us
from mismartera.bars.interval import parse_interval
from mismartera.bars.symbol import check_symbol

SOURCES = ("live", "backfill", "revised")
"""Where a live session's bar comes from: the stream, the vendor's store, or a correction of either. A derived bar
has the last one of these that any of its base bars has."""


class SeriesInfo(msgspec.Struct, frozen=True, gc=False):
    """What all bars of a symbol's generation share."""

    generation: int = 1
    zone: tzinfo = UTC


class Span(msgspec.Struct, frozen=True, gc=False):
    """What bars share: ``[start_us, end_us)`` in microseconds since the epoch, UTC, shown in ``zone``, and what is
    nearly always the same. So a bar has few fields of its own, and is made that much faster.
    """

    start_us: int
    end_us: int
    zone: tzinfo = UTC
    bar_count: int = 1
    lag_seconds: float = 0.0
    generation: int = 1
    source: str = ""


class BarRow(msgspec.Struct, frozen=True, gc=False):
    """The fields of a bar in the engine's order."""

    symbol: str
    interval: str
    span: Span
    open: float
    high: float
    low: float
    close: float
    volume: float

    @property
    def bar_count(self) -> int:
        """How many base bars are in it."""
        return self.span.bar_count

    @property
    def lag_seconds(self) -> float:
        """How far behind the clock it was when it was handed over."""
        return self.span.lag_seconds

    @property
    def generation(self) -> int:
        """1 for a symbol's first stay in the run, one more for each time it was added again."""
        return self.span.generation

    @property
    def source(self) -> str:
        """Where a live bar comes from; empty in a backtest."""
        return self.span.source

    @property
    def start_us(self) -> int:
        """Start of the bar in microseconds since the epoch, UTC."""
        return self.span.start_us

    @property
    def end_us(self) -> int:
        """End of the bar (exclusive) in microseconds since the epoch, UTC."""
        return self.span.end_us

    @property
    def timestamp(self) -> datetime:
        """Start of the bar, in the exchange's zone."""
        return to_datetime(self.span.start_us, self.span.zone)

    @property
    def end(self) -> datetime:
        """End of the bar (exclusive), the moment at which it becomes visible, in the exchange's zone."""
        return to_datetime(self.span.end_us, self.span.zone)

    def __repr__(self) -> str:
        return (
            f"Bar({self.symbol!r}, {self.interval!r}, {self.timestamp.isoformat()}, open={self.open}, "
            f"high={self.high}, low={self.low}, close={self.close}, volume={self.volume}, "
            f"bar_count={self.bar_count}, lag_seconds={self.lag_seconds}, generation={self.generation})"
        )


class _BarFace(msgspec.StructMeta):
    """Gives ``Bar`` its public constructor while every ``BarRow`` counts as a ``Bar``."""

    def __instancecheck__(cls, instance: object) -> bool:  # noqa: N805
        return isinstance(instance, BarRow)

    def __call__(
        cls,  # noqa: N805
        symbol: str,
        interval: str,
        timestamp: datetime,
        *,
        open: float,
        high: float,
        low: float,
        close: float,
        volume: float = 0.0,
        end: datetime | None = None,
        bar_count: int = 1,
        lag_seconds: float = 0.0,
        generation: int = 1,
        source: str = "",
    ) -> Any:
        check_symbol(symbol)
        start = to_us(timestamp)
        length = parse_interval(interval).length_us
        zone = timestamp.tzinfo or UTC
        end_us = start + length if end is None else to_us(end)
        return BarRow(
            symbol, interval, Span(start, end_us, zone, bar_count, lag_seconds, generation, source),
            float(open), float(high), float(low), float(close), float(volume),
        )  # fmt: skip


class Bar(BarRow, metaclass=_BarFace, frozen=True, gc=False):
    """One bar of one symbol: covers ``[timestamp, end)`` and is complete and visible at ``end``.

    Fields: ``symbol``, ``interval`` (``"1m"``), ``timestamp`` and ``end`` (aware datetimes), ``open``, ``high``,
    ``low``, ``close`` (prices as stored), ``volume``, ``bar_count`` (base bars in it), ``lag_seconds`` (how far
    behind the clock it was when it was handed over; 0 in a view), ``generation`` (1 for a symbol's first stay in
    the run, one more for each time it was added again), ``source`` (live: one of :data:`SOURCES`; in a
    backtest ``""``). Frozen.

    Making one: ``Bar("AAPL", "1m", timestamp, open=..., high=..., low=..., close=..., volume=...)``; ``timestamp``
    must be timezone-aware (ValueError otherwise); ``end`` defaults to ``timestamp`` + interval.
    """

    if TYPE_CHECKING:  # type checkers do not look at a metaclass: this is the constructor of _BarFace

        def __init__(
            self,
            symbol: str,
            interval: str,
            timestamp: datetime,
            *,
            open: float,
            high: float,
            low: float,
            close: float,
            volume: float = 0.0,
            end: datetime | None = None,
            bar_count: int = 1,
            lag_seconds: float = 0.0,
            generation: int = 1,
            source: str = "",
        ) -> None: ...


make_bar = cast("Callable[..., Bar]", BarRow)
"""The engine's way to make bars: fields of :class:`BarRow` in order, unchecked."""


def with_lag(bar: Bar, lag_seconds: float) -> Bar:
    """The same bar, handed over so far behind the clock."""
    span = bar.span
    span = _marked(span, span.bar_count, lag_seconds, span.generation, span.source)
    return make_bar(bar.symbol, bar.interval, span, bar.open, bar.high, bar.low, bar.close, bar.volume)


def make_bars(
    symbols: Iterable[str],
    intervals: Iterable[str],
    spans: Iterable[Span],
    prices: Iterable[Iterable[float]],
) -> Iterator[Bar]:
    """Bars, each made when it is asked for, as long as ``symbols`` lasts, which is asked first.

    ``prices``: open, high, low, close, volume.
    """
    return map(make_bar, symbols, intervals, spans, *prices)


def make_bars_of_instants(
    symbols: Iterable[Iterable[str]],
    intervals: Iterable[str],
    spans: Iterable[Iterable[Span]],
    prices: Iterable[Iterable[float]],
) -> Iterator[Iterator[Bar]]:
    """The same for one instant after the other: ``symbols`` and ``spans`` are those of each, the rest goes on."""
    fields = (repeat(iter(column)) for column in prices)
    return map(map, repeat(make_bar), symbols, repeat(intervals), spans, *fields)


def marked(
    spans: Iterable[Span],
    counts: Sequence[int] | None = None,
    lag_seconds: float = 0.0,
    generations: Sequence[int] | None = None,
    sources: Sequence[str] | None = None,
) -> Iterable[Span]:
    """``spans``, whose other fields are at their defaults, with these; None: at their defaults."""
    if counts is not None and counts.count(1) == len(counts):
        counts = None
    if generations is not None and generations.count(1) == len(generations):
        generations = None
    if counts is None and generations is None and sources is None and not lag_seconds:
        return spans
    return map(
        _marked, spans, counts or repeat(1), repeat(lag_seconds), generations or repeat(1), sources or repeat("")
    )


def _marked(span: Span, bar_count: int, lag_seconds: float, generation: int, source: str) -> Span:
    return Span(span.start_us, span.end_us, span.zone, bar_count, lag_seconds, generation, source)
