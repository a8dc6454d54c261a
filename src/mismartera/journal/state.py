"""JournalState: what a session had come to, from its journal's entries alone.

Any prefix of them gives the state at that point, and an entry that comes again changes nothing.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from msgspec import Struct

_OF_SYMBOLS = {
    "symbol_pending": "pending", "symbol_loaded": "loaded", "symbol_failed": "failed",
}  # fmt: skip


class Stay(Struct):
    """A symbol of the session, since it was added last. ``generation`` counts its stays."""

    symbol: str
    streams: tuple[str, ...] | None
    generation: int
    state: str = "pending"
    reason: str = ""


class JournalState(Struct):
    """The symbols in rank order, the session's own state, and the schedule's entries that have acted.

    ``seq`` is that of the last entry that was taken; earlier ones are passed over.
    """

    seq: int = 0
    date: str | None = None
    state: str = "closed"
    reason: str = ""
    time_us: int = 0
    acted: set[str] = set()
    signals: int = 0
    strategy_errors: list[str] = []
    generations: dict[str, int] = {}
    _stays: dict[str, Stay] = {}

    @property
    def symbols(self) -> tuple[Stay, ...]:
        """Those that the session has or is about to have, in rank order."""
        return tuple(self._stays.values())

    def configured(self, symbols: Mapping[str, tuple[str, ...] | None], generations: Mapping[str, int]) -> None:
        """The symbols that the session began with, before any entry."""
        self.generations = dict(generations)
        for symbol, streams in symbols.items():
            self._enter(symbol, streams)

    def command(self, seq: int, row: Mapping[str, Any]) -> None:
        """A row of ``commands``."""
        if not self._is_next(seq, row["time_us"]):
            return
        symbol, what = row["symbol"], row["what"]
        if what == "acted":
            self.acted.add(row["who"])
        elif not row["accepted"]:
            return
        elif what == "add":
            self._enter(symbol, tuple(row["streams"].split(",")) if row["streams"] else None)
        elif what == "remove":
            self._stays.pop(symbol, None)

    def event(self, seq: int, time_us: int, name: str, fields: Mapping[str, Any]) -> None:
        """A row of ``events``."""
        if not self._is_next(seq, time_us):
            return
        if name in _OF_SYMBOLS:
            self._told_of_symbol(name, fields)
        elif name == "session_opened":
            self.date = fields["date"]
        elif name in {"session_activated", "session_deactivated"}:
            self.state, self.reason = name.removeprefix("session_"), fields["reason"]
        elif name == "session_state":
            self.state, self.reason = fields["to"], fields["reason"]
        elif name == "signal":
            self.signals += 1
        elif name == "strategy_error":
            self.strategy_errors.append(f"{fields['strategy']}: {fields['error']}")

    def _told_of_symbol(self, name: str, fields: Mapping[str, Any]) -> None:
        stay = self._stays.get(fields["symbol"])
        if stay is not None:
            stay.state, stay.reason = _OF_SYMBOLS[name], fields["reason"]

    def _enter(self, symbol: str, streams: tuple[str, ...] | None) -> None:
        generation = self.generations[symbol] = self.generations.get(symbol, 0) + 1
        self._stays.pop(symbol, None)  # a symbol that comes again ranks last
        self._stays[symbol] = Stay(symbol, streams, generation)

    def _is_next(self, seq: int, time_us: int) -> bool:
        if seq <= self.seq:
            return False
        self.seq, self.time_us = seq, max(self.time_us, time_us)
        return True
