"""FewOpenWindows: what OpenWindows is, for a few symbols: plain Python is faster than NumPy for those."""

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
FEW_SYMBOLS = 16


class _Open:
    """A window of one symbol. The sum grows from left to right, from 0."""

    __slots__ = ("close", "count", "high", "low", "open", "source", "volume", "window")

    def __init__(self, window: int, open_: float, high: float, low: float, close: float, volume: float) -> None:
        self.window = window
        self.open, self.high, self.low, self.close, self.volume = open_, high, low, close, 0.0 + volume
        self.count, self.source = 1, 0


class FewOpenWindows:
    """The same contract as :class:`~mismartera.session.opened.OpenWindows`, bit for bit."""

    def __init__(self, derived: Sequence[GrowingBlock], base: GrowingBlock, *, complete_only: bool) -> None:
        self._map = DerivedWindows(derived, base, complete_only=complete_only)
        self._open: list[list[_Open | None]] = [[None] * len(base.symbols) for _ in derived]
        self._has_sources = False

    def put(self, row: int, found: SeriesBlock, base: SeriesBlock, base_sources: Codes, ended: int) -> Closed:
        """See :meth:`OpenWindows.put`."""
        closed, still_open = self._map.split(row, found, base, base_sources, ended)
        for at, source in still_open:
            values = (found.open[at], found.high[at], found.low[at], found.close[at], found.volume[at])
            window = _Open(int(found.window[at]), *map(float, values))
            window.count, window.source = int(found.bar_count[at]), source
            self._has_sources |= bool(source)
            self._open[row][int(found.owner[at])] = window
        return closed

    def passed_by(self, window: int, owners: Ints) -> Iterator[Ended]:
        """See :meth:`OpenWindows.passed_by`."""
        places = owners.tolist()
        for row, mine in enumerate(self._map.windows_of[window]):
            stand = self._open[row]
            passed = [k for k in places if (its := stand[k]) is not None and its.window != mine]
            if not passed:
                continue
            for earlier in sorted({its.window for k in passed if (its := stand[k]) is not None}):
                yield from self._close(
                    row, [k for k in passed if (its := stand[k]) is not None and its.window == earlier]
                )

    def add(self, window: int, owners: Ints, prices: Floats, sources: Codes | None) -> None:
        """See :meth:`OpenWindows.add`."""
        places, bars = owners.tolist(), list(zip(*prices.tolist(), strict=True))
        codes = [0] * len(places) if sources is None else sources.tolist()
        self._has_sources |= sources is not None
        for stand, mine in zip(self._open, self._map.windows_of[window], strict=True):
            for k, bar, code in zip(places, bars, codes, strict=True):
                its = stand[k]
                if its is None:
                    its = stand[k] = _Open(mine, *bar)
                else:
                    _, high, low, its.close, volume = bar
                    its.high = max(high, its.high)
                    its.low = min(low, its.low)
                    its.volume += volume
                    its.count += 1
                its.source = max(its.source, code)

    def ended_with(self, window: int, owners: Ints) -> Iterator[Ended]:
        """See :meth:`OpenWindows.ended_with`."""
        for row in self._map.ending.get(window, ()):
            yield from self._close(row, owners.tolist())

    def end(self, window: int) -> Iterator[Ended]:
        """See :meth:`OpenWindows.end`."""
        for row in self._map.ending.get(window, ()):
            mine = self._map.windows_of[window][row]
            stand = self._open[row]
            yield from self._close(row, [k for k, its in enumerate(stand) if its and its.window == mine])

    def forget(self, owners: Ints) -> None:
        """See :meth:`OpenWindows.forget`."""
        for stand in self._open:
            for k in owners.tolist():
                stand[k] = None

    def _close(self, row: int, places: Sequence[int]) -> Iterator[Ended]:
        """The windows of one row that the symbols at ``places`` have open, which are one and the same."""
        stand, expected = self._open[row], self._map.expected[row]
        found = [(k, its) for k in places if (its := stand[k]) is not None]
        for k, _ in found:
            stand[k] = None
        if expected is not None:
            found = [(k, its) for k, its in found if its.count == expected[its.window]]
        if found:
            rows = [(its.open, its.high, its.low, its.close, its.volume) for _, its in found]
            prices = np.array(list(zip(*rows, strict=True)))
            yield Ended(
                row, np.array([k for k, _ in found]), found[0][1].window, prices,
                np.array([its.count for _, its in found]),
                np.array([its.source for _, its in found], dtype=np.uint8) if self._has_sources else None,
            )  # fmt: skip
