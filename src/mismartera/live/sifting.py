"""Sifting: what becomes of bars that are not simply the next ones, by the key of symbol and minute (R1)."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import numpy as np
from numpy.typing import NDArray

from mismartera.bars import BarBlock
from mismartera.live.entry import BACKFILL, LIVE, NOT_KNOWN, REVISED, Entry, Held, Mark, Rows
from mismartera.live.ledger import DayLedger
from mismartera.session.windows import Windows
from mismartera.timing import TradingSession

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
NOWHERE = -1


def windows_of(session: TradingSession, windows: Windows, start: Ints) -> Ints:
    """For each bar start the window that it is of; -1 for what lies outside the session."""
    first, last = session.open_us, session.close_us
    if len(session.parts) == 1 and len(start) and start.min() >= first and start.max() < last:
        return windows.of(start).astype(np.int64)
    found = np.full(len(start), NOWHERE, dtype=np.int64)
    for first, last in session.parts:
        inside = (start >= first) & (start < last)
        found[inside] = windows.of(start[inside])
    return found


class SymbolRows:
    """The bars of each symbol of an answer, those of this session."""

    def __init__(self, block: BarBlock, session: TradingSession, windows: Windows) -> None:
        self._places = {symbol: k for k, symbol in enumerate(block.symbols)}
        found, prices, sizes = (
            windows_of(session, windows, block.start),
            np.stack(block.columns),
            block.rows_per_symbol,
        )
        self._outside = np.zeros(len(block.symbols), dtype=np.int64)
        inside = found != NOWHERE
        if not inside.all():
            self._outside = np.bincount(block.row_symbols()[~inside], minlength=len(sizes))
            found, prices = found[inside], prices[:, inside]
        self._cuts: list[int] = np.concatenate(([0], np.cumsum(sizes - self._outside))).tolist()
        self._windows, self._prices = found, prices

    def __call__(self, symbol: str) -> tuple[Ints, Floats] | None:
        """Windows and prices (a row per column) of ``symbol``; None if the block does not have it."""
        if (k := self._places.get(symbol)) is None:
            return None
        rows = slice(self._cuts[k], self._cuts[k + 1])
        return self._windows[rows], self._prices[:, rows]

    def outside(self, symbol: str) -> int:
        """How many bars of ``symbol`` lie outside the session."""
        return int(self._outside[self._places[symbol]])


class Merge:
    """The bars of one symbol that are new or different, brought together from several places."""

    def __init__(self, ledger: DayLedger, entry: Entry) -> None:
        self._ledger = ledger
        self._entry = entry
        self._known = ledger.marks[entry.index] >= Mark.HAS_BAR
        self._found: dict[int, tuple[tuple[float, ...], int]] = {}
        self._old: dict[int, tuple[float, ...]] = {}

    @property
    def filled(self) -> list[int]:
        """The windows that had no bar before."""
        return sorted(window for window in self._found if not self._known[window])

    def backfilled(self, window: Ints, prices: Floats, *, counts_duplicates: bool) -> None:
        """Bars of the vendor's store, sorted, each once: what differs from what we have is right."""
        ledger, entry = self._ledger, self._entry
        known = self._known[window]
        rows = prices.T.tolist()
        for at in np.flatnonzero(~known).tolist():
            self._found[int(window[at])] = (tuple(rows[at]), BACKFILL)
        ledger.count(entry, "accepted", int((~known).sum()))
        if known.any():
            ours = ledger.values(entry, window[known])
            differ = (ours != prices[:, known]).any(axis=0)
            changed = [at for at in np.flatnonzero(known)[differ].tolist() if self._is_news(window[at], rows[at])]
            for at in changed:
                self._found[int(window[at])] = (tuple(rows[at]), REVISED)
            ledger.count(entry, "revised", len(changed))
            self._has_corrections(window[known][~differ].tolist())
            if counts_duplicates:
                ledger.count(entry, "duplicate", len(differ) - len(changed))

    def _is_news(self, window: int, prices: Sequence[float]) -> bool:
        """False for values that a correction has replaced: the vendor's store may be behind its stream.

        Of one that came first for its minute that is the first that differs.
        """
        self._learn(int(window), tuple(prices))
        return tuple(prices) not in self._entry.corrected.get(int(window), ())

    def _learn(self, window: int, prices: tuple[float, ...]) -> None:
        """Of a minute with a correction, others than its own: what it has replaced, if that is not known."""
        replaced = self._entry.corrected.get(window, [])
        if NOT_KNOWN in replaced and prices not in replaced:
            replaced[replaced.index(NOT_KNOWN)] = prices

    def _has_corrections(self, windows: Iterable[int]) -> None:
        """The vendor's store has what we have: it is behind no correction, and what differs later is newer."""
        for window in self._entry.corrected.keys() & windows:
            self._entry.corrected[window] = [old for old in self._entry.corrected[window] if old != NOT_KNOWN]

    def fetched(self, rows_of: SymbolRows) -> None:
        """What the vendor's store has of the symbol."""
        if (found := rows_of(self._entry.symbol)) is None:
            return
        if outside := rows_of.outside(self._entry.symbol):
            self._ledger.count(self._entry, "out_of_hours", outside)
        self.backfilled(*found, counts_duplicates=True)

    def arrived(self, held: Iterable[Held], *, late_fate: str = "accepted") -> None:
        """Bars of the stream, in their order. A correction is right, and what it corrects may come again; where a
        plain bar differs from the vendor's store, that is.
        """
        corrected = self._entry.corrected
        for bar in held:
            present = self._present(bar.window)
            if bar.is_correction:
                replaced = corrected.setdefault(bar.window, [])
                replaced += [present or NOT_KNOWN] if present != bar.prices else []
            if present is None:
                self._found[bar.window] = (bar.prices, LIVE)
                self._ledger.count(self._entry, late_fate)
            elif present == bar.prices or (bar.window in corrected and not bar.is_correction):
                self._ledger.count(self._entry, "duplicate")
                if present != bar.prices:
                    self._learn(bar.window, bar.prices)
            else:
                self._ledger.count(self._entry, "revised")
                is_backfilled = self._found.get(bar.window, (None, LIVE))[1] != LIVE
                if bar.is_correction or not is_backfilled:
                    self._found[bar.window] = (bar.prices, REVISED)

    def rows(self) -> Rows:
        """What was found, by time."""
        windows = sorted(self._found)
        prices = np.array([self._found[w][0] for w in windows], dtype=np.float64).reshape(-1, 5).T.copy()
        sources = np.array([self._found[w][1] for w in windows], dtype=np.uint8)
        return Rows(np.array(windows, dtype=np.int64), prices, sources)

    def _present(self, window: int) -> tuple[float, ...] | None:
        if window in self._found:
            return self._found[window][0]
        if not self._known[window]:
            return None
        if window not in self._old:
            values = self._ledger.values(self._entry, np.array([window]))[:, 0]
            self._old[window] = tuple(values.tolist())
        return self._old[window]
