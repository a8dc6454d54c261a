"""LiveBatch: symbols that are processed together, and the way from a day's bars so far to a batch that goes on."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
from msgspec import Struct
from numpy.typing import NDArray

from mismartera.bars import Interval, SeriesInfo
from mismartera.bars.view import SeriesColumns, freeze
from mismartera.indicators import IndicatorSpec
from mismartera.session.arriving import Batch
from mismartera.session.growing import GrowingBlock
from mismartera.session.history import SymbolHistory
from mismartera.session.increment import Grown, IncrementalProcessor
from mismartera.session.series import PRICE_COLUMNS, SeriesBlock
from mismartera.session.windows import small
from mismartera.timing import TradingSession

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
Codes = NDArray[np.uint8]


class Processing(Struct, frozen=True, eq=False):
    """What is made of the bars of a session: ``base`` arrives, ``specs`` are computed."""

    session: TradingSession
    base: Interval
    specs: Sequence[IndicatorSpec]
    complete_only: bool


class LiveBatch:
    """Symbols with the same ``streams``, in the order of their ranks."""

    def __init__(
        self, processing: Processing, symbols: tuple[str, ...], streams: Sequence[Interval],
        infos: Mapping[str, SeriesInfo], ranks: Mapping[str, int], histories: Mapping[str, SymbolHistory],
    ) -> None:  # fmt: skip
        self.streams = tuple(streams)
        self.shared = Batch(symbols, infos, ranks)
        self.staying = len(symbols)
        self.rows = freeze(np.arange(len(symbols)))
        """The places of the symbols: a slice of them costs less than an array."""

        def history(symbol: str, interval: Interval) -> SeriesColumns | None:
            return histories[symbol].for_indicators.get(interval.length_us)

        self.processor = IncrementalProcessor(
            processing.session, symbols, processing.base, streams, processing.specs, history,
            complete_only=processing.complete_only,
        )  # fmt: skip
        self.blocks = {block.interval.length_us: block for block in self.processor.blocks}
        """By the length of their intervals."""

    def leave(self, rows: Ints) -> None:
        """The symbols at ``rows`` go on elsewhere, or not at all."""
        self.staying -= len(rows)
        self.processor.forget(rows)


def base_block(
    session: TradingSession, base: Interval, symbols: tuple[str, ...], owner: Ints, windows: Ints, prices: Floats,
    *, public: bool,
) -> SeriesBlock:  # fmt: skip
    """Base bars as one block. ``owner``: the place of each bar's symbol; by symbol and time."""
    sizes = np.bincount(owner, minlength=len(symbols))
    open_, high, low, close, volume = prices
    return SeriesBlock(
        session, base, symbols, np.concatenate(([0], np.cumsum(sizes))), small(windows),
        open_, high, low, close, volume, np.broadcast_to(np.int64(1), len(windows)), owner,
        is_base=True, public=public,
    )  # fmt: skip


def by_instant(
    found: SeriesBlock, grown: GrowingBlock, sources: Codes, chosen: NDArray[np.bool_]
) -> dict[int, list[Grown]]:
    """The ``chosen`` rows of ``found``, instant by instant in the order of time, as bars of ``grown``."""
    at = np.flatnonzero(chosen)
    at = at[found.window[at].argsort(kind="stable")]
    windows = found.window[at].astype(np.int64)
    cuts = np.flatnonzero(np.diff(windows)) + 1
    instants: dict[int, list[Grown]] = {}
    for rows in np.split(at, cuts) if len(at) else []:
        window = int(found.window[rows[0]])
        prices = freeze(np.stack([getattr(found, name)[rows] for name in PRICE_COLUMNS]))
        one = Grown(
            grown, found.owner[rows], window, prices,
            None if found.is_base else freeze(found.bar_count[rows]),
            {name: freeze(column[rows]) for name, column in found.indicators.items()}, sources[rows],
        )  # fmt: skip
        instants.setdefault(one.end_us, []).append(one)
    return instants
