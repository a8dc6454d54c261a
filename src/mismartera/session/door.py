"""The door of a session: which stored rows belong to it, and what becomes of each (R1, R3).

Every row is received once and ends in one of four ways: accepted, duplicate, out of hours, rejected. The counts
therefore balance by construction.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, date, datetime, timedelta, tzinfo

import numpy as np
from msgspec import Struct
from numpy.typing import NDArray

from mismartera.bars import BarBlock, Interval
from mismartera.bars.instants import DAY_US, to_us
from mismartera.bars.validation import grid_us, has_valid_prices, is_on_grid
from mismartera.errors import CalendarError
from mismartera.session.series import SeriesBlock
from mismartera.session.windows import Index, Windows, session_windows
from mismartera.timing import TimeManager, TradingSession

Ints = NDArray[np.int64]
Fates = NDArray[np.int8]

_ROWS_AT_ONCE = 32_768

ACCEPTED, DUPLICATE, OUT_OF_HOURS, REJECTED = range(4)
FATES = ("accepted", "duplicate", "out_of_hours", "rejected")
COUNTS = ("received", *FATES, "revised", "late")


class Territory(Struct, frozen=True, eq=False):
    """The stretch of time whose stored bars belong to one session: its hours, and else its local date.

    ``first_us`` and ``last_us`` bound the local date and the hours; the stretches in ``foreign`` belong to the
    sessions before and after it.
    """

    session: TradingSession
    first_us: int
    last_us: int
    foreign: tuple[tuple[int, int], ...]

    def holds(self, start: Ints) -> NDArray[np.bool_]:
        """True for the starts that belong to this session."""
        mine: NDArray[np.bool_] = (start >= self.first_us) & (start < self.last_us)
        for first, last in self.foreign:
            mine &= (start < first) | (start >= last)
        return mine

    @property
    def daily_range(self) -> tuple[int, int]:
        """Where daily bars of this date may be labelled: on the local date, in the hours, or at midnight UTC."""
        utc_midnight = _midnight_us(self.session.date, UTC)
        return min(self.first_us, utc_midnight), max(self.last_us, utc_midnight + 1)

    def dated(self, start: Ints) -> NDArray[np.bool_]:
        """True for the starts of daily bars of this date: midnight UTC names the UTC date, else the rule above."""
        utc_midnight = _midnight_us(self.session.date, UTC)
        return np.where(start % DAY_US == 0, start == utc_midnight, self.holds(start))


def territory(time: TimeManager, session: TradingSession) -> Territory:
    """What belongs to ``session``."""
    midnight = _midnight_us(session.date, session.zone)
    next_midnight = _midnight_us(session.date + timedelta(days=1), session.zone)
    first, last = min(midnight, session.open_us), max(next_midnight, session.close_us)
    around = (_neighbour(time, session, -1), _neighbour(time, session, 1))
    foreign = tuple((n.open_us, n.close_us) for n in around if n and n.open_us < last and n.close_us > first)
    return Territory(session, first, last, foreign)


def _midnight_us(date: date, zone: tzinfo) -> int:
    return to_us(datetime(date.year, date.month, date.day, tzinfo=zone))


def _neighbour(time: TimeManager, session: TradingSession, step: int) -> TradingSession | None:
    find = time.next_trading_date if step > 0 else time.previous_trading_date
    try:
        return time.get_trading_session(find(session.date))
    except CalendarError:  # the calendar begins or ends here
        return None


class Admitted(Struct, frozen=True, eq=False):
    """What came through the door: the accepted bars, and the start and fate of every received row."""

    block: SeriesBlock
    received_offsets: Ints
    received_start: Ints
    fates: Fates

    @property
    def has_bars(self) -> NDArray[np.bool_]:
        """For each symbol: was any bar accepted?"""
        return np.diff(self.block.offsets) > 0

    def take(self, symbols: Sequence[str]) -> Admitted:
        """Only ``symbols`` (some of the block's, in its order)."""
        block = self.block
        if len(symbols) == len(block.symbols):
            return self
        chosen = np.isin(np.array(block.symbols, dtype=object), np.array(symbols, dtype=object))
        kept = np.repeat(chosen, np.diff(block.offsets))
        received = np.repeat(chosen, np.diff(self.received_offsets))
        return Admitted(
            block.select(tuple(symbols), chosen, kept),
            _offsets(np.diff(self.received_offsets)[chosen]),
            self.received_start[received],
            self.fates[received],
        )

    def all_counts(self) -> list[dict[str, int]]:
        """R1's counts of every symbol over all its rows."""
        received = np.diff(self.received_offsets)
        columns = [received, np.diff(self.block.offsets)]
        for fate in (DUPLICATE, OUT_OF_HOURS, REJECTED):  # mostly there are none: their owners are looked up
            owner = self.received_offsets.searchsorted(np.flatnonzero(self.fates == fate), side="right") - 1
            columns.append(np.bincount(owner, minlength=len(received)))
        rows = zip(*(column.tolist() for column in columns), strict=True)
        return [dict(zip(COUNTS, (*row, 0, 0), strict=True)) for row in rows]

    def counts(self, k: int, until_us: int | None = None) -> dict[str, int]:
        """R1's counts of symbol ``k`` over the rows that have ended by ``until_us`` (None: all)."""
        rows = slice(int(self.received_offsets[k]), int(self.received_offsets[k + 1]))
        fates = self.fates[rows]
        if until_us is not None:
            interval, session = self.block.interval, self.block.session
            end = session.close_us if interval.is_daily else self.received_start[rows] + interval.length_us
            fates = fates[np.broadcast_to(end <= until_us, fates.shape)]
        by_fate = np.bincount(fates, minlength=len(FATES)).tolist()
        return dict(zip(COUNTS, (len(fates), *by_fate, 0, 0), strict=True))


def admit(raw: BarBlock, base: Interval, where: Territory, *, public: bool, label: str) -> Admitted:
    """Sort out the rows of ``raw`` that belong to the session; see the module's docstring."""
    session, interval = where.session, Interval(base.length_us, label)
    raw = raw.keep(where.dated(raw.start) if base.is_daily else where.holds(raw.start))
    start = np.full(len(raw), session.open_us) if base.is_daily else raw.start
    fates = np.zeros(len(raw), dtype=np.int8)
    window, inside, valid = _judged(raw, base, start, session)
    if not inside.all():
        fates[~inside] = OUT_OF_HOURS
    if _may_repeat(start):
        fates[_repeated(raw, start, valid)] = DUPLICATE
    if not valid.all():
        fates[~valid] = REJECTED
    accepted = fates == ACCEPTED
    kept = raw.keep(accepted)
    if len(kept) != len(raw):
        window = window[accepted]
    block = SeriesBlock(
        session, interval, raw.symbols, kept.offsets, window, *kept.columns,
        np.broadcast_to(np.int64(1), len(kept)), kept.row_symbols(), is_base=True, public=public,
    )  # fmt: skip
    return Admitted(block, raw.offsets, start, fates)


def _judged(
    raw: BarBlock, base: Interval, start: Ints, session: TradingSession
) -> tuple[Index, NDArray[np.bool_], NDArray[np.bool_]]:
    """The rows' windows, and whether each lies in the session and is valid.

    Some ten thousand rows at a time, so that what is made in between stays in the cache.
    """
    windows = session_windows(session, base)
    window = np.empty(len(raw), dtype=windows.of(start[:0]).dtype)
    inside, valid = np.empty(len(raw), dtype=np.bool_), np.empty(len(raw), dtype=np.bool_)
    for first in range(0, len(raw), _ROWS_AT_ONCE):
        rows = slice(first, first + _ROWS_AT_ONCE)
        starts = start[rows]
        within = inside[rows] = (
            np.ones(len(starts), dtype=np.bool_) if base.is_daily else _inside(session, starts, base.length_us)
        )
        window[rows] = windows.of(starts if within.all() else np.where(within, starts, session.open_us))
        valid[rows] = has_valid_prices(*(column[rows] for column in raw.columns))
        valid[rows] &= _on_grid(base, raw.start[rows], windows, window[rows], within)
    return window, inside, valid


def _inside(session: TradingSession, start: Ints, length_us: int) -> NDArray[np.bool_]:
    """True for the bars that lie in a continuous part of the session as a whole."""
    inside = np.zeros(len(start), dtype=np.bool_)
    for first, last in session.parts:
        # What lies before the part is a huge number without its sign: one comparison for both ends.
        inside |= (start - first).view(np.uint64) <= np.uint64(max(0, last - first - length_us))
    return inside


def _on_grid(
    base: Interval, start: Ints, windows: Windows, window: Index, inside: NDArray[np.bool_]
) -> NDArray[np.bool_]:
    """:func:`is_on_grid`, without divisions where the windows, which lie on the grid, tell."""
    if base.is_daily or (windows.part_start % grid_us(base)).any():
        return is_on_grid(base, start)
    on_grid: NDArray[np.bool_] = windows.start[window] == start
    if not inside.all():
        on_grid[~inside] = is_on_grid(base, start[~inside])
    return on_grid


def _may_repeat(start: Ints) -> bool:
    """False if no row has the start of the one before it: then none is there twice."""
    return bool((start[1:] == start[:-1]).any())


def _offsets(counts: Ints) -> Ints:
    return np.concatenate(([0], np.cumsum(counts)))


def _repeated(raw: BarBlock, start: Ints, valid: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """True for the valid rows whose symbol and start an earlier valid row has: a table of ours has none."""
    owner = raw.row_symbols()
    repeated = np.zeros(len(raw), dtype=np.bool_)
    repeated[1:] = (start[1:] == start[:-1]) & (owner[1:] == owner[:-1])
    if repeated.any():
        group = np.cumsum(~repeated)
        at = np.flatnonzero(valid)
        firsts = at[np.unique(group[at], return_index=True)[1]]
        repeated = valid.copy()
        repeated[firsts] = False
    return repeated
