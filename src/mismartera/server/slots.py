"""Slots: which bars of a session are due when, by its calendar."""

from __future__ import annotations

from bisect import bisect_right
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from mismartera.bars import parse_interval
from mismartera.session.windows import session_windows
from mismartera.timing import TradingSession

Ints = NDArray[np.int64]


class Slots:
    """The ends of the windows of a session's intervals."""

    def next_end(self, session: TradingSession, interval: str, after_us: int) -> int | None:
        """When the first window that ends after ``after_us`` does; None if none is left."""
        ends = _ends(session, interval)
        at = bisect_right(ends, after_us)
        return ends[at] if at < len(ends) else None

    def expected(self, session: TradingSession, interval: str, until_us: int, edges: Ints) -> Ints:
        """How many windows that have ended by ``until_us`` start between each two of ``edges``."""
        windows = session_windows(session, parse_interval(interval))
        count = int(windows.end.searchsorted(until_us, side="right"))
        return np.diff(windows.start[:count].searchsorted(edges))


@lru_cache(maxsize=64)
def _ends(session: TradingSession, interval: str) -> memoryview:
    return memoryview(session_windows(session, parse_interval(interval)).end)  # type: ignore[arg-type]  # it has a buffer
