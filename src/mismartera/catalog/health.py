"""The store's health: every file of the log and every data file verified in full, and what is damaged repaired."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import polars as pl
from msgspec import Struct

from mismartera.catalog.delta import DeltaStore
from mismartera.catalog.files import read_files
from mismartera.catalog.layout import DataFile, day_label
from mismartera.catalog.lock import write_lock
from mismartera.catalog.logbook import LogFault
from mismartera.catalog.quarantine import join_doubles, mend_log, quarantine
from mismartera.catalog.remote import open_at
from mismartera.catalog.snapshot import Snapshot
from mismartera.catalog.verify import Damage, damage_of, is_sealed
from mismartera.catalog.writer import ready
from mismartera.errors import StoreError

_WORKERS = 2


class StoreHealth(Struct, frozen=True):
    """What a full look at the newest version found. ``files`` were verified; of them ``unsealed`` have no digest:
    another tool, or an early version of this one, wrote them, and a flipped bit may go unnoticed there.
    """

    version: int
    files: int
    unsealed: int
    log_faults: tuple[LogFault, ...]
    damages: tuple[Damage, ...]
    doubles: tuple[str, ...]
    """Partitions in which a key stands in two files."""

    @property
    def problems(self) -> list[str]:
        """Everything that is wrong, each in a sentence."""
        return [*map(str, self.log_faults), *map(str, self.damages), *self.doubles]


def examine(address: str | Path) -> StoreHealth:
    """Verify the store at ``address``; changes nothing. StoreError if there is none, or nothing can be read.

    Of a store that is no folder the newest version's data files alone are verified.
    """
    return _examined(open_at(address))


def repair(address: str | Path, warn: Callable[[str], None]) -> StoreHealth:
    """Take what is damaged out of the store and move it aside; ``warn`` is told what was done, file by file.

    Returns what was found before. A log entry that is damaged is replaced by what can be told of it.
    """
    store = open_at(address, warn=warn)
    if store.is_remote:
        raise StoreError(f"the store {address} can only be read: repair the one that it was copied from")
    found = _examined(open_at(address))
    if not found.problems:
        return found
    with write_lock(store.path):
        ready(store)
        mend_log(store, store.log.faults())
        damages = _damages(store.snapshot().files)
        if damages:
            quarantine(store, damages)
        join_doubles(store)
    return found


def _examined(store: DeltaStore) -> StoreHealth:
    snapshot = store.snapshot()
    damages = _damages(snapshot.files)
    return StoreHealth(
        snapshot.version, len(snapshot.files), sum(not is_sealed(file) for file in snapshot.files),
        () if store.is_remote else tuple(store.log.faults()), tuple(damages), tuple(_doubles(snapshot, damages)),
    )  # fmt: skip


def _damages(files: tuple[DataFile, ...]) -> list[Damage]:
    with ThreadPoolExecutor(_WORKERS) as pool:
        reasons = list(pool.map(damage_of, files))
    return [Damage(file, reason) for file, reason in zip(files, reasons, strict=True) if reason]


def _doubles(snapshot: Snapshot, damages: list[Damage]) -> list[str]:
    broken = {damage.file.path for damage in damages}
    found = []
    for (interval, day), files in snapshot.partitions.items():
        whole = [file for file in files if file.path not in broken]
        keys = read_files(whole, ["symbol", "timestamp"]) if len(whole) > 1 else None
        if keys is not None and keys.select(pl.struct(pl.all()).is_duplicated().any()).item():
            found.append(f"the {interval} bars of {day_label(day)} stand in two files with the same keys")
    return found
