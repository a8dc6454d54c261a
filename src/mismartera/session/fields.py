"""Fields: the bars of some instants, made of lists of their fields, in the order of showing."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from itertools import repeat
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mismartera.bars import Bar, make_bars
from mismartera.session.series import PRICE_COLUMNS
from mismartera.session.strip import Strip
from mismartera.session.windows import small

Ints = NDArray[np.int64]


class Fields:
    """The rows of ``strips`` (shortest interval first) by (end, rank, interval length).

    ``strip_cuts[s][k]`` is where the rows of the tape's instant ``k`` begin in strip ``s``.
    """

    def __init__(self, strips: Sequence[Strip], strip_cuts: Sequence[Ints]) -> None:
        self._strips = strips
        self._cuts = strip_cuts
        self._counted = not all(strip.is_base for strip in strips)
        self._later = any(not strip.is_first_stay for strip in strips)

    def bars(self, k: int, stop: int, lag_seconds: float = 0.0) -> tuple[list[str], Iterator[Bar]]:
        """The bars of the instants ``k:stop``, and their symbols: clearing these ends the bars."""
        parts = [
            (strip, slice(int(cuts[k]), int(cuts[stop])), cuts)
            for strip, cuts in zip(self._strips, self._cuts, strict=True)
            if cuts[k] < cuts[stop]
        ]
        if not parts:
            return [], iter(())
        order = None if len(parts) < 2 else _order(parts, k, stop)
        names = _listed([strip.symbols_of(rows) for strip, rows, _ in parts], order)
        spans = _listed([strip.spans_of(rows) for strip, rows, _ in parts], order)
        prices = [_listed([strip.column(name, rows) for strip, rows, _ in parts], order) for name in PRICE_COLUMNS]
        counts = generations = None
        if self._counted:
            counts = _listed([strip.column("bar_count", rows) for strip, rows, _ in parts], order)
        if self._later:
            generations = _listed([strip.generations_of(rows) for strip, rows, _ in parts], order)
        return names, make_bars(names, _labels(parts, order), spans, prices, counts, lag_seconds, generations)


Parts = Sequence[tuple[Strip, slice, Ints]]


def _order(parts: Parts, k: int, stop: int) -> Ints:
    """The order of the parts' rows, which stand part by part: by instant, then rank, then length.

    Both sorts are stable, and the parts come by length.
    """
    instants = np.arange(stop - k)
    instant = np.concatenate([np.repeat(instants, np.diff(cuts[k : stop + 1])) for *_, cuts in parts])
    ranks = np.concatenate([strip.column("rank", rows) for strip, rows, _ in parts])
    by_rank = small(ranks).argsort(kind="stable")
    order: Ints = by_rank[small(instant)[by_rank].argsort(kind="stable")]
    return order


def _labels(parts: Parts, order: Ints | None) -> Iterable[str]:
    """The intervals of the rows."""
    if order is None:
        return repeat(parts[0][0].interval.label)
    labels = np.array([strip.interval.label for strip, *_ in parts], dtype=object)
    return _listed([labels.repeat([rows.stop - rows.start for _, rows, _ in parts])], order)


def _listed(columns: Sequence[NDArray[Any]], order: Ints | None) -> list[Any]:
    """The parts' columns as one, in order."""
    column = columns[0] if len(columns) == 1 else np.concatenate(columns)
    values: list[Any] = (column if order is None else column[order]).tolist()
    return values
