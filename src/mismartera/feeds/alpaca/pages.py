"""Pages of Alpaca's historical bars, and how they become one series per symbol."""

from __future__ import annotations

from collections.abc import Sequence

import msgspec
import numpy as np
from msgspec import Struct

from mismartera.bars import BarBlock, Interval
from mismartera.feeds.alpaca.decode import Codec
from mismartera.feeds.alpaca.messages import BarMessage
from mismartera.feeds.port import NO_START, Floats, Ints, Rejected
from mismartera.feeds.sift import RawBars, sift


class RestBar(msgspec.Struct, gc=False):
    """A bar of a page: the same fields as in the stream, without type and symbol."""

    o: float
    h: float
    l: float  # noqa: E741 (the protocol's name)
    c: float
    v: float
    t: msgspec.Raw
    n: float | None = None


class _Stamp(msgspec.Struct, gc=False):
    """What can be told of a bar that is none."""

    t: msgspec.Raw


class _Page(msgspec.Struct, gc=False):
    bars: dict[str, list[msgspec.Raw] | None] | None = None
    next_page_token: str | int | None = None


_PAGE = msgspec.json.Decoder(_Page)
_BARS = msgspec.json.Decoder(RestBar)
_STAMPS = msgspec.json.Decoder(_Stamp)
_UNDECODABLE = (msgspec.MsgspecError, RecursionError, UnicodeError)
_CODEC = Codec("json")


class PageError(ValueError):
    """A body that is no page of bars."""


class PageMerger(Struct):
    """Gathers pages: in any order, with repeated bars, with bars outside the range.

    ``end_us`` is exclusive. Of several bars of one start the one that came last stands.
    """

    symbols: Sequence[str]
    interval: Interval
    start_us: int
    end_us: int
    duplicates: int = 0
    conflicts: int = 0
    rejected: list[Rejected] = []
    _rows: dict[str, dict[int, tuple[float, ...]]] = {}

    def add(self, body: bytes, finished_by_us: int) -> str | None:
        """Take a page, and say its token. A bar that ends after ``finished_by_us`` was forming, and is left out.

        PageError if the body is no page; then nothing of it was taken.
        """
        try:
            page = _PAGE.decode(body)
        except _UNDECODABLE as error:
            raise PageError(f"{len(body)} bytes are no page of bars: {error}"[:200]) from None
        wanted = frozenset(self.symbols)
        for symbol, parts in (page.bars or {}).items():
            if symbol not in wanted:
                count = len(parts or ())
                self.rejected.append(
                    Rejected("not_subscribed", count, f"bars of {symbol!r:.40}", (symbol,) * count)
                )
            elif parts:
                self._take(symbol, parts, finished_by_us)
        return None if page.next_page_token in {None, ""} else str(page.next_page_token)

    def block(self) -> BarBlock:
        """The bars that were taken: sorted, one per start, a series for each of ``symbols``."""
        counts = [len(self._rows.get(symbol, ())) for symbol in self.symbols]
        starts: list[int] = []
        values: list[tuple[float, ...]] = []
        for symbol in self.symbols:
            for start, row in sorted(self._rows.get(symbol, {}).items()):
                starts.append(start)
                values.append(row)
        columns: Floats = np.array(values, np.float64).reshape(len(values), 5)
        offsets: Ints = np.cumsum([0, *counts], dtype=np.int64)
        return BarBlock(
            tuple(self.symbols), offsets, np.array(starts, np.int64), *(column.copy() for column in columns.T)
        )

    def _take(self, symbol: str, parts: Sequence[msgspec.Raw], finished_by_us: int) -> None:
        raw = self._decode(symbol, parts)
        # One that has begun is forming, which is no fault; one that has not even begun has a wrong time.
        rows, rejected = sift(raw, self.interval, finished_by_us + self.interval.length_us)
        self.rejected += rejected
        end_us = min(self.end_us, finished_by_us - self.interval.length_us + 1)
        known = self._rows.setdefault(symbol, {})
        columns = [column[rows].tolist() for column in (raw.start_us, *raw.prices)]
        for start, *row in zip(*columns, strict=True):
            if self.start_us <= start < end_us:
                self._keep(known, start, tuple(row))

    def _decode(self, symbol: str, parts: Sequence[msgspec.Raw]) -> RawBars:
        bars = []
        for part in parts:
            try:
                bar = _BARS.decode(part)
            except _UNDECODABLE as error:
                text = f"{symbol}: {error}"[:200]
                self.rejected.append(Rejected("malformed", 1, text, (symbol,), (_start_of(part),)))
            else:
                bars.append(BarMessage(symbol, bar.o, bar.h, bar.l, bar.c, bar.v, bar.t, bar.n))
        return _CODEC.columns(bars)

    def _keep(self, known: dict[int, tuple[float, ...]], start: int, row: tuple[float, ...]) -> None:
        before = known.get(start)
        if before is not None:
            self.duplicates += 1
            self.conflicts += before != row
        known[start] = row


def _start_of(part: msgspec.Raw) -> int:
    """The minute that a broken bar speaks of, so that the others of its symbol can still be confirmed as quiet."""
    try:
        return _CODEC.start_us(_STAMPS.decode(part).t)
    except _UNDECODABLE:
        return NO_START
