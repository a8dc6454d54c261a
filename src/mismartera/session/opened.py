"""OpenWindows: the derived windows of many symbols that are being filled while base bars arrive."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np
from numpy.typing import NDArray

from mismartera.session.ending import Closed, DerivedWindows, Ended
from mismartera.session.growing import GrowingBlock
from mismartera.session.series import SeriesBlock

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
Codes = NDArray[np.uint8]
_NONE, _SEVERAL = -1, -2
_RECENT = 8
"""So many base bars of all symbols are put together before they enter the open windows: a pass over a table costs
what it costs, however little is done in it.
"""
_MANY = 8
"""Bars of at least one in so many symbols are laid over all columns; the columns of fewer are picked."""


class OpenWindows:
    """A row for each derived interval, a column for each symbol, which is in a window of its own.

    A window ends for a symbol with its last base bar, or when nothing more is waited for (:meth:`end`), or when
    a bar beyond it comes. Sums grow from left to right, from 0.
    """

    def __init__(self, derived: Sequence[GrowingBlock], base: GrowingBlock, *, complete_only: bool) -> None:
        shape = (len(derived), len(base.symbols))
        self._prices, self._count = np.empty((5, *shape)), np.empty(shape, dtype=np.int64)
        self._window = np.zeros(shape, dtype=np.int64)
        self._sources, self._has_sources = np.zeros(shape, dtype=np.uint8), False
        self._columns = tuple(self._prices)
        self._recent, self._waiting = np.empty((_RECENT, 5, shape[1])), 0
        self._has_room = True  # some symbol may have nothing open
        self._stands = [_NONE] * len(derived)
        """Per row the window that all open ones are, or that there is none, or that there are several."""
        self._map = DerivedWindows(derived, base, complete_only=complete_only)
        self._of, self._windows_of = self._map.of, self._map.windows_of
        for row in range(len(derived)):
            self._begin(row)

    def put(self, row: int, found: SeriesBlock, base: SeriesBlock, base_sources: Codes, ended: int) -> Closed:
        """Begin row ``row`` with the bars of ``found``, derived of ``base``: the last one of a symbol stays open
        unless its window has ended; the others come back.
        """
        self._settle()
        closed, still_open = self._map.split(row, found, base, base_sources, ended)
        for at, source in still_open:
            owner, window = int(found.owner[at]), int(found.window[at])
            values = (found.open[at], found.high[at], found.low[at], found.close[at], found.volume[at])
            self._prices[:, row, owner] = values
            self._count[row, owner], self._window[row, owner] = found.bar_count[at], window
            self._sources[row, owner] = source
            self._has_sources |= bool(source)
            self._stands[row] = window if self._stands[row] in (_NONE, window) else _SEVERAL
        return closed

    def passed_by(self, window: int, owners: Ints) -> Iterator[Ended]:
        """Windows of ``owners`` that are open while a bar beyond them comes, of the base interval's ``window``."""
        if self._stands == self._windows_of[window]:
            return
        self._settle()
        for row, mine in enumerate(self._windows_of[window]):
            if self._stands[row] in (_NONE, mine):
                continue
            passed = owners[(self._count[row, owners] > 0) & (self._window[row, owners] != mine)]
            for earlier in np.unique(self._window[row, passed]).tolist():
                yield from self._close(row, earlier, passed[self._window[row, passed] == earlier])

    def add(self, window: int, owners: Ints, prices: Floats, sources: Codes | None) -> None:
        """Base bars of ``window``, one for each of ``owners``."""
        mine = self._windows_of[window]
        is_all = len(owners) == self._count.shape[1]
        if is_all and sources is None and not self._has_room and self._stands == mine:
            self._recent[self._waiting] = prices
            self._waiting += 1
            if self._waiting == _RECENT:
                self._settle()
            return
        self._settle()
        opens, highs, lows, closes, volumes = self._columns
        open_, high, low, close, volume = prices
        if is_all:
            is_new = self._has_room
            if is_new:
                np.copyto(opens, open_, where=self._count == 0)
                self._has_room = False
            np.maximum(highs, high, out=highs)
            np.minimum(lows, low, out=lows)
            closes[:] = close
            volumes += volume
            self._count += 1
            if is_new or self._stands != mine:
                self._window[:] = self._of[:, window : window + 1]
                self._stands = mine.copy()
        elif len(owners) * _MANY >= self._count.shape[1]:
            self._add_many(window, owners, prices)
        else:
            count = self._count[:, owners]
            opens[:, owners] = np.where(count == 0, open_, opens[:, owners])
            highs[:, owners] = np.maximum(highs[:, owners], high)
            lows[:, owners] = np.minimum(lows[:, owners], low)
            closes[:, owners] = close
            volumes[:, owners] += volume
            self._count[:, owners] = count + 1
            self._window[:, owners] = self._of[:, window : window + 1]
        if sources is not None:
            self._has_sources = True
            self._sources[:, owners] = np.maximum(self._sources[:, owners], sources)
        for row, its in enumerate(mine if not is_all else ()):
            stands = self._stands[row]
            if stands == _NONE:
                self._stands[row] = its
            elif stands != its:
                self._stands[row] = _SEVERAL

    def _add_many(self, window: int, owners: Ints, prices: Floats) -> None:
        """Those of all symbols but some."""
        opens, highs, lows, closes, volumes = self._columns
        has = np.zeros(self._count.shape[1], dtype=np.bool_)
        has[owners] = True
        open_, high, low, close, volume = prices.take(has.cumsum() - 1, axis=1)  # anything for those without
        np.copyto(opens, open_, where=has & (self._count == 0))
        np.maximum(highs, high, out=highs, where=has)
        np.minimum(lows, low, out=lows, where=has)
        np.copyto(closes, close, where=has)
        np.add(volumes, volume, out=volumes, where=has)
        self._count += has
        np.copyto(self._window, self._of[:, window : window + 1], where=has)

    def ended_with(self, window: int, owners: Ints) -> Iterator[Ended]:
        """The windows of ``owners`` whose last base bar is the base interval's ``window``, which has come."""
        for row in self._map.ending.get(window, ()):
            self._settle()
            yield from self._close(row, self._windows_of[window][row], owners)

    def end(self, window: int) -> Iterator[Ended]:
        """Whatever is open of the windows that end with the base interval's ``window``."""
        for row in self._map.ending.get(window, ()):
            mine = self._windows_of[window][row]
            if self._stands[row] in (mine, _SEVERAL):
                self._settle()
                yield from self._close(
                    row, mine, np.flatnonzero((self._count[row] > 0) & (self._window[row] == mine))
                )

    def forget(self, owners: Ints) -> None:
        """What is open of these symbols never ends."""
        self._settle()
        for row in range(len(self._stands)):
            self._reset(row, owners)

    def _settle(self) -> None:
        """What waits enters the windows, which are open for all symbols."""
        if not (waiting := self._waiting):
            return
        _, highs, lows, closes, volumes = self._columns
        recent = self._recent[:waiting]
        np.maximum(highs, np.maximum.reduce(recent[:, 1]), out=highs)
        np.minimum(lows, np.minimum.reduce(recent[:, 2]), out=lows)
        closes[:] = recent[-1, 3]
        for volume in recent[:, 4]:  # one by one: sums grow from left to right
            volumes += volume
        self._count += waiting
        self._waiting = 0

    def _close(self, row: int, window: int, owners: Ints) -> Iterator[Ended]:
        expected = self._map.expected[row]
        counts = self._count[row, owners]
        chosen = owners if expected is None else owners[counts == expected[window]]
        if len(chosen):
            counts = counts if len(chosen) == len(owners) else self._count[row, chosen]
            sources = self._sources[row, chosen] if self._has_sources else None
            yield Ended(row, chosen, window, self._prices[:, row, chosen], counts, sources)
        if len(owners) == self._count.shape[1]:
            self._begin(row)
        elif len(owners):
            self._reset(row, owners)

    def _reset(self, row: int, owners: Ints) -> None:
        _, highs, lows, _, volumes = self._columns
        highs[row, owners], lows[row, owners], volumes[row, owners] = -np.inf, np.inf, 0.0
        self._count[row, owners], self._sources[row, owners] = 0, 0
        self._has_room = True
        if not self._count[row].any():
            self._stands[row] = _NONE

    def _begin(self, row: int) -> None:
        """Nothing is open."""
        _, highs, lows, _, volumes = self._columns
        highs[row], lows[row], volumes[row], self._count[row] = -np.inf, np.inf, 0.0, 0
        if self._has_sources:
            self._sources[row] = 0
        self._stands[row], self._has_room = _NONE, True
