"""Derived bars (R7): one pass of NumPy over all symbols of a batch.

Chunk-invariant: a window's values depend on its own base bars alone. Volume is added from left to right in bar
order, starting at 0.0, as ``np.bincount`` does (a plain loop in C); pairwise sums depend on the chunk's size.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mismartera.bars import Interval
from mismartera.session.series import SeriesBlock
from mismartera.session.windows import Index, Windows, session_windows
from mismartera.timing import TradingSession

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
_STEPS_MAX = 64
"""Up to so many bars in a window all windows are added up together, bar by bar (measured)."""


def expected_bars(session: TradingSession, base: Interval, windows: Windows) -> Ints:
    """How many bars of ``base`` the calendar expects in each window (a daily window leaves the breaks out)."""
    if base.is_daily:
        return np.ones(len(windows.start), dtype=np.int64)
    slots = session_windows(session, base).start
    return np.diff(np.append(slots.searchsorted(windows.start), len(slots)))


def derive(base: SeriesBlock, intervals: Sequence[Interval], *, complete_only: bool) -> list[SeriesBlock]:
    """The bars of each of ``intervals`` (shortest first) made of the ``base`` bars: first open, highest high,
    lowest low, last close, sum of the volumes.

    A window without any base bar yields none. With ``complete_only`` a window counts only if every slot of the
    base interval in it is present.
    """
    made = [base]
    for interval in intervals:
        finer = next(block for block in reversed(made) if interval.derives_from(block.interval))
        made.append(_derived(base, finer, interval))
    return [complete(block, base.interval) if complete_only else block for block in made[1:]]


def _derived(base: SeriesBlock, finer: SeriesBlock, interval: Interval) -> SeriesBlock:
    """Prices come from the ``finer`` bars, which hold all that the ``base`` bars do; only sums need each of
    those.
    """
    window = _windows_of(finer, interval)
    first = _firsts(window, finer.offsets)
    last = np.append(first, len(window))[1:] - 1
    if finer is base:
        counts, base_rows = last - first + 1, first
    else:
        base_rows = _firsts(_windows_of(base, interval), base.offsets)
        counts = np.diff(np.append(base_rows, len(base)))
    none = np.empty(0, dtype=np.float64)
    at, owner = window[first], finer.owner[first]
    offsets = first.searchsorted(finer.offsets)
    return SeriesBlock(
        base.session, interval, base.symbols, offsets, at, finer.open[first],
        np.maximum.reduceat(finer.high, first) if len(first) else none,
        np.minimum.reduceat(finer.low, first) if len(first) else none,
        finer.close[last], _sums(base.volume, base_rows, counts), counts, owner, is_base=False, public=True,
    )  # fmt: skip


def _windows_of(block: SeriesBlock, interval: Interval) -> Index:
    """Which window of ``interval`` holds each row of ``block``."""
    if len(block.session.parts) == 1 and not interval.is_daily:
        ratio = interval.length_us // block.interval.length_us
        shorter: Index = block.window // block.window.dtype.type(min(ratio, np.iinfo(block.window.dtype).max))
        return shorter
    found: Index = session_windows(block.session, interval).of(block.windows.start)[block.window]
    return found


def _sums(column: Floats, first: Ints, counts: Ints) -> Floats:
    """The sums of ``counts[k]`` rows from ``first[k]`` on, added from left to right, starting at 0."""
    longest = int(counts.max(initial=0))
    if longest > _STEPS_MAX:
        sums: Any = np.bincount(np.repeat(np.arange(len(counts)), counts), weights=column)
        return np.asarray(sums, dtype=np.float64)
    total: Floats = 0.0 + column[first]
    for step in range(1, longest):
        longer = counts > step
        if longer.all():
            total += column[first + step]
        else:
            total[longer] += column[first[longer] + step]
    return total


def _firsts(window: Index, offsets: Ints) -> Ints:
    """Where a new window begins, row by row, or a new symbol."""
    begins = np.empty(len(window), dtype=np.bool_)
    np.not_equal(window[1:], window[:-1], out=begins[1:])
    begins[offsets[:-1][np.diff(offsets) > 0]] = True
    return np.flatnonzero(begins)


def complete(block: SeriesBlock, base: Interval) -> SeriesBlock:
    """The rows of ``block`` that have every base bar that the calendar expects in them."""
    whole = block.bar_count == expected_bars(block.session, base, block.windows)[block.window]
    every = np.ones(len(block.symbols), dtype=np.bool_)
    return block if whole.all() else block.select(block.symbols, every, whole)
