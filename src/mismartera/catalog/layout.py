"""How bars lie in the store: the table's columns, its partitions, and its Parquet files.

One Delta table, partitioned by ``interval`` and ``date``. A partition is one file, sorted by symbol and timestamp,
so that the day of an exchange is read at once and the day of one symbol by the statistics of its row groups.
(While a live session adds to it, it is a few such files, and no key is in two of them: see ``append.py``.)
Measured with 500 symbols of 390 bars on two cores: all 9 ms, one symbol 1.5 ms, 3.6 MB (zstd: 17 ms, 1.9 MB;
uncompressed: 4 ms, 8 MB, but slow from a cold disk; larger row groups make the single symbol dear, smaller ones
the day).
"""

from __future__ import annotations

from typing import Literal

import numpy as np
import polars as pl
from msgspec import Struct
from numpy.typing import NDArray

from mismartera.bars.instants import DAY_US

Ints = NDArray[np.int64]

FORMAT = 1
"""Version of this layout; a store of a newer one is refused."""

FORMAT_KEY = "mismartera.format"
GENERATED_KEY = "mismartera.generated"
PARTITION_BY = ("interval", "date")
PRICES = ("open", "high", "low", "close", "volume")
FILE_COLUMNS = ("symbol", "timestamp", *PRICES)
ROW_GROUP_ROWS = 16_384
COMPRESSION: Literal["lz4"] = "lz4"

LATEST_US = 47_482 * DAY_US
"""No bar starts at or after this instant (2100-01-01); what does has its unit confused."""


class DataFile(Struct, frozen=True):
    """One Parquet file of the table, as the log describes it. None where the log has no statistics."""

    path: str
    relative: str
    interval: str
    day: int
    size: int
    rows: int | None = None
    first_us: int | None = None
    last_us: int | None = None
    first_symbol: str | None = None
    last_symbol: str | None = None

    def may_hold(self, symbol: str) -> bool:
        """False if the statistics rule ``symbol`` out."""
        if self.first_symbol is None or self.last_symbol is None:
            return True
        return self.first_symbol <= symbol <= self.last_symbol

    def may_hold_between(self, first: str, last: str) -> bool:
        """False if the statistics rule out every symbol from ``first`` to ``last``, inclusive."""
        if self.first_symbol is None or self.last_symbol is None:
            return True
        return self.first_symbol <= last and self.last_symbol >= first

    def may_overlap(self, start_us: int, end_us: int) -> bool:
        """False if the statistics rule out a bar that starts in ``[start_us, end_us)``."""
        if self.first_us is None or self.last_us is None:
            return True
        return self.first_us < end_us and self.last_us >= start_us


def partition_days(interval: str, start: Ints) -> Ints:
    """For each start the partition's ``date``, in days since the epoch.

    Intraday bars lie by the UTC date of their start. Daily ones lie by year, under its first day: a file a day
    would hold one bar per symbol.
    """
    if interval != "1d":
        return start // DAY_US
    years = start.astype("datetime64[us]").astype("datetime64[Y]")
    return years.astype("datetime64[D]").astype(np.int64)


def first_partition_day(interval: str, start_us: int) -> int:
    """The earliest partition that can hold a bar starting at or after ``start_us``."""
    return int(partition_days(interval, np.array([start_us], dtype=np.int64))[0])


def day_label(day: int) -> str:
    """ISO date of a day since the epoch."""
    return str(np.datetime64(day, "D"))


FILE_SCHEMA = pl.Schema(
    {"symbol": pl.String(), "timestamp": pl.Datetime("us", "UTC"), **dict.fromkeys(PRICES, pl.Float64())}
)
"""Names and types of the columns inside a file (the partition columns are in its path)."""
