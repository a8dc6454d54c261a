"""The symbols that are wanted of a feed, whatever its connection does."""

from __future__ import annotations

import threading
from collections.abc import Iterable, Mapping

from mismartera.bars import check_symbol


class Desired:
    """The wanted symbols, in the order in which they were wanted. From any thread; a snapshot never changes."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._symbols: dict[str, int] = {}
        self._times = 0

    @property
    def symbols(self) -> dict[str, int]:
        """The symbols as the keys of a dict: ordered, and quick to look up. The number of one that is wanted again
        is another.
        """
        return self._symbols

    def add(self, symbols: Iterable[str]) -> None:
        """Want ``symbols`` too; SymbolError for what is none, and then nothing changes."""
        names = dict.fromkeys(check_symbol(symbol) for symbol in symbols)
        with self._lock:
            self._times += 1
            self._symbols = self._symbols | {name: self._symbols.get(name, self._times) for name in names}

    def dropped(self, followed: Mapping[str, int]) -> list[str]:
        """Of symbols that somebody follows, with their numbers then: those that are wanted no more, or anew."""
        wanted = self._symbols
        return [symbol for symbol, number in followed.items() if wanted.get(symbol) != number]

    def discard(self, symbols: Iterable[str]) -> None:
        """Want ``symbols`` no more."""
        gone = frozenset(symbols)
        with self._lock:
            self._symbols = {symbol: number for symbol, number in self._symbols.items() if symbol not in gone}
