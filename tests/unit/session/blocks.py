"""Blocks of raw rows for the tests of the door and of what stands behind it."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date

import numpy as np

from mismartera.bars import BarBlock, parse_interval
from mismartera.bars.instants import MINUTE_US
from mismartera.session.door import Admitted, admit, territory
from mismartera.timing import TimeManager, TradingSession

NEW_YORK, HONG_KONG = TimeManager("XNYS"), TimeManager("XHKG")
SUMMER, HALF = date(2024, 7, 2), date(2024, 7, 3)


def session_of(time: TimeManager, day: date = SUMMER) -> TradingSession:
    return time.get_trading_session(day)


def raw(**starts: Sequence[int]) -> BarBlock:
    """A block with a row per start, symbol by symbol; row n has prices around 100 + n and a volume of n / 7."""
    counts = [len(rows) for rows in starts.values()]
    start = np.array([us for rows in starts.values() for us in rows], dtype=np.int64)
    row = np.arange(len(start), dtype=np.float64)
    return BarBlock(
        tuple(starts), np.cumsum([0, *counts]), start, 100 + row, 102 + row, 99 + row, 101 + row, row / 7
    )


def let_in(block: BarBlock, time: TimeManager = NEW_YORK, day: date = SUMMER, base: str = "1m") -> Admitted:
    """What the door of that day's session lets in of ``block``."""
    session = session_of(time, day)
    return admit(block, parse_interval(base), territory(time, session), public=True, label=base)


def minutes(session: TradingSession, *numbers: int) -> list[int]:
    """The starts of minutes after the open."""
    return [session.open_us + number * MINUTE_US for number in numbers]
