"""IncrementalProcessor: derived bars and indicators by instants, bit for bit those of DataProcessor (R7)."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mismartera.bars import Interval
from mismartera.bars.view import SeriesColumns
from mismartera.indicators import IndicatorSpec
from mismartera.indicators.running import RunningIndicator
from mismartera.session.derive import expected_bars
from mismartera.session.growing import GrowingBlock
from mismartera.session.series import PRICE_COLUMNS
from mismartera.timing import TradingSession

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
HistoryOf = Callable[[str, Interval], SeriesColumns | None]
Grown = tuple[GrowingBlock, Ints, int, Mapping[str, NDArray[Any]]]
"""A block, those of its symbols that have a new bar, the bar's window, and its columns."""


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
        self._windows: list[_OpenWindows] = []
        for interval in sorted(public.values()):
            if interval != base:
                series = _Series(session, interval, symbols, indicators, history, is_base=False, public=True)
                self._windows.append(_OpenWindows(series, self.base.block, complete_only=complete_only))

    @property
    def blocks(self) -> tuple[GrowingBlock, ...]:
        """The base interval's block first, then the derived ones by length."""
        return (self.base.block, *(windows.series.block for windows in self._windows))

    def take(self, window: int, owners: Ints, prices: Sequence[Floats]) -> list[Grown]:
        """The bars of one instant: the base interval's ``window``, for each of ``owners``, which are sorted.

        ``prices``: open, high, low, close, volume. Returns what is complete now: the base bars, and the derived
        ones whose windows end with them.
        """
        counts = np.ones(len(owners), dtype=np.int64)
        grown = [self.base.append(owners, window, prices, counts)]
        for windows in self._windows:
            windows.add(window, owners, prices)
            grown += windows.ended_with(window)
        return grown

    def end(self, window: int) -> list[Grown]:
        """Nothing more comes for the base interval's ``window``: the derived bars whose windows end with it."""
        return [grown for windows in self._windows for grown in windows.ended_with(window)]


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
            self._running.append(RunningIndicator(spec, [_prices_of(series) for series in past]))

    def append(self, owners: Ints, window: int, prices: Sequence[Floats], counts: Ints) -> Grown:
        columns: dict[str, NDArray[Any]] = dict(zip(PRICE_COLUMNS, prices, strict=True))
        for indicator in self._running:
            columns |= indicator.next(owners, prices)
        columns["bar_count"] = counts
        self.block.append(owners, window, columns)
        return self.block, owners, window, columns


def _prices_of(series: SeriesColumns | None) -> tuple[Floats, ...] | None:
    return None if series is None else tuple(getattr(series, name) for name in PRICE_COLUMNS)


class _OpenWindows:
    """The window of a derived interval that is being filled, for all symbols at once."""

    def __init__(self, series: _Series, base: GrowingBlock, *, complete_only: bool) -> None:
        self.series = series
        windows = series.block.windows
        self._of_base: list[int] = windows.of(base.windows.start).tolist()
        self._last_of: set[int] = {k for k, w in enumerate(self._of_base) if w not in self._of_base[k + 1 : k + 2]}
        self._expected = expected_bars(base.session, base.interval, windows) if complete_only else None
        size = len(series.block.symbols)
        self._open, self._close = np.empty(size), np.empty(size)
        self._high, self._low, self._volume = np.full(size, -np.inf), np.full(size, np.inf), np.zeros(size)
        self._count = np.zeros(size, dtype=np.int64)

    def add(self, window: int, owners: Ints, prices: Sequence[Floats]) -> None:
        """Base bars of ``window``: the sum of the volumes grows from left to right, starting at 0."""
        assert window < len(self._of_base), "the window lies in the session"
        open_, high, low, close, volume = prices
        new = self._count[owners] == 0
        if new.any():
            self._open[owners[new]] = open_[new]
        self._high[owners] = np.maximum(self._high[owners], high)
        self._low[owners] = np.minimum(self._low[owners], low)
        self._close[owners] = close
        self._volume[owners] += volume
        self._count[owners] += 1

    def ended_with(self, window: int) -> list[Grown]:
        """The bars of the open window, if the base interval's ``window`` is its last."""
        if window not in self._last_of:
            return []
        mine = self._of_base[window]
        complete = self._count > 0 if self._expected is None else self._count == self._expected[mine]
        owners = np.flatnonzero(complete)
        grown = []
        if len(owners):
            kept = (self._open, self._high, self._low, self._close, self._volume)
            grown.append(self.series.append(owners, mine, [c[owners] for c in kept], self._count[owners]))
        self._high.fill(-np.inf)
        self._low.fill(np.inf)
        self._volume.fill(0.0)
        self._count.fill(0)
        return grown
