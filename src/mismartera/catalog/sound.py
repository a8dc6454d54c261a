"""Reading what is sound: a damaged file is told of once, left out, and the rest is read."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import TypeVar

from mismartera.catalog.delta import DeltaStore
from mismartera.catalog.quarantine import AGAIN
from mismartera.catalog.snapshot import Snapshot
from mismartera.catalog.verify import Damage, DamagedError

_T = TypeVar("_T")


class SoundReads:
    """Reads of a store without the files that were found to be damaged. Safe to use from several threads.

    Reading changes nothing on the disk: it may not be ours to change. The next write that meets a damaged file, or
    ``mismartera data check --repair``, takes it out of the store.
    """

    def __init__(self, store: DeltaStore) -> None:
        self._store = store
        self._damages: dict[str, Damage] = {}
        self._seen: tuple[Snapshot, Snapshot] | None = None

    @property
    def damages(self) -> tuple[Damage, ...]:
        """What was found so far, in order."""
        return tuple(self._damages.values())

    def read(self, read: Callable[[Snapshot], _T]) -> _T:
        """``read`` of the version in use, again without the files that it found to be damaged."""
        while True:
            try:
                return read(self._sound())
            except DamagedError as error:
                fresh = [damage for damage in error.damages if damage.file.path not in self._damages]
                if not fresh:  # the same again: another thread was quicker, and what we read is from before
                    continue
                self._leave_out(fresh)

    def _leave_out(self, damages: list[Damage]) -> None:
        self._damages |= {damage.file.path: damage for damage in damages}
        self._seen = None
        for damage in damages:
            self._store.warn(
                f"{damage}; it is left out: `mismartera data check --repair` takes it out "
                f"of the store, then {AGAIN}"
            )

    def _sound(self) -> Snapshot:
        snapshot, seen = self._store.snapshot(), self._seen
        if not self._damages:
            return snapshot
        if seen is None or seen[0] is not snapshot:
            files = tuple(file for file in snapshot.files if file.path not in self._damages)
            seen = self._seen = snapshot, replace(snapshot, files=files)
        return seen[1]
