"""Figures per symbol that the summary does not have: derived bars, gaps, changes of state."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from datetime import date

from mismartera.bars import BASE_INTERVALS, Bar, Bars, parse_interval
from mismartera.session.ports import Field, Reads

_STATES = {
    "symbol_pending": "pending",
    "symbol_loaded": "loaded",
    "symbol_failed": "failed",
    "symbol_removed": "removed",
}


class SymbolFigures:
    """A sink and a recorder that counts, for the table at the end of a run.

    ``derived_bars`` are those of finished ``sessions``: the tally has those of others. ``changes``: events that
    name the symbol, whether its own state changed or it made the session's change.
    """

    wants_bars = wants_gaps = False

    def __init__(self) -> None:
        self.sessions: Counter[str] = Counter()
        self.derived_bars: Counter[str] = Counter()
        self.changes: Counter[str] = Counter()
        self.states: dict[str, str] = {}

    def event(self, name: str, now_us: int, fields: Mapping[str, Field]) -> None:  # noqa: ARG002  # a sink's signature
        """Count an event that names a symbol."""
        symbol = fields.get("symbol")
        if not isinstance(symbol, str):
            return
        self.changes[symbol] += 1
        if name in _STATES:
            self.states[symbol] = _STATES[name]

    def bar(self, bar: Bar) -> None:
        """Never called: this sink wants no bars."""

    def record(
        self, day: date, symbols: Sequence[str], intervals: Mapping[str, Sequence[str]], data: Reads  # noqa: ARG002
    ) -> None:  # fmt: skip
        """Count the derived bars of a finished session."""
        self.sessions.update(symbols)
        for symbol in symbols:
            for label in intervals[symbol]:
                bars = data.get_bars(symbol, label, internal=True)
                if bars is not None and _is_derived(bars):
                    self.derived_bars[symbol] += len(bars)


def _is_derived(bars: Bars) -> bool:
    """Bars of several base bars are derived, and so is what can be no base interval."""
    return len(bars) > 0 and (parse_interval(bars.interval) not in BASE_INTERVALS or int(bars.bar_count.max()) > 1)
