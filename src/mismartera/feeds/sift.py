"""Which bars of a feed may pass: asked for, valid, finished. What does not is counted, by rule and symbol."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence

import numpy as np
from msgspec import Struct
from numpy.typing import NDArray

from mismartera.bars.instants import SECOND_US, to_datetime
from mismartera.bars.interval import Interval
from mismartera.bars.validation import RULES, broken_rule, grid_us
from mismartera.feeds.port import FEW_BARS, NO_START, BarsArrived, Floats, Ints, Rejected

PRICE_MAX, VOLUME_MAX = 1e12, 1e18
"""More is no market's: a price of 1e308 is finite, and still breaks every sum that it enters."""


_FEW_ROWS = [np.arange(size) for size in range(FEW_BARS + 1)]


class RawBars(Struct, frozen=True, eq=False):
    """Bars as they were decoded. ``values`` has a row for open, high, low, close, volume and the number of trades
    (negative where the vendor gives none) each, and a column per bar.

    ``bad_rows`` are bars whose start cannot be read, with what is wrong with them.
    """

    symbols: Sequence[str]
    start_us: Ints
    values: Floats
    bad_rows: dict[int, tuple[str, str]] = {}

    def __len__(self) -> int:
        return len(self.symbols)

    @property
    def prices(self) -> Floats:
        """A row for open, high, low, close and volume each."""
        return self.values[:5]

    @property
    def trades(self) -> Floats:
        """The number of trades of each, negative where the vendor gives none."""
        row: Floats = self.values[5]
        return row

    def arrived(self, rows: NDArray[np.intp], interval: str, arrived_us: int, *, corrections: bool) -> BarsArrived:
        """The message of those at ``rows``, in order."""
        if len(rows) == len(self.symbols):
            prices = self.values[:5]
            return BarsArrived(interval, tuple(self.symbols), self.start_us, prices, corrections, arrived_us)
        symbols = tuple(self.symbols[row] for row in rows.tolist())
        return BarsArrived(interval, symbols, self.start_us[rows], self.prices[:, rows], corrections, arrived_us)


def sift(
    bars: RawBars, interval: Interval, latest_end_us: int, wanted: Collection[str] | None = None
) -> tuple[NDArray[np.intp], list[Rejected]]:
    """The rows that may pass, and what is wrong with the others, one rule each.

    A bar that ends after ``latest_end_us`` is ``from_the_future``. ``wanted``: the symbols that were asked for
    (None: all).
    """
    size = len(bars.symbols)
    if size <= FEW_BARS and (not size or _all_pass(bars, interval, latest_end_us, wanted)):
        return _FEW_ROWS[size], []
    reasons: dict[int, tuple[str, str]] = {}
    if wanted is not None:
        strangers = [row for row, symbol in enumerate(bars.symbols) if symbol not in wanted]
        reasons.update((row, ("not_subscribed", "a bar that was not asked for")) for row in strangers)
    for row, reason in bars.bad_rows.items():
        reasons.setdefault(row, reason)
    _find_broken(bars, interval, reasons)
    too_new = bars.start_us > latest_end_us - interval.length_us
    for row in np.flatnonzero(too_new).tolist():
        reasons.setdefault(row, ("from_the_future", _ahead(bars, row, interval, latest_end_us)))
    if not reasons:
        return np.arange(len(bars)), []
    keep = np.ones(len(bars), np.bool_)
    keep[list(reasons)] = False
    return np.flatnonzero(keep), _grouped(bars, reasons)


def _all_pass(bars: RawBars, interval: Interval, latest_end_us: int, wanted: Collection[str] | None) -> bool:
    """True if nothing is wrong with any of a few bars: the same rules as below, asked one by one."""
    grid, latest_us = grid_us(interval), latest_end_us - interval.length_us
    if bars.bad_rows:
        return False
    for symbol, start, open_, high, low, close, volume, trades in zip(
        bars.symbols, bars.start_us.tolist(), *bars.values.tolist(), strict=True
    ):
        if not (wanted is None or symbol in wanted) or start > latest_us or start % grid:
            return False
        if not (0.0 < low <= open_ <= high <= PRICE_MAX and low <= close <= high):
            return False
        if not 0.0 <= volume <= VOLUME_MAX or (trades == 0 and volume > 0):
            return False
    return True


def _find_broken(bars: RawBars, interval: Interval, reasons: dict[int, tuple[str, str]]) -> None:
    broken = broken_rule(interval, bars.start_us, *bars.prices)
    for row in np.flatnonzero(broken >= 0).tolist():
        reasons.setdefault(row, (RULES[broken[row]], _shown(bars, row)))
    # A rule of the bars comes first, so that NaN (which compares as False) never gets here.
    _, high, _, _, volume, trades = bars.values
    huge = (high > PRICE_MAX) | (volume > VOLUME_MAX)
    for row in np.flatnonzero(huge).tolist():
        reasons.setdefault(row, ("implausible_value", _shown(bars, row)))
    ghost = (trades == 0) & (volume > 0)
    for row in np.flatnonzero(ghost).tolist():
        reasons.setdefault(row, ("volume_without_trades", _shown(bars, row)))


def _shown(bars: RawBars, row: int) -> str:
    start, values = int(bars.start_us[row]), bars.prices[:, row].tolist()
    names = ("open", "high", "low", "close", "volume")
    shown = ", ".join(f"{name} {value:.10g}" for name, value in zip(names, values, strict=True))
    return f"{bars.symbols[row]} {to_datetime(start).isoformat()}: {shown}"


def _ahead(bars: RawBars, row: int, interval: Interval, latest_end_us: int) -> str:
    seconds = (int(bars.start_us[row]) + interval.length_us - latest_end_us) / SECOND_US
    return (
        f"{_shown(bars, row)}: ends {seconds:.0f} s after now; is the clock right, and the label the bar's start?"
    )


def _grouped(bars: RawBars, reasons: dict[int, tuple[str, str]]) -> list[Rejected]:
    groups: dict[str, list[int]] = {}
    for row in sorted(reasons):
        groups.setdefault(reasons[row][0], []).append(row)
    return [
        Rejected(
            name,
            len(rows),
            reasons[rows[0]][1],
            tuple(bars.symbols[row] for row in rows),
            tuple(NO_START if row in bars.bad_rows else int(bars.start_us[row]) for row in rows),
        )
        for name, rows in groups.items()
    ]


def merged(rejected: Iterable[Rejected]) -> list[Rejected]:
    """One message per rule, with the first detail of each: a burst of nonsense does not fill the stream."""
    groups: dict[str, list[Rejected]] = {}
    for one in rejected:
        groups.setdefault(one.reason, []).append(one)
    return [
        Rejected(reason, sum(one.count for one in group), group[0].detail, _symbols_of(group), _starts_of(group))
        for reason, group in groups.items()
    ]


def _symbols_of(group: Iterable[Rejected]) -> tuple[str, ...]:
    return tuple(symbol for one in group for symbol in one.symbols)


def _starts_of(group: Sequence[Rejected]) -> tuple[int, ...]:
    if not any(one.starts_us for one in group):
        return ()
    return tuple(us for one in group for us in one.starts_us or (NO_START,) * len(one.symbols))
