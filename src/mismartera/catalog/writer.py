"""Writing: under the store's lock, touched partitions are read, merged, written anew, and committed at once."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path

import polars as pl

from mismartera.catalog.delta import ConflictError, DeltaStore
from mismartera.catalog.files import read_verified, write_file
from mismartera.catalog.lock import write_lock
from mismartera.catalog.quarantine import quarantine, repair_log
from mismartera.catalog.report import Rejections, WriteReport
from mismartera.catalog.snapshot import Snapshot
from mismartera.catalog.staging import Stage, Staged, discard, rewrite
from mismartera.catalog.upsert import Merged, by_partition, merge
from mismartera.catalog.verify import DamagedError
from mismartera.errors import StoreError

_ATTEMPTS = 5
CHECKPOINT_COMMITS = 100
"""After so many commits the state is written down in one piece."""

_WORKERS = min(4, os.cpu_count() or 1)
"""Partitions in work at once; bounded, because each holds a partition in memory."""


Prepare = Callable[[Snapshot], list[Staged]]


def upsert(
    store: DeltaStore,
    pieces: Mapping[str, Sequence[pl.DataFrame]],
    offered: int,
    rejections: Rejections,
    note: str,
    stage: Stage = rewrite,
) -> WriteReport:
    """Write valid rows (``pieces``: frames with the columns of a store file, per interval) in one commit.

    All or nothing: until the commit readers see the version before. Nothing is committed if nothing changes.
    """
    if store.pinned is not None:
        raise StoreError(f"the store {store.path} is open at version {store.pinned}: open it without one to write")
    if not any(frame.height for frames in pieces.values() for frame in frames):
        version = store.refresh().version if store.exists() else None
        return _report(offered, [], rejections, version)
    if store.path.exists() and not store.path.is_dir():
        raise StoreError(f"{store.path} is a file: a store is a folder")

    def prepare(snapshot: Snapshot) -> list[Staged]:
        return _stage_all(store.path, snapshot, pieces, stage)

    with write_lock(store.path):
        if not store.exists():
            store.log.refuse_lost()
            store.create()
        staged, version = _changed(store, prepare, note)
        _checkpoint_at_times(store, version)
    return _report(offered, [part.merged for part in staged], rejections, version)


def compact(store: DeltaStore) -> int:
    """Make one sorted file of every partition that has several; how many there were.

    Earlier versions keep their files and stay readable. Rows with the same key become one, the last.
    """

    def prepare(snapshot: Snapshot) -> list[Staged]:
        staged: list[Staged] = []
        try:
            for (interval, day), files in snapshot.partitions.items():
                if len(files) > 1:
                    merged = merge(None, read_verified(files))
                    staged.append(Staged(merged, files, (write_file(store.path, interval, day, merged.rows),)))
        except BaseException:
            discard(staged)
            raise
        return staged

    with write_lock(store.path):
        return len(_changed(store, prepare, "compact")[0])


def _changed(store: DeltaStore, prepare: Prepare, note: str) -> tuple[list[Staged], int]:
    """Commit what ``prepare`` makes of the newest version, and what is damaged aside. Under the write lock."""
    attempts = 0
    while attempts < _ATTEMPTS:
        snapshot = ready(store)
        try:
            staged = prepare(snapshot)
        except DamagedError as error:  # one more file is gone: this ends
            with suppress(ConflictError):
                quarantine(store, error.damages)
            continue
        try:
            return staged, _commit(store, snapshot, staged, note)
        except ConflictError:  # a writer of another kind, that knows no lock
            discard(staged)
            attempts += 1
    raise StoreError(
        f"the store {store.path} is rewritten by another program at the same time: nothing was written"
    )


def ready(store: DeltaStore) -> Snapshot:
    """The newest version, its log whole and safe, of a store that may be written. Under the write lock."""
    snapshot = store.refresh()
    require_ours(store.path, snapshot)
    store.settle()
    if store.faults:
        repair_log(store)
        snapshot = store.refresh()
    return snapshot


def _checkpoint_at_times(store: DeltaStore, version: int) -> None:
    """Without one, opening would read a longer and longer log; it is a help, so that its failure is only told."""
    if version - max(store.log.pointed(), 0) >= CHECKPOINT_COMMITS:
        try:
            store.checkpoint()
        except StoreError as error:
            store.warn(f"{error}; the store is as good without it")


def make(store: DeltaStore) -> None:
    """Make the store, empty, if there is none."""
    if store.path.exists() and not store.path.is_dir():
        raise StoreError(f"{store.path} is a file: a store is a folder")
    with write_lock(store.path):
        if not store.exists():
            store.log.refuse_lost()
            store.create()


def mark_generated(store: DeltaStore, symbols: Sequence[str]) -> None:
    """Record in the table that the bars of ``symbols`` are made up; makes the store if there is none."""
    with write_lock(store.path):
        if not store.exists():
            store.log.refuse_lost()
            store.create()
        ready(store)
        store.mark_generated(symbols)


def require_ours(path: Path, snapshot: Snapshot) -> None:
    """StoreError if another tool made the table."""
    if not snapshot.is_ours:
        raise StoreError(
            f"the table {path} was made by another tool: it can be read, but not written; "
            "import its files into a store of their own with `mismartera data import`"
        )


def _stage_all(
    root: Path, snapshot: Snapshot, pieces: Mapping[str, Sequence[pl.DataFrame]], stage: Stage
) -> list[Staged]:
    staged: list[Staged] = []
    with ThreadPoolExecutor(_WORKERS) as pool:
        futures = [
            pool.submit(stage, root, snapshot, interval, day, rows)
            for interval, frames in pieces.items()
            for day, rows in by_partition(interval, frames)
        ]
        try:
            staged.extend(future.result() for future in futures)
        except BaseException:
            for future in futures:
                future.cancel()
            pool.shutdown(wait=True)
            discard([future.result() for future in futures if _succeeded(future)])
            raise
    return staged


def _succeeded(future: Future[Staged]) -> bool:
    return future.done() and not future.cancelled() and future.exception() is None


def _commit(store: DeltaStore, snapshot: Snapshot, staged: Sequence[Staged], note: str) -> int:
    added = [file for part in staged for file in part.added]
    if not added:
        return snapshot.version
    try:
        return store.commit(added, [file for part in staged for file in part.removed], note).version
    except StoreError:
        _discard_if_lost(store, staged)
        raise


def _discard_if_lost(store: DeltaStore, staged: Sequence[Staged]) -> None:
    """Delete the files of a commit that failed, unless it may have happened all the same."""
    with suppress(StoreError):
        known = {file.path for file in store.refresh().files}
        if not any(file.path in known for part in staged for file in part.added):
            discard(staged)


def _report(offered: int, merged: Sequence[Merged], rejections: Rejections, version: int | None) -> WriteReport:
    return WriteReport(
        rows=offered,
        accepted=sum(part.accepted for part in merged),
        duplicate=sum(part.duplicate for part in merged),
        revised=sum(part.revised for part in merged),
        rejected=rejections.count,
        reasons=dict(sorted(rejections.reasons.items())),
        examples=rejections.examples,
        version=version,
    )
