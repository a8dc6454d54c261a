"""Which interval rows have whose interval nobody has told: by their spacing, and only if that leaves no doubt."""

from __future__ import annotations

import numpy as np
import polars as pl
from numpy.typing import NDArray

from mismartera.bars import parse_interval
from mismartera.bars.instants import DAY_US, HOUR_US, MINUTE_US, SECOND_US
from mismartera.bars.interval import Interval
from mismartera.bars.validation import grid_us, is_on_grid
from mismartera.catalog.layout import LATEST_US
from mismartera.errors import DataError

CHANCE_MAX = 1 / 1000
"""Rows of a shorter interval, most of which are missing, may be spaced so by a chance of so much, at most."""

_GIVE = "give --interval, for example --interval 1m"
_DAILY_GAPS_MIN = 3

Ints = NDArray[np.int64]


def interval_of_spacing(symbols: pl.Series, us: pl.Series, zone: str) -> Interval:
    """The commonest distance between rows of a symbol, if it is also the smallest, all rows are on its grid, and
    there are enough of them; DataError otherwise. ``zone`` is the one in which days may begin, besides UTC.

    A symbol that trades seldom leaves a few bars at any distance, so that a few rows tell nothing. Shorter bars
    (minutes; of a minute, seconds) lie on the grid by chance once in grid / shorter, each of them.
    """
    times, gaps = _times_and_gaps(symbols, us)
    if not len(gaps):
        raise DataError(f"its interval is not known and one row tells none: {_GIVE}")
    sizes, counts = np.unique(gaps, return_counts=True)
    common, smallest = int(sizes[counts.argmax()]), int(sizes[0])
    if common % DAY_US == 0:
        if smallest >= DAY_US - HOUR_US and common <= 4 * DAY_US and _is_daily(times, gaps, zone):
            return parse_interval("1d")
    elif common == smallest and _is_usual(common):
        interval = parse_interval(f"{common // SECOND_US}s")
        if is_on_grid(interval, times).all() and _is_beyond_chance(interval, len(gaps)):
            return interval
    raise DataError(
        f"its interval is not clear: its {len(times):,} rows are {common / 1e6:g} s apart mostly, "
        f"{smallest / 1e6:g} s at least, which bars of several intervals may be; {_GIVE}"
    )


def _times_and_gaps(symbols: pl.Series, us: pl.Series) -> tuple[Ints, Ints]:
    """The times that can be meant, each once a symbol, and the distances of those of a symbol."""
    rows = pl.DataFrame({"symbol": symbols, "us": us}).filter(pl.col("us").is_between(0, LATEST_US))
    ordered = rows.unique().sort("symbol", "us")
    times, owner = ordered["us"].to_numpy(), ordered["symbol"].rle_id().to_numpy()
    return times, np.diff(times)[owner[1:] == owner[:-1]]


def _is_usual(length_us: int) -> bool:
    """A length that people use: whole seconds that divide the hour, or whole hours that divide the day."""
    return length_us % SECOND_US == 0 and (HOUR_US if length_us <= HOUR_US else DAY_US) % length_us == 0


def _is_beyond_chance(interval: Interval, gaps: int) -> bool:
    shorter = MINUTE_US if interval.length_us > MINUTE_US else SECOND_US
    if interval.length_us == shorter:
        return True
    return float(shorter / grid_us(interval)) ** gaps <= CHANCE_MAX


def _is_daily(times: Ints, gaps: Ints, zone: str) -> bool:
    """Midnights, or some rows at one time of the day (which the change of the clock may move by an hour)."""
    local = pl.Series(times).cast(pl.Datetime("us")).dt.replace_time_zone("UTC").dt.convert_time_zone(zone)
    wall = local.dt.replace_time_zone(None).to_physical().to_numpy()
    if (times % DAY_US == 0).all() or (wall % DAY_US == 0).all():
        return True
    beside = np.minimum(gaps % DAY_US, -gaps % DAY_US)
    return len(gaps) >= _DAILY_GAPS_MIN and bool(np.isin(beside, [0, HOUR_US]).all())
