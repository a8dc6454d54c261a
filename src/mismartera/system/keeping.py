"""Keepers: what becomes of the bars that a live session has accepted."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import ExitStack

from mismartera.bars import BarBlock
from mismartera.catalog import DataManager, claim_session, leased, vacuum
from mismartera.catalog.flush import BarFlusher
from mismartera.errors import StoreError
from mismartera.files.lock import FileLock

_TIDY_SECONDS = 60.0


class StoreKeeper:
    """Writes them to the store, on a thread of its own, and as the one live session that does."""

    def __init__(self, data: DataManager, warn: Callable[[str], None]) -> None:
        self._data = data
        self._warn = warn
        self._claim: FileLock | None = None
        self._flusher = BarFlusher(data, warn)

    def open(self) -> None:
        """Before anything else; StoreError if another live session writes to the store."""
        if self._claim is None:
            self._claim = claim_session(self._data.path)

    def close(self) -> None:
        """At last; nothing if it was not opened."""
        claim, self._claim = self._claim, None
        if claim is not None:
            claim.release()

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
        """Keep all that was put, make one file of the day's many, and forget what is older than the retention."""
        if self._flusher.flush(_TIDY_SECONDS) and self._data.exists():
            try:
                self._data.compact()
                vacuum(self._data.path, warn=self._warn)
            except StoreError as error:
                self._warn(f"the store was not tidied: {error}; its bars are all there")

    def stop(self) -> bool:
        """Return when all that was put is in the store."""
        return self._flusher.stop()


class NoKeeper:
    """Keeps nothing: a replay comes from a store that has it all, and needs it until its end."""

    def __init__(self, data: DataManager) -> None:
        self._data = data
        self._lease = ExitStack()
        self._is_open = False

    def open(self) -> None:
        """From now on no vacuum takes away what the run reads."""
        if not self._is_open:
            self._is_open = True
            self._lease.enter_context(leased(self._data))

    def close(self) -> None:
        """The run reads no more."""
        self._lease.close()

    def put(self, interval: str, block: BarBlock) -> None:
        """Nothing."""

    def write(self, interval: str, block: BarBlock) -> None:
        """Nothing."""

    def tidy(self) -> None:
        """Nothing."""

    def stop(self) -> None:
        """Nothing."""
