"""IncrementalProcessor: derived bars and indicators by instants, bit for bit those of DataProcessor (R7)."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from mismartera.bars import Interval
from mismartera.bars.view import SeriesColumns, freeze
from mismartera.indicators import IndicatorSpec
from mismartera.indicators.running import RunningIndicator
from mismartera.session.derive import expected_bars
from mismartera.session.growing import GrowingBlock
from mismartera.session.series import PRICE_COLUMNS
from mismartera.timing import TradingSession

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
HistoryOf = Callable[[str, Interval], SeriesColumns | None]


@dataclass(frozen=True, slots=True, eq=False)
class Grown:
    """New bars of ``block``: those of its window ``window`` for ``owners``, places among its symbols, sorted.

    ``prices`` has a row for open, high, low, close and volume each; ``counts`` None: one base bar each.
    """

    block: GrowingBlock
    owners: Ints
    window: int
    prices: Floats
    counts: Ints | None
    indicators: Mapping[str, Floats]


class IncrementalProcessor:
    """Takes the base bars of a batch of symbols as they arrive, in the order of time.

    ``streams``: the intervals that are asked for; ``base``: what arrives. ``history`` gives what the indicators
    have seen before this session.
    """

    def __init__(
        self, session: TradingSession, symbols: tuple[str, ...], base: Interval, streams: Sequence[Interval],
        indicators: Sequence[IndicatorSpec] = (), history: HistoryOf = lambda *_: None, *,
        complete_only: bool = False,
    ) -> None:  # fmt: skip
        public = {interval.length_us: interval for interval in streams}
        base = public.get(base.length_us, base)
        self.base = _Series(session, base, symbols, indicators, history, is_base=True, public=base in streams)
        self._derived = [
            _Series(session, interval, symbols, indicators, history, is_base=False, public=True)
            for interval in sorted(public.values())
            if interval != base
        ]
        self._open = _OpenWindows(self._derived, self.base.block, complete_only=complete_only)

    @property
    def blocks(self) -> tuple[GrowingBlock, ...]:
        """The base interval's block first, then the derived ones by length."""
        return (self.base.block, *(series.block for series in self._derived))

    def take(self, window: int, owners: Ints, prices: Floats) -> list[Grown]:
        """The bars of one instant: the base interval's ``window``, for each of ``owners``, which are sorted.

        ``prices``: a row for open, high, low, close and volume each. Returns what is complete now: the base bars,
        and the derived ones whose windows end with them.
        """
        if not len(owners):
            return self._open.ended_with(window)
        base = self.base.append(owners, window, prices, None)
        self._open.add(owners, prices)
        return [base, *self._open.ended_with(window)]

    def end(self, window: int) -> list[Grown]:
        """Nothing more comes for the base interval's ``window``: the derived bars whose windows end with it."""
        return self._open.ended_with(window)


class _Series:
    """One interval's block and the indicators that run along it."""

    def __init__(
        self, session: TradingSession, interval: Interval, symbols: tuple[str, ...],
        indicators: Sequence[IndicatorSpec], history: HistoryOf, *, is_base: bool, public: bool,
    ) -> None:  # fmt: skip
        length = interval.length_us
        specs = [spec for spec in indicators if public and spec.length_us == length]
        names = [name for spec in specs for name in spec.columns]
        self.block = GrowingBlock(session, interval, symbols, names, is_base=is_base, public=public)
        self._running: list[RunningIndicator] = []
        for spec in specs:
            past = [history(symbol, interval) for symbol in symbols]
            self._running.append(RunningIndicator(spec, [_prices_of(series) for series in past], self._so_far))

    def _so_far(self, row: int) -> Sequence[Floats]:
        return [self.block.column(name, row) for name in PRICE_COLUMNS]

    def append(self, owners: Ints, window: int, prices: Floats, counts: Ints | None) -> Grown:
        indicators: dict[str, Floats] = {}
        for indicator in self._running:
            indicators |= indicator.next(owners, prices)
        self.block.append(owners, window, prices, counts, indicators)
        for column in (prices, *indicators.values(), *([] if counts is None else [counts])):
            freeze(column)  # all that slices show are views of these
        return Grown(self.block, owners, window, prices, counts, indicators)


def _prices_of(series: SeriesColumns | None) -> Sequence[Floats] | None:
    return None if series is None else [getattr(series, name) for name in PRICE_COLUMNS]


class _OpenWindows:
    """The derived windows that are being filled: a row for each interval, a column for each symbol."""

    def __init__(self, derived: Sequence[_Series], base: GrowingBlock, *, complete_only: bool) -> None:
        self._derived = derived
        shape = (len(derived), len(base.symbols))
        self._prices, self._count = np.empty((5, *shape)), np.empty(shape, dtype=np.int64)
        self._columns = tuple(self._prices)
        self._is_new = [True] * len(derived)
        self._of_base: list[list[int]] = []
        self._ending: dict[int, list[int]] = {}
        self._expected: list[Ints | None] = []
        for row, series in enumerate(derived):
            windows = series.block.windows
            of_base = windows.of(base.windows.start).tolist()
            self._of_base.append(of_base)
            self._expected.append(expected_bars(base.session, base.interval, windows) if complete_only else None)
            for k, window in enumerate(of_base):
                if window not in of_base[k + 1 : k + 2]:
                    self._ending.setdefault(k, []).append(row)
            self._begin(row)

    def add(self, owners: Ints, prices: Floats) -> None:
        """Base bars of the open windows. The sums of the volumes grow from left to right, from 0."""
        opens, highs, lows, closes, volumes = self._columns
        open_, high, low, close, volume = prices
        if len(owners) < self._count.shape[1]:
            self._add_some(owners, prices)
            return
        if any(self._is_new):
            np.copyto(opens, open_, where=self._count == 0)
            self._is_new = [False] * len(self._is_new)
        np.maximum(highs, high, out=highs)
        np.minimum(lows, low, out=lows)
        closes[:] = close
        volumes += volume
        self._count += 1

    def _add_some(self, owners: Ints, prices: Floats) -> None:
        open_, high, low, close, volume = prices
        opens, highs, lows, closes, volumes = self._columns
        opens[:, owners] = np.where(self._count[:, owners] == 0, open_, opens[:, owners])
        highs[:, owners] = np.maximum(highs[:, owners], high)
        lows[:, owners] = np.minimum(lows[:, owners], low)
        closes[:, owners] = close
        volumes[:, owners] += volume
        self._count[:, owners] += 1

    def ended_with(self, window: int) -> list[Grown]:
        """The bars of the open windows whose last base bar is the base interval's ``window``."""
        grown = []
        for row in self._ending.get(window, ()):
            mine, count, expected = self._of_base[row][window], self._count[row], self._expected[row]
            owners = np.flatnonzero(count if expected is None else count == expected[mine])
            if len(owners):
                prices = self._prices[:, row, owners]
                grown.append(self._derived[row].append(owners, mine, prices, count[owners]))
            self._begin(row)
        return grown

    def _begin(self, row: int) -> None:
        """An empty window."""
        _, highs, lows, _, volumes = self._columns
        highs[row], lows[row], volumes[row], self._count[row] = -np.inf, np.inf, 0.0, 0
        self._is_new[row] = True
