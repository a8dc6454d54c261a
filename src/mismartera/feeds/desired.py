"""The symbols that are wanted of a feed, whatever its connection does."""

from __future__ import annotations

import threading
from collections.abc import Iterable

from mismartera.bars import check_symbol


class Desired:
    """The wanted symbols, in the order in which they were wanted. From any thread; a snapshot never changes."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._symbols: dict[str, None] = {}

    @property
    def symbols(self) -> dict[str, None]:
        """The symbols as the keys of a dict: ordered, and quick to look up."""
        return self._symbols

    def add(self, symbols: Iterable[str]) -> None:
        """Want ``symbols`` too; SymbolError for what is none, and then nothing changes."""
        names = dict.fromkeys(check_symbol(symbol) for symbol in symbols)
        with self._lock:
            self._symbols = self._symbols | names

    def discard(self, symbols: Iterable[str]) -> None:
        """Want ``symbols`` no more."""
        gone = frozenset(symbols)
        with self._lock:
            self._symbols = {symbol: None for symbol in self._symbols if symbol not in gone}
