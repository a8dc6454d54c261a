"""Chunk: the bars of some instants, in the order of showing.

Each strip's bars stand in order. Where several intervals end together their bars take turns: whose turn it is, is
all that has to be put in order, and where nothing is missing not even that.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import compress, cycle, islice, repeat

import numpy as np
from numpy.typing import NDArray

from mismartera.bars import Bar
from mismartera.session.stretch import Stretch
from mismartera.session.strip import Strip
from mismartera.session.windows import small

Ints = NDArray[np.int64]

MANY = 8
"""With so many bars per instant it is faster to walk over its own than to take them from those of the chunk."""


class Chunk:
    """The bars of some instants: an iterator for each, which makes them when they are asked for, in this order.

    :meth:`clear`, from any thread, ends them all.
    """

    __slots__ = ("_stretches", "instants")

    def __init__(self, stretches: Sequence[Stretch], instants: Iterator[Iterator[Bar]]) -> None:
        self._stretches = stretches
        self.instants = instants

    def clear(self) -> None:
        """No more bars are made."""
        for stretch in self._stretches:
            stretch.names.clear()


def make_chunk(
    strips: Sequence[Strip], strip_cuts: Sequence[Ints], k: int, stop: int, lag_seconds: float = 0.0
) -> Chunk:
    """The bars of ``strips`` (shortest interval first) in the instants ``k:stop``, by (end, rank, length).

    ``strip_cuts[s][k]`` is where the rows of the tape's instant ``k`` begin in strip ``s``.
    """
    found = [
        Stretch(strip, cuts[k : stop + 1])
        for strip, cuts in zip(strips, strip_cuts, strict=True)
        if cuts[k] < cuts[stop]
    ]
    if not found:
        return Chunk((), repeat(iter(())))
    symbols = found[0].symbols
    if len(symbols) >= MANY and all(stretch.is_full and stretch.symbols == symbols for stretch in found):
        return Chunk(found, _in_step(found, lag_seconds))
    return Chunk(found, _in_turn(found, lag_seconds))


def _in_step(stretches: Sequence[Stretch], lag_seconds: float) -> Iterator[Iterator[Bar]]:
    """The bars of each instant where all have bars of the same symbols."""
    bars = [stretch.bars_by_instant(lag_seconds) for stretch in stretches]
    if len(bars) == 1 and stretches[0].instants == len(stretches[0].sizes):
        return bars[0]
    return _by_turns(bars, np.array([stretch.sizes > 0 for stretch in stretches]).T.tolist())


def _by_turns(bars: Sequence[Iterator[Iterator[Bar]]], has: list[list[bool]]) -> Iterator[Iterator[Bar]]:
    for has_of_instant in has:
        present = [next(of_interval) for of_interval in compress(bars, has_of_instant)]
        yield present[0] if len(present) == 1 else map(next, cycle(present))


def _in_turn(stretches: Sequence[Stretch], lag_seconds: float) -> Iterator[Iterator[Bar]]:
    """The bars of each instant, whatever is there."""
    bars = [stretch.bars(lag_seconds) for stretch in stretches]
    sizes = np.array([stretch.sizes for stretch in stretches])
    sources: Iterator[Iterator[Bar]] = repeat(bars[0])
    if len(bars) > 1:
        has = sizes > 0
        shared = np.count_nonzero(has, axis=0) > 1
        whose = np.where(shared, len(bars), has.argmax(axis=0)).tolist()
        sources = map([*bars, map(next, _turns(stretches, bars, shared))].__getitem__, whose)
    return map(islice, sources, sizes.sum(axis=0).tolist())


def _turns(
    stretches: Sequence[Stretch], bars: Sequence[Iterator[Bar]], shared: NDArray[np.bool_]
) -> list[Iterator[Bar]]:
    """Where the bars of the ``shared`` instants come from, one after the other: by rank, then by length."""
    ranks, instants = [], []
    for stretch in stretches:
        ranks.append(stretch.strip.values("rank", stretch.rows[shared.repeat(stretch.sizes)]))
        instants.append(np.arange(len(shared)).repeat(stretch.sizes * shared))
    rank, instant = np.concatenate(ranks), np.concatenate(instants)
    end = 1 + int(rank.max(initial=0))
    # The sort is stable, and the stretches come by length.
    order = small(instant * end + rank, len(shared) * end).argsort(kind="stable")
    sources = np.empty(len(bars), dtype=object)
    sources[:] = bars
    turns: list[Iterator[Bar]] = sources.repeat([len(of_one) for of_one in ranks])[order].tolist()
    return turns
