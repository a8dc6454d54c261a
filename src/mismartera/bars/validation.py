"""The rules of a valid bar (R1), over whole columns. One list of rules for imports, writes and sessions."""

from __future__ import annotations

from functools import cache
from math import gcd

import numpy as np
from numpy.typing import NDArray

from mismartera.bars.instants import MINUTE_US
from mismartera.bars.interval import Interval

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
Mask = NDArray[np.bool_]

RULES = ("not_finite", "price_not_positive", "high_low_order", "negative_volume", "off_grid")
"""Names of the rules, in the order in which a broken bar is charged: one bar counts under one rule."""


@cache
def grid_us(interval: Interval) -> int:
    """The grid on which a stored bar of ``interval`` must start, in microseconds of UTC.

    A store knows no calendar, but every exchange opens on a quarter of an hour; so a bar longer than that
    starts on a multiple of what its length and a quarter of an hour share. A daily bar starts on a minute.
    """
    if interval.is_daily:
        return MINUTE_US
    return gcd(interval.length_us, 15 * MINUTE_US)


def broken_rule(
    interval: Interval, start: Ints, open_: Floats, high: Floats, low: Floats, close: Floats, volume: Floats
) -> NDArray[np.int8]:
    """For each bar the index in ``RULES`` of the first rule that it breaks, -1 if it is valid.

    All columns have one length; ``start`` in microseconds since the epoch. A NaN breaks ``not_finite``.
    """
    broken = np.full(start.shape, -1, dtype=np.int8)
    good = is_valid(interval, start, open_, high, low, close, volume)
    if good.all():
        return broken
    at = np.flatnonzero(~good)
    s, o, h, lo, c, v = (column[at] for column in (start, open_, high, low, close, volume))
    finite = np.isfinite(o) & np.isfinite(h) & np.isfinite(lo) & np.isfinite(c) & np.isfinite(v)
    ordered = (lo <= o) & (o <= h) & (lo <= c) & (c <= h)
    positive = (o > 0) & (h > 0) & (lo > 0) & (c > 0)
    broken[at] = np.select([~finite, ~positive, ~ordered, v < 0, s % grid_us(interval) != 0], [0, 1, 2, 3, 4], -1)
    return broken


def is_valid(
    interval: Interval, start: Ints, open_: Floats, high: Floats, low: Floats, close: Floats, volume: Floats
) -> Mask:
    """True where a bar keeps every rule. Comparisons with NaN are False, so no separate test is needed."""
    good = has_valid_prices(open_, high, low, close, volume)
    good &= is_on_grid(interval, start)
    return good


def has_valid_prices(open_: Floats, high: Floats, low: Floats, close: Floats, volume: Floats) -> Mask:
    """True where a bar keeps every rule but the grid's."""
    good: Mask = low > 0
    good &= low <= open_
    good &= open_ <= high
    good &= low <= close
    good &= close <= high
    good &= high < np.inf
    good &= volume >= 0
    good &= volume < np.inf
    return good


def is_on_grid(interval: Interval, start: Ints) -> Mask:
    """True for the starts on the grid of ``interval``."""
    on_grid: Mask = start % grid_us(interval) == 0
    return on_grid
