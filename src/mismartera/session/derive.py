"""Derived bars (R7): one pass of NumPy over all symbols of a batch.

Chunk-invariant: a window's values depend on its own base bars alone. Volume is added from left to right in bar
order by ``np.bincount`` (a plain loop in C that starts at 0.0); pairwise sums would depend on the chunk's size.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mismartera.bars import Interval
from mismartera.session.series import SeriesBlock
from mismartera.timing import TradingSession

Ints = NDArray[np.int64]


@dataclass(frozen=True, slots=True, eq=False)
class Windows:
    """The windows of an interval in a session, in time order: ``start``, ``end`` and the first one of each
    part.
    """

    start: Ints
    end: Ints
    part_start: Ints
    part_first: Ints
    length_us: int

    def of(self, starts: Ints) -> Ints:
        """For each bar start (inside the session's parts) the index of the window that holds it."""
        if len(self.part_start) == 1:
            only: Ints = (starts - self.part_start[0]) // self.length_us
            return only
        part = self.part_start.searchsorted(starts, side="right") - 1
        found: Ints = (starts - self.part_start[part]) // self.length_us + self.part_first[part]
        return found


@lru_cache(maxsize=256)
def session_windows(session: TradingSession, interval: Interval) -> Windows:
    """Windows of ``interval``: anchored at the open of each continuous part, the last one cut at the part's
    end.
    """
    if interval.is_daily:
        whole = np.array([session.open_us]), np.array([session.close_us])
        return Windows(*whole, whole[0], np.zeros(1, dtype=np.int64), session.close_us - session.open_us)
    length = interval.length_us
    starts = [np.arange(first, last, length) for first, last in session.parts]
    ends = [np.minimum(s + length, last) for s, (_, last) in zip(starts, session.parts, strict=True)]
    counts = np.array([len(s) for s in starts])
    part_start = np.array([first for first, _ in session.parts])
    return Windows(np.concatenate(starts), np.concatenate(ends), part_start, np.cumsum(counts) - counts, length)


def expected_bars(session: TradingSession, base: Interval, windows: Windows) -> Ints:
    """How many bars of ``base`` the calendar expects in each window (a daily window leaves the breaks out)."""
    if base.is_daily:
        return np.ones(len(windows.start), dtype=np.int64)
    slots = session_windows(session, base).start
    return np.diff(np.append(slots.searchsorted(windows.start), len(slots)))


def derive(base: SeriesBlock, interval: Interval, session: TradingSession, *, complete_only: bool) -> SeriesBlock:
    """The bars of ``interval`` made of the ``base`` bars: first open, highest high, lowest low, last close, sum.

    A window without any base bar yields none. With ``complete_only`` a window counts only if every slot of the
    base interval in it is present.
    """
    if not len(base):
        return _empty(base, interval)
    windows = session_windows(session, interval)
    window = windows.of(base.start)
    key = base.owner * len(windows.start) + window
    first = np.flatnonzero(np.concatenate(([True], key[1:] != key[:-1])))
    counts = np.diff(np.append(first, len(key)))
    last = first + counts - 1
    high = np.maximum.reduceat(base.high, first)
    low = np.minimum.reduceat(base.low, first)
    volume: Any = np.bincount(np.repeat(np.arange(len(first)), counts), weights=base.volume)
    if complete_only:
        whole = counts == expected_bars(session, base.interval, windows)[window[first]]
        first, last, counts = first[whole], last[whole], counts[whole]
        high, low, volume = high[whole], low[whole], volume[whole]
    at = window[first]
    owner = base.owner[first]
    per_symbol = np.bincount(owner, minlength=len(base.symbols))
    return SeriesBlock(
        interval, base.symbols, np.concatenate(([0], np.cumsum(per_symbol))), windows.start[at], windows.end[at],
        base.open[first], high, low, base.close[last], volume, counts, owner, is_base=False, public=True,
    )  # fmt: skip


def _empty(base: SeriesBlock, interval: Interval) -> SeriesBlock:
    ints, floats = np.empty(0, dtype=np.int64), np.empty(0, dtype=np.float64)
    return SeriesBlock(
        interval, base.symbols, np.zeros(len(base.symbols) + 1, dtype=np.int64), ints, ints,
        floats, floats, floats, floats, floats, ints, ints, is_base=False, public=True,
    )  # fmt: skip
