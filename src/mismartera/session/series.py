"""SeriesBlock: the finished bars of one interval for a batch of symbols, with ends, counts and indicators."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from msgspec import Struct
from msgspec.structs import replace
from numpy.typing import NDArray

from mismartera.bars import Interval, SeriesInfo
from mismartera.bars.view import SeriesColumns, freeze
from mismartera.session.windows import Index, Windows, session_windows
from mismartera.timing import TradingSession

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]

PRICE_COLUMNS = ("open", "high", "low", "close", "volume")
_ROW_COLUMNS = (*PRICE_COLUMNS, "bar_count", "window")


class SeriesBlock(Struct, frozen=True, eq=False):
    """Rows ``offsets[k]:offsets[k + 1]`` (those whose ``owner`` is ``k``) belong to ``symbols[k]``, sorted by
    ``window``; all columns of one length.

    ``window`` says which of the interval's windows of ``session`` each row is. ``public`` is False for a base
    interval that nobody asked for: it feeds derived bars and the lag, and is shown to nobody.
    """

    session: TradingSession
    interval: Interval
    symbols: tuple[str, ...]
    offsets: Ints
    window: Index
    open: Floats
    high: Floats
    low: Floats
    close: Floats
    volume: Floats
    bar_count: Ints
    owner: Ints
    is_base: bool
    public: bool
    indicators: Mapping[str, Floats] = {}

    def __post_init__(self) -> None:
        for name in (*_ROW_COLUMNS, "owner", "offsets"):
            freeze(getattr(self, name))
        for column in self.indicators.values():
            freeze(column)

    def __len__(self) -> int:
        return len(self.window)

    @property
    def windows(self) -> Windows:
        """What ``window`` counts."""
        return session_windows(self.session, self.interval)

    @property
    def start(self) -> Ints:
        """The starts of the bars, in microseconds since the epoch, made anew at each call."""
        return self.windows.start[self.window]

    @property
    def end(self) -> Ints:
        """The ends of the bars, in microseconds since the epoch, made anew at each call."""
        return self.windows.end[self.window]

    def select(self, symbols: tuple[str, ...], chosen: NDArray[np.bool_], rows: NDArray[np.bool_]) -> SeriesBlock:
        """The block of ``symbols`` alone: ``chosen`` marks them among this block's, ``rows`` their rows."""
        columns: dict[str, Any] = {name: getattr(self, name)[rows] for name in _ROW_COLUMNS}
        owner = (np.cumsum(chosen) - 1)[self.owner[rows]]
        counts = np.bincount(owner, minlength=len(symbols))
        return replace(
            self,
            symbols=symbols,
            offsets=np.concatenate(([0], np.cumsum(counts))),
            owner=owner,
            indicators={name: column[rows] for name, column in self.indicators.items()},
            **columns,
        )

    def series(self, k: int, info: SeriesInfo) -> SeriesColumns:
        """The columns of ``symbols[k]`` alone: read-only views, nothing is copied."""
        rows = slice(int(self.offsets[k]), int(self.offsets[k + 1]))
        windows, window = self.windows, self.window[rows]
        whole = len(window) == len(windows)  # then they need not be copied
        return SeriesColumns(
            self.symbols[k],
            self.interval.label,
            info,
            windows.start if whole else freeze(windows.start[window]),
            windows.end if whole else freeze(windows.end[window]),
            self.open[rows],
            self.high[rows],
            self.low[rows],
            self.close[rows],
            self.volume[rows],
            self.bar_count[rows],
            {name: column[rows] for name, column in self.indicators.items()},
        )


def joined(blocks: Sequence[SeriesBlock], ranks: Mapping[str, int]) -> SeriesBlock:
    """The rows of blocks of one interval with the same indicators, their symbols by rank."""
    symbols = [symbol for block in blocks for symbol in block.symbols]
    by_rank = np.argsort([ranks[symbol] for symbol in symbols], kind="stable")
    place = np.empty(len(symbols), dtype=np.int64)
    place[by_rank] = np.arange(len(symbols))
    firsts = np.cumsum([0] + [len(block.symbols) for block in blocks[:-1]])
    owner = place[np.concatenate([b.owner + first for b, first in zip(blocks, firsts, strict=True)])]
    rows = owner.argsort(kind="stable")
    counts = np.concatenate([np.diff(block.offsets) for block in blocks])[by_rank]
    columns: dict[str, Any] = {
        name: np.concatenate([getattr(b, name) for b in blocks])[rows] for name in _ROW_COLUMNS
    }
    return replace(
        blocks[0],
        symbols=tuple(symbols[k] for k in by_rank.tolist()),
        offsets=np.concatenate(([0], np.cumsum(counts))),
        owner=owner[rows],
        indicators={
            name: np.concatenate([b.indicators[name] for b in blocks])[rows] for name in blocks[0].indicators
        },
        **columns,
    )
