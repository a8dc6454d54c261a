"""Where derived windows begin and end along the base bars, and what comes of one that has ended."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from msgspec import Struct
from numpy.typing import NDArray

from mismartera.session.derive import complete, expected_bars
from mismartera.session.growing import GrowingBlock
from mismartera.session.series import SeriesBlock

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
Codes = NDArray[np.uint8]


class Ended(Struct, frozen=True, eq=False):
    """A window of the derived interval ``row`` has ended for ``owners``; the columns as in ``Grown``."""

    row: int
    owners: Ints
    window: int
    prices: Floats
    counts: Ints
    sources: Codes | None


class Closed(Struct, frozen=True, eq=False):
    """The bars of ``block`` have ended; where each comes from."""

    block: SeriesBlock
    sources: Codes


class DerivedWindows:
    """The windows of several derived intervals, a row for each.

    ``of[row, w]``: the window that holds the base interval's window ``w``; ``windows_of[w]`` lists them for all
    rows. ``ending[w]``: the rows whose window ends with ``w``. ``expected[row]``: how many base bars a window must
    have, None if any number will do.
    """

    def __init__(self, derived: Sequence[GrowingBlock], base: GrowingBlock, *, complete_only: bool) -> None:
        self._base = base
        self._last: list[Ints] = []
        self.ending: dict[int, list[int]] = {}
        self.expected: list[Ints | None] = []
        found: list[Ints] = []
        for row, block in enumerate(derived):
            of_base = block.windows.of(base.windows.start).astype(np.int64)
            last = np.append(np.flatnonzero(np.diff(of_base)), len(of_base) - 1)
            found.append(of_base)
            self._last.append(last)
            self.expected.append(
                expected_bars(base.session, base.interval, block.windows) if complete_only else None
            )
            for window in last.tolist():
                self.ending.setdefault(window, []).append(row)
        self.of = np.array(found, dtype=np.int64).reshape(len(derived), len(base.windows))
        self.windows_of: list[list[int]] = self.of.T.tolist()

    def split(
        self, row: int, found: SeriesBlock, base: SeriesBlock, base_sources: Codes, ended: int
    ) -> tuple[Closed, list[tuple[int, int]]]:
        """``found``, derived of ``base``: the bars whose windows have ended, and of the others the place in
        ``found`` and the highest source.

        ``ended``: nothing more is waited for of the base windows before this one.
        """
        newest = np.full(len(found.symbols), -1)
        np.maximum.at(newest, base.owner, base.window.astype(np.int64))
        is_closed = self._last[row][found.window] <= np.maximum(newest[found.owner], ended - 1)
        table = np.zeros((len(found.symbols), len(found.windows)), dtype=np.uint8)
        np.maximum.at(table, (base.owner, self.of[row][base.window]), base_sources)
        sources = table[found.owner, found.window].tolist()
        still_open = [(at, sources[at]) for at in np.flatnonzero(~is_closed).tolist()]
        closed = found if is_closed.all() else found.select(
            found.symbols, np.ones(len(found.symbols), dtype=np.bool_), is_closed
        )  # fmt: skip
        if self.expected[row] is not None:
            closed = complete(closed, self._base.interval)
        return Closed(closed, table[closed.owner, closed.window]), still_open
