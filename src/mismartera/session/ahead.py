"""ReadAhead: several days in one read, where there are so few symbols that the read itself is the cost."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import pairwise
from typing import Any

import numpy as np

from mismartera.bars import BarBlock, parse_interval
from mismartera.bars.instants import DAY_US, SECOND_US
from mismartera.session.ports import BarSource

ROWS_WANTED = 60_000
"""About so many rows make a read worth its fixed cost (measured: a read costs as much as 50,000 rows of it)."""
SECONDS_PER_DAY = 24_000
"""About the length of a session."""
DAYS_MAX = 30
WINDOWS_KEPT = 8


class ReadAhead:
    """A BarSource that reads ``source`` a few days at a time and cuts the days out of what it has.

    ``until_us``: nothing that starts at or after it is ever asked for. ``days`` fixes how many days are read at
    once (0: as many as the number of symbols suggests).
    """

    def __init__(self, source: BarSource, until_us: int, days: int = 0) -> None:
        self._source = source
        self._until_us = until_us
        self._days = days
        self._windows: dict[tuple[str, tuple[str, ...]], tuple[int, int, BarBlock]] = {}

    @property
    def version(self) -> int:
        """The version of the data that the source reads."""
        return self._source.version

    def known_intervals(self, symbols: Sequence[str]) -> Mapping[str, frozenset[str]]:
        """The source's own answer."""
        return self._source.known_intervals(symbols)

    def damage_to(self, symbol: str) -> str | None:
        """The source's own answer."""
        return self._source.damage_to(symbol)

    def read_block(self, interval: str, start_us: int, end_us: int, symbols: Sequence[str]) -> BarBlock:
        """The same rows as the source's."""
        rows_per_day = max(1, SECONDS_PER_DAY * SECOND_US // parse_interval(interval).length_us)
        days = self._days or min(DAYS_MAX, ROWS_WANTED // (rows_per_day * max(1, len(symbols))))
        if days <= 1:
            return self._source.read_block(interval, start_us, end_us, symbols)
        key = (interval, tuple(symbols))
        first_us, last_us, block = self._windows.get(key, (0, 0, None))
        if block is None or not first_us <= start_us <= end_us <= last_us:
            last_us = max(end_us, min(start_us + days * DAY_US, self._until_us))
            block = self._source.read_block(interval, start_us, last_us, symbols)
            self._windows.pop(key, None)
            self._windows[key] = (start_us, last_us, block)
            if len(self._windows) > WINDOWS_KEPT:
                del self._windows[next(iter(self._windows))]
        return _between(block, start_us, end_us)


def _between(block: BarBlock, start_us: int, end_us: int) -> BarBlock:
    """The rows of ``block`` that start in ``[start_us, end_us)``: views where there is one symbol, else copies."""
    offsets = block.offsets.tolist()
    bounds = [
        (first + int(part.searchsorted(start_us)), first + int(part.searchsorted(end_us)))
        for first, last in pairwise(offsets)
        for part in (block.start[first:last],)
    ]
    if len(bounds) == 1:
        rows: Any = slice(*bounds[0])
    else:
        rows = np.concatenate([np.arange(first, last) for first, last in bounds])
    counts = [last - first for first, last in bounds]
    return BarBlock(
        block.symbols,
        np.concatenate(([0], np.cumsum(counts))),
        block.start[rows],
        *(column[rows] for column in block.columns),
    )
