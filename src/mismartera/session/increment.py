"""IncrementalProcessor: derived bars and indicators as bars arrive, bit for bit those of DataProcessor (R7)."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

import numpy as np
from msgspec import Struct
from numpy.typing import NDArray

from mismartera.bars import Interval
from mismartera.bars.view import SeriesColumns, freeze
from mismartera.indicators import IndicatorSpec
from mismartera.indicators.running import RunningIndicator
from mismartera.session.derive import derive
from mismartera.session.ending import Ended
from mismartera.session.growing import GrowingBlock
from mismartera.session.opened import OpenWindows
from mismartera.session.opened_few import FEW_SYMBOLS, FewOpenWindows
from mismartera.session.processor import with_indicators
from mismartera.session.series import PRICE_COLUMNS, SeriesBlock
from mismartera.timing import TradingSession

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
Codes = NDArray[np.uint8]
HistoryOf = Callable[[str, Interval], SeriesColumns | None]


class Grown(Struct, frozen=True, eq=False):
    """New bars of ``block``: those of its window ``window`` for ``owners``, places among its symbols, sorted.

    ``prices`` has a row for open, high, low, close and volume each; ``counts`` None: one base bar each;
    ``sources`` (places in :data:`mismartera.bars.SOURCES`) None: all live. ``at``: where in the block they wait to
    be released; None: they are.
    """

    block: GrowingBlock
    owners: Ints
    window: int
    prices: Floats
    counts: Ints | None
    indicators: Mapping[str, Floats]
    sources: Codes | None = None
    at: Ints | slice | None = None

    def release(self) -> None:
        """Readers may see them, up to whatever is shown."""
        if self.at is not None:
            self.block.release(self.at, self.window)

    @property
    def end_us(self) -> int:
        """When the bars end."""
        end_us: int = self.block.spans[self.window].end_us
        return end_us


class IncrementalProcessor:
    """Takes the base bars of a batch of symbols as they arrive, each symbol's in the order of time.

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
        self._complete_only = complete_only
        self.base = _Series(session, base, symbols, indicators, history, is_base=True, public=base in streams)
        self._derived = [
            _Series(session, interval, symbols, indicators, history, is_base=False, public=True)
            for interval in sorted(public.values())
            if interval != base
        ]
        windows = FewOpenWindows if len(symbols) <= FEW_SYMBOLS else OpenWindows
        self._open: FewOpenWindows | OpenWindows = windows(
            [series.block for series in self._derived], self.base.block, complete_only=complete_only
        )

    @property
    def blocks(self) -> tuple[GrowingBlock, ...]:
        """The base interval's block first, then the derived ones by length."""
        return (self.base.block, *(series.block for series in self._derived))

    def resume(self, base: SeriesBlock, sources: Codes, ended: int) -> list[SeriesBlock]:
        """Begin with the bars that ``base`` has of the symbols, in place of all that would have arrived before.

        ``ended``: nothing more is waited for of the base windows before this one. Returns what is complete with
        them, the base bars first.
        """
        complete: list[SeriesBlock] = []
        own = self.base.resume(base, sources)
        complete.append(own)
        intervals = [series.block.interval for series in self._derived]
        for row, found in enumerate(derive(base, intervals, complete_only=False)):
            of = self._open.put(row, found, base, sources, ended)
            complete.append(self._derived[row].resume(of.block, of.sources))
        return complete

    def take(self, window: int, owners: Ints, prices: Floats, sources: Codes | None = None) -> list[Grown]:
        """The bars of the base interval's ``window``, for each of ``owners``, which are sorted.

        ``prices``: a row for open, high, low, close and volume each. Returns what is complete now: the base bars,
        the derived ones whose windows end with them, and before them those that a later bar has passed over.
        """
        if not len(owners):
            return []
        passed = [self._grown(ended) for ended in self._open.passed_by(window, owners)]
        base = self.base.append(owners, window, prices, None, sources)
        self._open.add(window, owners, prices, sources)
        return [*passed, base, *(self._grown(ended) for ended in self._open.ended_with(window, owners))]

    def end(self, window: int) -> list[Grown]:
        """Nothing more is waited for of the base interval's ``window``: the derived bars that end with it."""
        return [self._grown(ended) for ended in self._open.end(window)]

    def forget(self, owners: Ints) -> None:
        """Nothing more comes of these symbols: what is open of them never ends."""
        self._open.forget(owners)

    def _grown(self, ended: Ended) -> Grown:
        return self._derived[ended.row].append(
            ended.owners, ended.window, ended.prices, ended.counts, ended.sources
        )


class _Series:
    """One interval's block and the indicators that run along it."""

    def __init__(
        self, session: TradingSession, interval: Interval, symbols: tuple[str, ...],
        indicators: Sequence[IndicatorSpec], history: HistoryOf, *, is_base: bool, public: bool,
    ) -> None:  # fmt: skip
        length = interval.length_us
        self._specs = [spec for spec in indicators if public and spec.length_us == length]
        self._history = history
        names = [name for spec in self._specs for name in spec.columns]
        self.block = GrowingBlock(session, interval, symbols, names, is_base=is_base, public=public)
        self._running: list[RunningIndicator] = []
        for spec in self._specs:
            past = [history(symbol, interval) for symbol in symbols]
            self._running.append(RunningIndicator(spec, [_prices_of(series) for series in past], self._so_far))

    def _so_far(self, row: int) -> Sequence[Floats]:
        return [self.block.column(name, row) for name in PRICE_COLUMNS]

    def resume(self, found: SeriesBlock, sources: Codes) -> SeriesBlock:
        """Begin with these bars; they come back with their indicators."""
        found = with_indicators(found, self._specs, self._history)
        self.block.fill(found, sources)
        for indicator in self._running:
            indicator.resume(self.block.sizes)
        return found

    def append(
        self, owners: Ints, window: int, prices: Floats, counts: Ints | None, sources: Codes | None
    ) -> Grown:
        indicators: dict[str, Floats] = {}
        for indicator in self._running:
            indicators |= indicator.next(owners, prices)
        at = self.block.append(owners, window, prices, counts, indicators, sources)
        for column in (prices, *indicators.values(), *([] if counts is None else [counts])):
            freeze(column)  # all that slices show are views of these
        return Grown(self.block, owners, window, prices, counts, indicators, sources, at)


def _prices_of(series: SeriesColumns | None) -> Sequence[Floats] | None:
    return None if series is None else [getattr(series, name) for name in PRICE_COLUMNS]
