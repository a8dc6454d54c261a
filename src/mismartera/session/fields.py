"""Fields: the bars of some instants, made of lists of their fields, in the order of showing."""

from __future__ import annotations

from array import array
from collections.abc import Iterable, Iterator, Sequence
from itertools import chain, repeat
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mismartera.bars import Bar, Span, make_bars
from mismartera.session.part import Objects
from mismartera.session.series import PRICE_COLUMNS
from mismartera.session.strip import Strip
from mismartera.session.windows import small

Ints = NDArray[np.int64]

_DENSE = 4
"""With so many bars per instant it is faster to repeat its span than to list it for each of them."""


class Fields:
    """The rows of ``strips`` (shortest interval first) by (end, rank, interval length).

    ``strip_cuts[s][k]`` is where the rows of the tape's instant ``k`` begin in strip ``s``.
    """

    def __init__(self, strips: Sequence[Strip], strip_cuts: Sequence[Ints]) -> None:
        self._strips = strips
        self._cuts = strip_cuts
        self._counted = not all(strip.is_base for strip in strips)
        self._later = any(not strip.is_first_stay for strip in strips)
        self._symbols: Objects | None = None

    def bars(self, k: int, stop: int, lag_seconds: float = 0.0) -> tuple[list[str], Iterator[Bar]]:
        """The bars of the instants ``k:stop``, and their symbols: clearing these ends the bars."""
        parts = [
            (strip, cuts[k : stop + 1])
            for strip, cuts in zip(self._strips, self._cuts, strict=True)
            if cuts[k] < cuts[stop]
        ]
        if not parts:
            return [], iter(())
        if len(parts) == 1:
            order, (names, labels, spans) = None, _of_one(*parts[0])
        else:
            order, (names, labels, spans) = self._of_several(parts)
        prices = [_numbers(_joined(parts, name, order)) for name in PRICE_COLUMNS]
        counts = generations = None
        if self._counted:
            counts = _joined(parts, "bar_count", order).tolist()
        if self._later:
            generations = _joined(parts, "generation", order).tolist()
        return names, make_bars(names, labels, spans, prices, counts, lag_seconds, generations)

    def _of_several(self, parts: Parts) -> tuple[Ints, Heads]:
        """The order of the parts' rows, which stand part by part: by instant, then rank, then length."""
        instants, number = len(parts[0][1]) - 1, len(parts)
        symbols = self._symbols_by_rank()
        ranks = _joined(parts, "rank", None)
        sizes = [np.diff(cuts) for _, cuts in parts]
        instant = np.concatenate([np.arange(instants).repeat(size) for size in sizes])
        # The sort is stable, and the parts come by length.
        order = small(instant * len(symbols) + ranks, instants * len(symbols)).argsort(kind="stable")
        labels, spans = np.empty((2, instants, number), dtype=object)
        for place, (strip, cuts) in enumerate(parts):
            labels[:, place] = strip.interval.label
            spans[:, place] = _spans(strip, cuts)
        part = np.arange(number).repeat([size.sum() for size in sizes])
        at = (instant * number + part)[order]
        names = symbols[ranks[order]].tolist()
        return order, (names, labels.ravel()[at].tolist(), spans.ravel()[at].tolist())

    def _symbols_by_rank(self) -> Objects:
        if self._symbols is None:
            ranks = {rank: symbol for strip in self._strips for symbol, rank in strip.ranks()}
            self._symbols = np.empty(max(ranks) + 1, dtype=object)
            self._symbols[list(ranks)] = list(ranks.values())
        return self._symbols


Parts = Sequence[tuple[Strip, Ints]]
"""Strips, and where the rows of each instant begin in each, with the end of the last one."""
Heads = tuple[list[str], Iterable[str], Iterable[Span]]
"""Of each row: the symbol, the interval's label, the span."""


def _of_one(strip: Strip, cuts: Ints) -> Heads:
    rows = slice(int(cuts[0]), int(cuts[-1]))
    names: list[str] = strip.symbols_of(rows).tolist()
    spans: Iterable[Span]
    if len(names) < _DENSE * (len(cuts) - 1):
        spans = strip.spans_of(rows).tolist()
    else:
        spans = chain.from_iterable(map(repeat, _spans(strip, cuts).tolist(), np.diff(cuts).tolist()))
    return names, repeat(strip.interval.label), spans


def _spans(strip: Strip, cuts: Ints) -> Objects:
    """The span of each instant's rows, which all have one end; anything where there are none."""
    return strip.spans_of(np.minimum(cuts[:-1], len(strip.order) - 1))


def _joined(parts: Parts, name: str, order: Ints | None) -> NDArray[Any]:
    """The parts' columns as one, in order."""
    columns = [strip.column(name, slice(int(cuts[0]), int(cuts[-1]))) for strip, cuts in parts]
    column = columns[0] if len(columns) == 1 else np.concatenate(columns)
    return column if order is None else column[order]


def _numbers(column: NDArray[np.float64]) -> Iterable[float]:
    """Each made when it is asked for, in the memory of the last one: a list of them is a cache miss for each."""
    return array("d", column.tobytes())
