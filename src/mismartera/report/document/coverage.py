"""Quality by time of day: how many of the expected base bars each symbol had in each half hour since the open.

Events name gaps, not what was expected. So a closed session expects of each symbol that was loaded at its close
all slots of its base interval from open to close, but for stretches (a lunch break) in which nobody had a bar or
a gap.
"""

from __future__ import annotations

from collections import Counter

from mismartera.bars.instants import MINUTE_US

CELL_US = 30 * MINUTE_US
SYMBOLS_MAX = 1000
"""Symbols that are measured."""


class Coverage:
    """Counts per symbol and cell; a cell is half an hour after the open."""

    def __init__(self) -> None:
        self.expected_us: dict[str, Counter[int]] = {}
        self.missing_us: dict[str, Counter[int]] = {}
        self.gaps: Counter[str] = Counter()
        self.missing: Counter[str] = Counter()
        self._left_out: set[str] = set()
        self._open_us = 0
        self._busy: set[int] = set()

    def opened(self, at_us: int) -> None:
        """A session begins."""
        self._open_us = at_us
        self._busy = set()

    def bar(self, start_us: int) -> None:
        """Somebody had a bar there."""
        self._busy.add((start_us - self._open_us) // CELL_US)

    def gap(self, symbol: str, from_us: int, to_us: int, missing: int) -> None:
        """``missing`` base bars of ``symbol`` are not there in ``[from_us, to_us)``."""
        self.gaps[symbol] += 1
        self.missing[symbol] += missing
        cells = self._cells(symbol, self.missing_us)
        for cell, part_us in self._split(from_us, to_us):
            self._busy.add(cell)
            if cells is not None:
                cells[cell] += part_us

    def closed(self, at_us: int, loaded: list[str]) -> None:
        """The session is over: all of ``loaded`` are measured over it."""
        spans = [(cell, part) for cell, part in self._split(self._open_us, at_us) if cell in self._busy]
        for symbol in loaded:
            cells = self._cells(symbol, self.expected_us)
            if cells is None:
                self._left_out.add(symbol)
                continue
            for cell, part_us in spans:
                cells[cell] += part_us

    def percent(self, symbol: str, cell: int) -> float | None:
        """Present of expected in ``cell``; None where nothing was expected."""
        expected = self.expected_us.get(symbol, Counter[int]())[cell]
        if not expected:
            return None
        missing = self.missing_us.get(symbol, Counter[int]())[cell]
        return max(0.0, 100.0 * (1 - missing / expected))

    def worst(self) -> list[str]:
        """The measured symbols, those with the most missing bars first, then in the order of their coming."""
        return sorted(self.expected_us, key=lambda symbol: -self.missing[symbol])

    @property
    def measured(self) -> int:
        """Symbols that a closed session measured, shown or not."""
        return len(self.expected_us) + len(self._left_out)

    def cells(self) -> list[int]:
        """All cells in which something was expected, in order."""
        return sorted({cell for cells in self.expected_us.values() for cell in cells if cell >= 0})

    def _cells(self, symbol: str, among: dict[str, Counter[int]]) -> Counter[int] | None:
        found = among.get(symbol)
        if found is None and len(among) < SYMBOLS_MAX:
            found = among[symbol] = Counter()
        return found

    def _split(self, from_us: int, to_us: int) -> list[tuple[int, int]]:
        parts = []
        at = from_us
        while at < to_us:
            cell = (at - self._open_us) // CELL_US
            end = min(to_us, self._open_us + (cell + 1) * CELL_US)
            parts.append((cell, end - at))
            at = end
        return parts
