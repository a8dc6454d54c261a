"""Windows: how an interval cuts a session. Base bars and derived ones alike are rows of it."""

from __future__ import annotations

from functools import lru_cache
from itertools import repeat
from typing import Any

import numpy as np
from msgspec import Struct
from numpy.typing import NDArray

from mismartera.bars import Interval, Span
from mismartera.bars.view import freeze
from mismartera.timing import TradingSession

Ints = NDArray[np.int64]
Index = NDArray[Any]
"""Indices of windows, in the smallest type that holds them: NumPy sorts 16-bit keys by radix."""
_RADIX_MAX = 1 << 16


def small(keys: Ints, largest: int | None = None) -> Index:
    """``keys``, none of which is below 0 or above ``largest``, in a type that NumPy sorts by radix if they fit."""
    most = int(keys.max(initial=0)) if largest is None else largest
    return keys.astype(np.uint16) if most < _RADIX_MAX else keys


class Windows(Struct, frozen=True, eq=False):
    """The windows of an interval in a session, in time order: ``start`` and ``end`` (read-only), and the first
    one of each part.
    """

    start: Ints
    end: Ints
    part_start: Ints
    part_first: Ints
    length_us: int

    def __len__(self) -> int:
        return len(self.start)

    def of(self, starts: Ints) -> Index:
        """For each bar start (inside the session's parts) the index of the window that holds it."""
        if len(self.part_start) == 1:
            return self._small((starts - self.part_start[0]) // self.length_us)
        part = self.part_start.searchsorted(starts, side="right") - 1
        return self._small((starts - self.part_start[part]) // self.length_us + self.part_first[part])

    def _small(self, found: Ints) -> Index:
        return small(found, len(self.start) - 1)


@lru_cache(maxsize=64)
def session_windows(session: TradingSession, interval: Interval) -> Windows:
    """Windows of ``interval``: anchored at the open of each continuous part, the last one cut at the part's
    end.
    """
    if interval.is_daily:
        whole = freeze(np.array([session.open_us])), freeze(np.array([session.close_us]))
        return Windows(*whole, whole[0], np.zeros(1, dtype=np.int64), session.close_us - session.open_us)
    length = interval.length_us
    starts = [np.arange(first, last, length) for first, last in session.parts]
    ends = [np.minimum(s + length, last) for s, (_, last) in zip(starts, session.parts, strict=True)]
    counts = np.array([len(s) for s in starts])
    part_start = np.array([first for first, _ in session.parts])
    start, end = freeze(np.concatenate(starts)), freeze(np.concatenate(ends))
    return Windows(start, end, part_start, np.cumsum(counts) - counts, length)


@lru_cache(maxsize=8)
def session_spans(session: TradingSession, interval: Interval) -> NDArray[np.object_]:
    """The windows' spans, which all bars of a window share."""
    windows = session_windows(session, interval)
    spans = np.empty(len(windows), dtype=object)
    spans[:] = list(map(Span, windows.start.tolist(), windows.end.tolist(), repeat(session.zone)))
    return spans


class CountedSpans:
    """``spans`` with up to ``most`` base bars in each, one object for all bars of a window that have as many. Each
    is made when it is asked for first.
    """

    def __init__(self, spans: NDArray[np.object_], most: int) -> None:
        self._spans = spans
        self._width = most + 1
        self._made = np.zeros(len(spans) * self._width, dtype=np.bool_)
        self._table = np.empty(len(self._made), dtype=object)

    def of(self, windows: Index, counts: Ints) -> NDArray[np.object_]:
        """The spans of these windows with these counts."""
        keys = windows.astype(np.int64) * self._width + counts
        missing = keys[~self._made[keys]]
        if len(missing):
            for key in dict.fromkeys(missing.tolist()):
                window, count = divmod(key, self._width)
                span = self._spans[window]
                self._table[key] = Span(span.start_us, span.end_us, span.zone, count)
            self._made[missing] = True
        found: NDArray[np.object_] = self._table[keys]
        return found
