"""Rebuild: the day so far of some symbols, put together anew with bars that came late, and what differs in it.

All symbols at once, in columns: a frame of corrections is about hundreds of symbols, a reconnect about all.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from itertools import pairwise
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mismartera.live.batch import LiveBatch, base_block, by_instant
from mismartera.live.entry import Entry, Rows
from mismartera.live.update import Update
from mismartera.session.increment import Grown
from mismartera.session.series import PRICE_COLUMNS, SeriesBlock
from mismartera.session.windows import Windows

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
Codes = NDArray[np.uint8]
_NONE = -1


class Rebuild:
    """``members`` in the order of their ranks; ``changes`` are their bars that are new or different.

    Knows where the members were before: make it before they move on.
    """

    def __init__(self, members: Sequence[Entry], changes: Mapping[Entry, Rows], windows: Windows) -> None:
        self._members = members
        self._windows = windows
        by_batch: dict[int, list[int]] = {}
        batches: list[LiveBatch] = []
        for k, entry in enumerate(members):
            if entry.batch is not None:
                if id(entry.batch) not in by_batch:
                    batches.append(entry.batch)
                by_batch.setdefault(id(entry.batch), []).append(k)
        self._rows = np.array([entry.row for entry in members], dtype=np.int64)
        self._before = [(batch, np.array(by_batch[id(batch)])) for batch in batches]
        found = [(k, changes[entry]) for k, entry in enumerate(members) if entry in changes]
        sizes = [len(rows) for _, rows in found]
        self._owner = np.repeat(np.array([k for k, _ in found], dtype=np.int64), sizes)
        self._window: Ints = _joined([rows.window for _, rows in found], np.int64)
        self._prices = np.concatenate([np.empty((5, 0)), *(rows.prices for _, rows in found)], axis=1)
        self._sources: Codes = _joined([rows.sources for _, rows in found], np.uint8)

    def base(self, batch: LiveBatch) -> tuple[SeriesBlock, Codes]:
        """The base bars of the members, of ``batch`` from now on, and where each comes from."""
        owner, window, prices, sources = [], [], [], []
        for old, places in self._before:
            block = old.processor.base.block
            at, start, columns, codes = block.rows_of(self._rows[places])
            owner.append(places[at])
            window.append(block.windows.of(start).astype(np.int64))
            prices.append(columns)
            sources.append(codes)
        owners, windows = np.concatenate([*owner, self._owner]), np.concatenate([*window, self._window])
        key = owners * len(self._windows) + windows
        order = key.argsort(kind="stable")  # what is new comes after what it replaces
        key = key[order]
        order = order[np.append(key[1:] != key[:-1], np.ones(min(len(key), 1), dtype=np.bool_))]
        own = batch.processor.base.block
        prices_of = np.concatenate([*prices, self._prices], axis=1)[:, order]
        block = base_block(
            own.session, own.interval, own.symbols, owners[order], windows[order], prices_of, public=own.public
        )
        return block, np.concatenate([*sources, self._sources])[order]

    def tell(
        self, block: SeriesBlock, sources: Codes, batch: LiveBatch, update: Update, *, as_backlog: bool
    ) -> None:
        """What is new or different in ``block``, one interval of ``batch``, against what the members had."""
        grown = batch.blocks[block.interval.length_us]
        is_later = block.window.astype(np.int64) > self._newest(block)[block.owner]
        is_changed = self._differing(block, is_later)
        if not as_backlog:
            is_changed |= is_later
        else:
            for each in by_instant(block, grown, sources, is_later).values():
                update.add(each, batch)
        for each in by_instant(block, grown, sources, is_changed).values():
            for found in each:
                for one in _singles(found):
                    update.change(one, batch, self._members[int(one.owners[0])])

    def leave(self) -> None:
        """The members have moved on."""
        for old, places in self._before:
            old.leave(self._rows[places])

    def _newest(self, block: SeriesBlock) -> Ints:
        """The newest window that each member had."""
        newest = np.full(len(self._members), _NONE, dtype=np.int64)
        for old, places in self._before:
            newest[places] = old.blocks[block.interval.length_us].newest(self._rows[places])
        return newest

    def _differing(self, block: SeriesBlock, is_later: NDArray[np.bool_]) -> NDArray[np.bool_]:
        """Bars that are not later than all that there were, and were not there or had other values.

        Only windows in which a base bar is new or different can hold such bars.
        """
        is_touched = np.zeros((len(self._members), len(block.windows)), dtype=np.bool_)
        is_touched[self._owner, block.windows.of(self._windows.start[self._window])] = True
        differs = is_touched[block.owner, block.window] & ~is_later
        at = np.flatnonzero(differs)
        for old, places in self._before:
            mine = at[np.isin(block.owner[at], places)]
            if not len(mine):
                continue
            rows, starts = self._rows[block.owner[mine]], block.windows.start[block.window[mine]]
            is_there, prices, counts = old.blocks[block.interval.length_us].find(rows, starts)
            is_same = is_there & (counts == block.bar_count[mine])
            for row, name in enumerate(PRICE_COLUMNS):
                is_same &= prices[row] == getattr(block, name)[mine]
            differs[mine[is_same]] = False
        return differs


def in_turn(owners: Sequence[int], found: Sequence[Rows]) -> Iterator[tuple[int, Ints, Floats, Codes]]:
    """The rows of several symbols window by window: window, owners (sorted), prices, sources."""
    owner = np.repeat(np.array(owners, dtype=np.int64), [len(rows) for rows in found])
    window = _joined([rows.window for rows in found], np.int64)
    order = np.lexsort((owner, window))
    owner, window = owner[order], window[order]
    prices = np.concatenate([np.empty((5, 0)), *(rows.prices for rows in found)], axis=1)[:, order]
    sources = _joined([rows.sources for rows in found], np.uint8)[order]
    cuts = [*np.flatnonzero(np.diff(window, prepend=-1)).tolist(), len(window)]
    for first, last in pairwise(cuts):
        yield int(window[first]), owner[first:last], prices[:, first:last].copy(), sources[first:last]


def _joined(parts: Sequence[NDArray[Any]], dtype: type[np.integer[Any]]) -> NDArray[Any]:
    return np.concatenate([np.empty(0, dtype=dtype), *parts], dtype=dtype, casting="unsafe")


def _singles(grown: Grown) -> Iterator[Grown]:
    for k in range(len(grown.owners)):
        one = slice(k, k + 1)
        yield Grown(
            grown.block, grown.owners[one], grown.window, grown.prices[:, one],
            None if grown.counts is None else grown.counts[one],
            {name: column[one] for name, column in grown.indicators.items()},
            None if grown.sources is None else grown.sources[one],
        )  # fmt: skip
