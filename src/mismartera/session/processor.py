"""DataProcessor: derived bars and indicators of a group of symbols, a whole session at once (R7)."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from mismartera.bars import Interval, parse_interval
from mismartera.bars.view import SeriesColumns
from mismartera.indicators import IndicatorSpec
from mismartera.session.derive import derive
from mismartera.session.reader import BaseGroup
from mismartera.session.series import PRICE_COLUMNS, SeriesBlock

Floats = NDArray[np.float64]
HistoryOf = Callable[[str, Interval], SeriesColumns | None]
"""The history of a symbol's interval before the session; None if there is none."""


@dataclass(frozen=True, slots=True, eq=False)
class Processed:
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
        blocks = [base] + [
            derive(base, interval, group.session, complete_only=self._complete_only)
            for interval in sorted(group.streams)
            if interval != group.base
        ]
        return Processed(group, tuple(self._with_indicators(block, history) for block in blocks))

    def _with_indicators(self, block: SeriesBlock, history: HistoryOf) -> SeriesBlock:
        specs = self._by_length.get(block.interval.length_us, ()) if block.public else ()
        if not specs:
            return block
        columns = {name: np.full(len(block), np.nan) for spec in specs for name in spec.columns}
        offsets = block.offsets.tolist()
        prices = tuple(getattr(block, name) for name in PRICE_COLUMNS)
        for symbol, (first, last) in zip(block.symbols, pairwise(offsets), strict=True):
            if first < last:
                inputs = tuple(column[first:last] for column in prices)
                _fill(columns, specs, inputs, history(symbol, block.interval), slice(first, last))
        return replace(block, indicators=columns)


def _fill(
    columns: Mapping[str, Floats],
    specs: Sequence[IndicatorSpec],
    inputs: tuple[Floats, ...],
    before: SeriesColumns | None,
    rows: slice,
) -> None:
    skip = 0
    if before is not None and len(before):
        skip = len(before)
        past = tuple(getattr(before, name) for name in PRICE_COLUMNS)
        inputs = tuple(np.concatenate(pair) for pair in zip(past, inputs, strict=True))
    for spec in specs:
        for name, values in zip(spec.columns, spec.compute(*inputs), strict=True):
            columns[name][rows] = values[skip:]
