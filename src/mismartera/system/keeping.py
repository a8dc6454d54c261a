"""Keepers: what becomes of the bars that a live session has accepted."""

from __future__ import annotations

from collections.abc import Callable

from mismartera.bars import BarBlock
from mismartera.catalog import DataManager
from mismartera.catalog.flush import BarFlusher

_TIDY_SECONDS = 60.0


class StoreKeeper:
    """Writes them to the store, on a thread of its own."""

    def __init__(self, data: DataManager, warn: Callable[[str], None]) -> None:
        self._data = data
        self._flusher = BarFlusher(data, warn)

    def put(self, interval: str, block: BarBlock) -> bool:
        """Keep ``block`` soon."""
        return self._flusher.put(interval, block)

    def write(self, interval: str, block: BarBlock) -> None:
        """Keep ``block`` now; afterwards there is a store, if an empty one."""
        if not self._data.exists():
            self._data.make()
        if len(block):
            self._data.write_block(interval, block)

    def tidy(self) -> None:
        """Keep all that was put, and make one file of the day's many."""
        if self._flusher.flush(_TIDY_SECONDS) and self._data.exists():
            self._data.compact()

    def stop(self) -> bool:
        """Return when all that was put is in the store."""
        return self._flusher.stop()


class NoKeeper:
    """Keeps nothing: a replay comes from a store that has it all."""

    def put(self, interval: str, block: BarBlock) -> None:
        """Nothing."""

    def write(self, interval: str, block: BarBlock) -> None:
        """Nothing."""

    def tidy(self) -> None:
        """Nothing."""

    def stop(self) -> None:
        """Nothing."""
