"""What becomes of damaged files: a commit takes them out of the table, they are moved aside, none is deleted.

A damaged entry of the log is replaced by one that adds what can be told of it: the data files that were made at
its time and that no other entry knows. Both need the store's write lock. Each step may be the last before a crash:
what is left is found, and carried on with, the next time.
"""

from __future__ import annotations

import uuid
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path

import polars as pl

from mismartera.catalog.actions import (
    Action,
    add_action,
    log_entry,
    metadata_action,
    protocol_action,
    read_entry,
    schema_json,
)
from mismartera.catalog.delta import DeltaStore
from mismartera.catalog.files import read_verified, write_file
from mismartera.catalog.layout import DataFile
from mismartera.catalog.logbook import POINTER_NAME, Logbook, LogFault
from mismartera.catalog.upsert import merge
from mismartera.catalog.verify import Damage, DamagedError, described
from mismartera.errors import StoreError
from mismartera.files.durable import discard, make_folders, move, rewrite

QUARANTINE_NAME = "_quarantine"
"""The folder, inside the store's, to which damaged files are moved."""

AGAIN = "import their source again, or let a live session's backfill bring them"


def quarantine(store: DeltaStore, damages: Sequence[Damage]) -> None:
    """Take damaged data files out of the table, by a commit, and move them aside; ``store.warn`` names each."""
    store.commit([], [damage.file for damage in damages], "quarantine")
    for damage in damages:
        path = Path(damage.file.path)
        aside = _aside(store.path, damage.file.relative.replace("/", "."))
        with suppress(FileNotFoundError):
            _moved(path, aside)
        where = f"moved to {aside}" if aside.exists() else "it was not there"
        store.warn(f"{damage}; it was taken out of the store ({where}): its bars are missing now; {AGAIN}")


def repair_log(store: DeltaStore) -> None:
    """Make the log whole again; ``store.warn`` tells of each of its files that was not."""
    while store.faults:
        faults = store.faults
        mend_log(store, faults)
        if store.faults == faults:
            raise StoreError(f"{faults[0]}; it could not be mended: import the store's sources into a new one")
    join_doubles(store)


def mend_log(store: DeltaStore, faults: Sequence[LogFault]) -> None:
    """Put something in the place of each of ``faults``, and open the table again."""
    for fault in faults:
        if fault.is_entry:
            _replace_entry(store, fault)
        else:
            discard(store.log.folder / POINTER_NAME)
            _moved(fault.path, _aside(store.path, fault.path.name))
            store.warn(f"{fault}; it was moved aside: the log is read from an earlier one")
    if faults:
        store.reload()


def _replace_entry(store: DeltaStore, fault: LogFault) -> None:
    """Put an entry that adds the files which only the damaged one can have added in its place."""
    found = _orphans(store, fault)
    stamp_ms = max((int(Path(file.path).stat().st_mtime * 1000) for file in found), default=0)
    actions: list[Action] = [add_action(file, stamp_ms) for file in found]
    if fault.version == 0:
        actions = [protocol_action(), metadata_action(str(uuid.uuid4()), schema_json(()), stamp_ms), *actions]
    aside = _aside(store.path, fault.path.name)
    with suppress(FileNotFoundError):
        make_folders(aside.parent)
        rewrite(aside, fault.path.read_bytes())
    rewrite(fault.path, log_entry(actions, "WRITE", f"in place of a damaged entry: {fault.reason}", stamp_ms))
    store.warn(
        f"{fault}; a copy is kept as {aside}, and in its place stands what can be told of it: "
        f"{len(found)} files of bars, of which the newest values count"
    )


def _orphans(store: DeltaStore, fault: LogFault) -> list[DataFile]:
    """Whole sealed files that no entry names, made before the next entry was, and after the one before."""
    book = store.log
    known = _named(book)
    before, after = book.entry(fault.version - 1), book.entry(fault.version + 1)
    first = before.stat().st_mtime_ns if before.exists() else 0
    last = after.stat().st_mtime_ns if after.exists() else None
    found = []
    for path in sorted(store.path.glob("interval=*/date=*/*.parquet")):
        made = path.stat().st_mtime_ns
        if path.relative_to(store.path).as_posix() in known or made < first or (last is not None and made > last):
            continue
        with suppress(DamagedError):
            found.append(described(store.path, path))
    return found


def _named(book: Logbook) -> set[str]:
    """The data files that stand in any entry of the log that can be read, or in any checkpoint."""
    names: set[str] = set()
    for version in book.versions():
        with suppress(ValueError):
            for action in read_entry(book.entry(version)):
                names |= {value["path"] for kind, value in action.items() if kind in {"add", "remove"}}
    for version, parts in book.checkpoints().items():
        if book.checkpoint_fault(version, parts) is None:
            for path in parts:
                for row in pl.read_parquet(path, columns=["add", "remove"]).iter_rows(named=True):
                    names |= {value["path"] for value in row.values() if value and value["path"]}
    return names


def join_doubles(store: DeltaStore) -> None:
    """Where files of a partition share keys, make one file of them, in which the youngest file's values count."""
    added: list[DataFile] = []
    removed: list[DataFile] = []
    for (interval, day), files in store.refresh().partitions.items():
        if len(files) < 2:
            continue
        youngest_last = sorted(files, key=lambda file: Path(file.path).stat().st_mtime_ns)
        merged = merge(None, read_verified(youngest_last))
        if merged.rows.height < sum(file.rows or 0 for file in files):
            added.append(write_file(store.path, interval, day, merged.rows))
            removed += files
    if added:
        store.commit(added, removed, "repair")


def _moved(path: Path, aside: Path) -> None:
    try:
        make_folders(aside.parent)
        move(path, aside)
    except FileNotFoundError:
        raise
    except OSError as error:
        raise StoreError(f"the damaged file {path} cannot be moved to {aside}: {error}") from error


def _aside(root: Path, name: str) -> Path:
    aside = root / QUARANTINE_NAME / name
    return aside if not aside.exists() else aside.with_name(f"{name}.{uuid.uuid4().hex[:8]}")
