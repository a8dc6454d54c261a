"""DataProcessor: derived bars and indicators of a group of symbols, a whole session at once (R7)."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
from msgspec import Struct
from msgspec.structs import replace
from numpy.typing import NDArray

from mismartera.bars import Interval, parse_interval
from mismartera.bars.view import SeriesColumns
from mismartera.indicators import IndicatorSpec
from mismartera.session.derive import derive
from mismartera.session.reader import BaseGroup
from mismartera.session.series import PRICE_COLUMNS, SeriesBlock

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
HistoryOf = Callable[[str, Interval], SeriesColumns | None]
"""The history of a symbol's interval before the session; None if there is none."""


class Processed(Struct, frozen=True, eq=False):
    """A group whose bars are complete: ``blocks`` has the base interval first, then the derived ones by length."""

    group: BaseGroup
    blocks: tuple[SeriesBlock, ...]


class DataProcessor:
    """Turns base bars into everything that was asked for.

    A pure function of its input, and chunk-invariant: the first n rows of a result depend on the first n rows
    of the input alone, so what is computed ahead for a day shows, at each moment, what a bar-by-bar computation
    would.
    """

    def __init__(self, indicators: Sequence[IndicatorSpec] = (), *, complete_only: bool = False) -> None:
        self._complete_only = complete_only
        self._by_length: dict[int, list[IndicatorSpec]] = {}
        for spec in indicators:
            self._by_length.setdefault(parse_interval(spec.interval).length_us, []).append(spec)

    def process(self, group: BaseGroup, history: HistoryOf) -> Processed:
        """Derived bars of the group's streams, and the indicators of each requested interval."""
        base = group.admitted.block
        wanted = [interval for interval in sorted(group.streams) if interval != group.base]
        blocks = [base, *derive(base, wanted, complete_only=self._complete_only)]
        specs = self._by_length
        return Processed(
            group, tuple(with_indicators(b, specs.get(b.interval.length_us, ()), history) for b in blocks)
        )


def with_indicators(block: SeriesBlock, specs: Sequence[IndicatorSpec], history: HistoryOf) -> SeriesBlock:
    """``block`` with the indicators ``specs``, none if nobody asked for its interval."""
    if not specs or not block.public:
        return block
    before = [history(symbol, block.interval) for symbol in block.symbols]
    prices: list[Floats] = [getattr(block, name) for name in PRICE_COLUMNS]
    offsets, is_today = block.offsets, None
    if any(before):
        prices, offsets, is_today = _continued(before, prices, offsets)
    columns: dict[str, Floats] = {}
    for spec in specs:
        values = spec.compute_pieces(prices, offsets)
        chosen = values if is_today is None else tuple(column[is_today] for column in values)
        columns |= zip(spec.columns, chosen, strict=True)
    return replace(block, indicators=columns)


def _continued(
    before: Sequence[SeriesColumns | None], prices: Sequence[Floats], offsets: Ints
) -> tuple[list[Floats], Ints, NDArray[np.bool_]]:
    """Each symbol's history with its bars of today after it: columns, offsets, and which rows are today's."""
    past = np.array([0 if series is None else len(series) for series in before], dtype=np.int64)
    today = np.diff(offsets)
    lengths = np.column_stack((past, today)).ravel()
    is_today = np.repeat(np.tile([False, True], len(today)), lengths)
    columns = []
    for name, column in zip(PRICE_COLUMNS, prices, strict=True):
        whole = np.empty(len(is_today))
        whole[is_today] = column
        whole[~is_today] = np.concatenate([getattr(series, name) for series in before if series is not None])
        columns.append(whole)
    return columns, np.concatenate(([0], np.cumsum(past + today))), is_today
