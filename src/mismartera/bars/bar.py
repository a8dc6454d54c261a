"""Bar: one bar as a strategy sees it.

Making bars is the cost of streaming, so a bar is a msgspec Struct (no dict, not tracked by the garbage
collector) that the engine makes positionally, by the thousand; instants become datetimes on access.
``Bar(...)`` is the public way to make one and checks its time; ``BarRow`` is the same object without checks.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
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
    """``[start_us, end_us)`` in microseconds since the epoch, UTC, shown in ``zone``: all bars of a window share
    one.
    """

    start_us: int
    end_us: int
    zone: tzinfo = UTC


class BarRow(msgspec.Struct, frozen=True, gc=False):
    """The fields of a bar in the engine's order: those that most bars leave at their defaults come last."""

    symbol: str
    interval: str
    span: Span
    open: float
    high: float
    low: float
    close: float
    volume: float
    bar_count: int = 1
    lag_seconds: float = 0.0
    generation: int = 1
    source: str = ""

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
        return BarRow(
            symbol, interval, Span(start, start + length if end is None else to_us(end), zone),
            float(open), float(high), float(low), float(close), float(volume), bar_count, lag_seconds, generation,
            source,
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


def make_bars(
    symbols: Iterable[str],
    intervals: Iterable[str],
    spans: Iterable[Span],
    prices: Iterable[Iterable[float]],
    counts: Iterable[int] | None = None,
    lag_seconds: float = 0.0,
    generations: Iterable[int] | None = None,
    sources: Iterable[str] | None = None,
) -> Iterator[Bar]:
    """Bars, each made when it is asked for, as long as ``symbols`` lasts, which is asked first.

    ``prices``: open, high, low, close, volume. What is at its default in all bars is left out, which is faster.
    """
    more = _more_fields(counts, lag_seconds, generations, sources)
    return map(make_bar, symbols, intervals, spans, *prices, *more)


def make_bars_of_instants(
    symbols: Iterable[Iterable[str]],
    intervals: Iterable[str],
    spans: Iterable[Iterable[Span]],
    prices: Iterable[Iterable[float]],
    counts: Iterable[int] | None = None,
    lag_seconds: float = 0.0,
    generations: Iterable[int] | None = None,
) -> Iterator[Iterator[Bar]]:
    """The same for one instant after the other: ``symbols`` and ``spans`` are those of each, the rest goes on."""
    fields = (*prices, *_more_fields(counts, lag_seconds, generations, None))
    return map(map, repeat(make_bar), symbols, repeat(intervals), spans, *(repeat(iter(f)) for f in fields))


def _more_fields(
    counts: Iterable[int] | None,
    lag_seconds: float,
    generations: Iterable[int] | None,
    sources: Iterable[str] | None,
) -> list[Iterable[object]]:
    """The last fields, up to the last one that is not at its default in all bars."""
    fields: list[Iterable[object]] = []
    if counts is not None or lag_seconds or generations is not None or sources is not None:
        fields.append(repeat(1) if counts is None else counts)
    if lag_seconds or generations is not None or sources is not None:
        fields.append(repeat(lag_seconds))
    if generations is not None or sources is not None:
        fields.append(repeat(1) if generations is None else generations)
    if sources is not None:
        fields.append(sources)
    return fields
