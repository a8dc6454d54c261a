"""Fields: the bars of some instants, made of lists of their fields, in the order of showing."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from functools import partial
from itertools import repeat
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mismartera.bars import Bar, Span, make_bars
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
        joined = partial(_joined, order=order)
        names: list[str] = joined([strip.symbols_of(rows) for strip, rows, _ in parts]).tolist()
        spans: list[Span] = joined([strip.spans_of(rows) for strip, rows, _ in parts]).tolist()
        prices = [_numbers(joined([strip.column(c, rows) for strip, rows, _ in parts])) for c in PRICE_COLUMNS]
        counts = generations = None
        if self._counted:
            counts = joined([strip.column("bar_count", rows) for strip, rows, _ in parts]).tolist()
        if self._later:
            generations = joined([strip.generations_of(rows) for strip, rows, _ in parts]).tolist()
        return names, make_bars(names, _labels(parts, order), spans, prices, counts, lag_seconds, generations)


Parts = Sequence[tuple[Strip, slice, Ints]]


def _order(parts: Parts, k: int, stop: int) -> Ints:
    """The order of the parts' rows, which stand part by part: by instant, then rank, then length.

    The sort is stable, and the parts come by length.
    """
    ranks = np.concatenate([strip.column("rank", rows) for strip, rows, _ in parts])
    ranks_max = int(ranks.max()) + 1
    firsts = np.arange(0, (stop - k) * ranks_max, ranks_max)
    instants = np.concatenate([firsts.repeat(np.diff(cuts[k : stop + 1])) for *_, cuts in parts])
    order: Ints = small(instants + ranks, len(firsts) * ranks_max).argsort(kind="stable")
    return order


def _labels(parts: Parts, order: Ints | None) -> Iterable[str]:
    """The intervals of the rows."""
    if order is None:
        return repeat(parts[0][0].interval.label)
    numbers = np.arange(len(parts), dtype=np.uint8).repeat([rows.stop - rows.start for _, rows, _ in parts])
    labels = np.array([strip.interval.label for strip, *_ in parts], dtype=object)
    listed: list[str] = labels[numbers[order]].tolist()
    return listed


def _numbers(column: NDArray[np.float64]) -> Iterable[float]:
    """Each made when it is asked for, in the memory of the last one: a list of them is a cache miss for each."""
    numbers: Iterable[float] = memoryview(column)  # type: ignore[arg-type]  # a NumPy array has a buffer
    return numbers


def _joined(columns: Sequence[NDArray[Any]], order: Ints | None) -> NDArray[Any]:
    """The parts' columns as one, in order."""
    return columns[0] if order is None else np.concatenate(columns)[order]
