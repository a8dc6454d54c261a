"""Vacuum: forgetting old versions, their data files and their log, but never what somebody may still need.

Kept are all versions that were current at some time of the retention, the versions that a running session holds a
lease on, and those that the caller names. The order makes each step safe: what will be readable is written down
before data files go, and a checkpoint stands before the log below it goes. A crash leaves files that nobody needs,
for the next vacuum.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable
from pathlib import Path

import polars as pl
from deltalake import DeltaTable
from msgspec import Struct

from mismartera.catalog.actions import read_entry
from mismartera.catalog.delta import DeltaStore
from mismartera.catalog.leases import leases
from mismartera.catalog.lock import LOCK_NAME, session_runs, write_lock
from mismartera.catalog.logbook import VACUUM_NAME, Logbook
from mismartera.catalog.writer import require_ours
from mismartera.errors import StoreError
from mismartera.files.durable import discard, is_draft, rewrite, sync_folder

RETENTION_SECONDS = 7 * 86_400.0
"""So long versions stay readable, unless the user asks for less."""

SESSION_SECONDS = 3_600.0
"""While a live session runs, versions stay readable so long at least: it moves to the newest every minute."""


_DRAFTS = ("interval=*/date=*/.*", "_delta_log/.*", "_quarantine/.*", ".*")


class VacuumReport(Struct, frozen=True):
    """What was removed, or would be: data files with their bytes, files of the log, drafts of writers that died.

    ``oldest``: from this version on the store is readable; ``kept``: older versions that are, too.
    """

    files: int
    bytes: int
    log_files: int
    drafts: int
    oldest: int
    newest: int
    kept: tuple[int, ...]


def vacuum(
    path: Path,
    *,
    retention_seconds: float = RETENTION_SECONDS,
    keep: Iterable[int] = (),
    release: Iterable[int] = (),
    dry_run: bool = False,
    warn: Callable[[str], None] = lambda _: None,
) -> VacuumReport:
    """Remove what no version of the retention, no lease and none of ``keep`` needs; StoreError if it cannot.

    ``keep`` holds for later vacuums too, until the version is given in ``release``. Ages are those of the file
    system's clock. With ``dry_run`` nothing is removed.
    """
    store = DeltaStore(path, warn=warn)
    store.refresh()
    with write_lock(path):
        newest = store.refresh().version
        require_ours(path, store.snapshot())
        store.settle()
        if store.faults:
            raise StoreError(f"{store.faults[0]}: mend it first, with `mismartera data check --repair`")
        if session_runs(path):
            retention_seconds = max(retention_seconds, SESSION_SECONDS)
        pinned = (store.log.pinned() | set(keep)) - set(release)
        oldest, kept = _kept(path, store.log, retention_seconds, pinned)
        needed = _needed(path, store.log, oldest, newest, kept)
        files = [file for file in path.glob("interval=*/date=*/*.parquet") if _relative(path, file) not in needed]
        drafts = [file for pattern in _DRAFTS for file in path.glob(pattern) if is_draft(file.name)]
        size = sum(file.stat().st_size for file in files)
        try:
            if not dry_run:
                store.checkpoint()
                told = {"oldest": oldest, "kept": sorted(kept), "pinned": sorted(pinned)}
                rewrite(path / VACUUM_NAME, json.dumps(told).encode())
                discard(*files, *drafts)
            old = _old_log(store.log, min([oldest, *kept]))
            if not dry_run:
                discard(*old)
                sync_folder(store.log.folder)
        except OSError as error:
            raise StoreError(
                f"the vacuum of {path} ended early: {error}; nothing that is needed is gone"
            ) from error
    return VacuumReport(len(files), size, len(old), len(drafts), oldest, newest, tuple(sorted(kept)))


def _kept(path: Path, book: Logbook, retention_seconds: float, keep: set[int]) -> tuple[int, set[int]]:
    """The version that was current when the retention began, and older ones that somebody needs."""
    versions = book.versions()
    floor = book.floor()
    held = leases(path)
    if held is None:
        return max(versions[0], floor), {version for version in keep | book.kept() if version < floor}
    horizon = (path / LOCK_NAME).stat().st_mtime - retention_seconds
    old = [version for version in versions if book.entry(version).stat().st_mtime <= horizon]
    oldest = max(old[-1] if old else versions[0], floor)
    unknown = sorted(version for version in keep if not book.is_readable(version))
    if unknown:
        raise StoreError(f"the store {path} has no version {unknown[0]} to keep: it has {floor} to {versions[-1]}")
    return oldest, {version for version in held | keep if version < oldest}


def _needed(path: Path, book: Logbook, oldest: int, newest: int, kept: set[int]) -> set[str]:
    """The data files of all versions from ``oldest`` on, and of those in ``kept``."""
    needed: set[str] = set()
    for version in [oldest, *sorted(kept)]:
        table = DeltaTable(str(path), version=version)
        needed |= set(pl.DataFrame(table.get_add_actions(flatten=True))["path"])
    for version in range(oldest + 1, newest + 1):
        try:
            actions = read_entry(book.entry(version))
        except (OSError, ValueError) as error:
            raise StoreError(
                f"the store's log file {book.entry(version)} is damaged: {error}; "
                "mend it first, with `mismartera data check --repair`"
            ) from error
        needed |= {action["add"]["path"] for action in actions if "add" in action}
    return needed


def _old_log(book: Logbook, first: int) -> list[Path]:
    """The files of the log that no version from ``first`` on needs; two checkpoints stay, lest one be damaged."""
    marked = book.checkpoints()
    newest = sorted(marked)[-2:]
    bases = [version for version in marked if version <= first and version <= newest[0]] if len(newest) > 1 else []
    if not bases:
        return []
    base = max(bases)
    old = [part for version, parts in sorted(marked.items()) if version < base for part in parts]
    return old + [book.entry(version) for version in book.versions() if version < base]


def _relative(path: Path, file: Path) -> str:
    return file.relative_to(path).as_posix()
