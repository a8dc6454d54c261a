"""TradingSession: when an exchange is open on one of its days."""

from __future__ import annotations

from datetime import date, datetime
from itertools import pairwise
from zoneinfo import ZoneInfo

from msgspec import Struct

from mismartera.bars.instants import to_datetime


class TradingSession(Struct, frozen=True):
    """One session: ``[open_us, close_us)`` in microseconds since the epoch (UTC), less its breaks.

    ``parts`` are the continuous parts between the breaks, in order, each ``[start, end)``; without a break there
    is one, from open to close. ``date`` is the exchange's name for the session (one that opens in the evening
    belongs to the next day). ``is_half_day``: the calendar closes early that day; with hours of one's own this is
    still what the calendar says, while open, close and parts are one's own.
    """

    date: date
    open_us: int
    close_us: int
    parts: tuple[tuple[int, int], ...]
    zone: ZoneInfo
    is_half_day: bool = False

    def __post_init__(self) -> None:
        edges = [edge for part in self.parts for edge in part]
        assert edges and edges[0] == self.open_us and edges[-1] == self.close_us, "parts run from open to close"
        assert all(a < b for a, b in pairwise(edges)), "parts are in order, none is empty"

    @property
    def open(self) -> datetime:
        """The first moment of the session, in the exchange's zone."""
        return to_datetime(self.open_us, self.zone)

    @property
    def close(self) -> datetime:
        """The end of the session (exclusive), in the exchange's zone."""
        return to_datetime(self.close_us, self.zone)

    @property
    def breaks(self) -> tuple[tuple[datetime, datetime], ...]:
        """The breaks, each ``[start, end)``, in the exchange's zone."""
        return tuple(
            (to_datetime(before[1], self.zone), to_datetime(after[0], self.zone))
            for before, after in pairwise(self.parts)
        )

    def contains(self, us: int) -> bool:
        """True if the exchange is open at ``us``: not before the open, before the close, not in a break."""
        return any(start <= us < end for start, end in self.parts)
