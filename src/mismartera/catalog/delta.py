"""The Delta table under the store: opening it, its versions and files, and atomic commits.

The library reads; what is written is written here, so that it is whole and durable before it has its name.
"""

from __future__ import annotations

import threading
import uuid
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import polars as pl
from deltalake import DeltaTable

from mismartera.catalog.actions import (
    Action,
    add_action,
    data_file,
    log_entry,
    metadata_action,
    protocol_action,
    remove_action,
    schema_json,
)
from mismartera.catalog.layout import DataFile
from mismartera.catalog.lock import LOCK_NAME
from mismartera.catalog.logbook import Logbook, LogFault
from mismartera.catalog.shape import check_shape
from mismartera.catalog.snapshot import Snapshot, place
from mismartera.catalog.verify import first_line
from mismartera.errors import StoreError
from mismartera.files.durable import is_draft, make_folders, rewrite, sync_folder, write_once


class ConflictError(Exception):
    """Another writer changed what this commit was based on: read again and repeat."""


class DeltaStore:
    """The table at ``path``, opened at its latest version or at ``version``. Safe to use from several threads.

    If the log is damaged, the version before the damage is used; ``faults`` and ``warn`` tell what is wrong.
    """

    is_remote = False
    """True if it can only be read, at an address that is no folder."""

    def __init__(
        self, path: Path, version: int | None = None, warn: Callable[[str], None] = lambda _: None
    ) -> None:
        self.path = path
        self.address = str(path)
        self.pinned = version
        self.log = Logbook(path)
        self.warn = warn
        self.faults: tuple[LogFault, ...] = ()
        self._told: set[LogFault] = set()
        self._table: DeltaTable | None = None
        self._snapshot: Snapshot | None = None
        self._lock = threading.Lock()
        self._settled: int | None = None
        """The last version that a power loss will not undo, None if all are such. Under the store's write lock."""

    def snapshot(self) -> Snapshot:
        """The version in use; StoreError if there is no store or it cannot be read."""
        known = self._snapshot
        if known is not None:  # never waits for a commit that goes on
            return known
        with self._lock:
            return self._load() if self._snapshot is None else self._snapshot

    def refresh(self) -> Snapshot:
        """Look for a newer version and use it (a pinned store stays at its version)."""
        with self._lock:
            if self._table is None or self._snapshot is None:
                return self._load()
            if self.pinned is not None:
                return self._snapshot
            with self._translated():
                self._table.update_incremental()
            version = self._table.version()
            if version < self.log.pointed():  # what lies between was vacuumed: the library cannot follow
                return self._load()
            if version != self._snapshot.version:
                if self._new_faults(self._snapshot.version, version):
                    return self._load()
                self._snapshot = self._read(self._table)
            return self._snapshot

    def exists(self) -> bool:
        """True if a Delta table lies at the path (it may still be damaged)."""
        folder = self.log.folder
        return folder.is_dir() and not all(is_draft(path.name) for path in folder.iterdir())

    def create(self) -> None:
        """Make an empty table. Files of another kind in the folder are left alone."""
        stamp_ms = self._stamp_ms([])
        actions = [protocol_action(), metadata_action(str(uuid.uuid4()), schema_json(()), stamp_ms)]
        try:
            make_folders(self.log.folder)
            write_once(self.log.entry(0), log_entry(actions, "CREATE TABLE", "create", stamp_ms))
            sync_folder(self.log.folder)
        except FileExistsError:
            return
        except OSError as error:
            raise self._uncommitted(error) from error

    def commit(self, added: Sequence[DataFile], removed: Sequence[DataFile], note: str) -> Snapshot:
        """Replace files in one atomic commit and return the new version.

        ConflictError if another writer has made that version in between; then nothing was changed.
        """
        stamp_ms = self._stamp_ms(added)
        actions = [add_action(file, stamp_ms) for file in added]
        actions += [remove_action(file, stamp_ms) for file in removed]
        with self._lock:
            assert self._snapshot is not None, "commit on a table that was never opened"
            self._write(actions, note, stamp_ms)
            self._snapshot = self._snapshot.replaced(added, removed)
            return self._snapshot

    def _write(self, actions: Sequence[Action], note: str, stamp_ms: int) -> None:
        """The entry after the version in use: it is there, whole, or not; what it is worth, `settle` knows."""
        assert self._snapshot is not None and not self.faults, "the log is repaired before it is written"
        before, settled = self._snapshot.version, self._settled
        log = self.log.entry(before + 1)
        try:
            write_once(log, log_entry(actions, "WRITE", note, stamp_ms))
        except FileExistsError as error:
            raise ConflictError(f"version {before + 1} is another's") from error
        except OSError as error:
            raise self._uncommitted(error) from error
        self._settled = before if settled is None else settled
        try:
            sync_folder(log.parent)
        except OSError as error:
            raise self._doubtful(log, error) from error
        self._settled = settled

    def settle(self) -> None:
        """Make durable what was committed but could not be made so; StoreError while it still cannot."""
        if self._settled is None:
            return
        for version in range(self._settled + 1, self.snapshot().version + 1):
            fault = self.log.entry_fault(version)
            if fault is not None:
                raise self._damaged(fault, ValueError("a commit was lost before it was on the disk"))
            log = self.log.entry(version)
            try:
                rewrite(log, log.read_bytes())
            except OSError as error:
                raise self._doubtful(log, error) from error
        self._settled = None

    def mark_generated(self, symbols: Sequence[str]) -> None:
        """Record in the table that the bars of ``symbols`` are made up, not observed."""
        known = self.refresh()
        names = sorted({*known.generated, *symbols})
        if tuple(names) == known.generated:
            return
        with self._lock:
            assert self._table is not None
            told, stamp_ms = self._table.metadata(), self._stamp_ms([])
            action = metadata_action(str(told.id), schema_json(names), told.created_time or stamp_ms)
            self._write([action], "generated", stamp_ms)
        self.refresh()

    def reload(self) -> Snapshot:
        """Open the table again, from its files."""
        with self._lock:
            return self._load()

    def _load(self) -> Snapshot:
        if self.path.exists() and not self.path.is_dir():
            raise StoreError(f"{self.path} is a file: a store is a folder")
        self.log.refuse_lost()
        if not self.exists():
            found = "holds no bar store" if self.path.is_dir() else "does not exist"
            raise StoreError(
                f"the bar store {self.path} {found}: run `mismartera data import PATH` to fill it "
                "with your bars, or `mismartera data sample` to try with generated ones"
            )
        self._table, self.faults = None, ()
        try:
            with self._translated():
                table = DeltaTable(str(self.path))
                if not self._new_faults(-1, table.version()):
                    self._snapshot = self._at_version(table)
                    self._table = table
                    return self._snapshot
                cause: BaseException = ValueError("it is not whole")
        except UnreadableError as error:
            cause = error.cause
        self._snapshot = self._load_reach(cause)
        return self._snapshot

    def _load_reach(self, cause: BaseException) -> Snapshot:
        """The last version before what is damaged in the log."""
        reach = self.log.reach()
        fault = reach.faults[0] if reach.faults else None
        if reach.last < 0 or fault is None:
            raise self._damaged(fault, cause)
        try:
            with self._translated(), self.log.cut(reach) as folder:
                snapshot = self._at_version(DeltaTable(str(folder)))
        except UnreadableError as error:
            raise self._damaged(fault, error.cause) from error
        self.faults = reach.faults
        for found in set(reach.faults) - self._told:
            self._told.add(found)
            self.warn(
                f"{found}; the store {self.path} is read at version {snapshot.version}: "
                "`mismartera data check --repair`, or the next write, restores what can be told of the rest"
            )
        return snapshot

    def _at_version(self, table: DeltaTable) -> Snapshot:
        if self.pinned is not None and self.pinned != table.version():
            self._check_version(table.version())
            table.load_as_version(self.pinned)
        return self._read(table)

    def _check_version(self, latest: int) -> None:
        first = max(min(self.log.versions(), default=latest), self.log.floor())
        if self.pinned is None or self.pinned > latest or not self.log.is_readable(self.pinned):
            raise StoreError(
                f"the store {self.address} has no version {self.pinned}: allowed are {first} to {latest}"
            )

    def _read(self, table: DeltaTable) -> Snapshot:
        """The files of the open version."""
        with self._translated():
            metadata = check_shape(self.address, table)
            rows = pl.DataFrame(table.get_add_actions(flatten=True))
            files = sorted((data_file(self._locate, row) for row in rows.iter_rows(named=True)), key=place)
            name = str(table.metadata().id)
        return Snapshot(table.version(), tuple(files), metadata, name)

    def _locate(self, relative: str) -> str:
        """Where a file of the table lies, to be read."""
        return str(self.path / relative)

    def _new_faults(self, after: int, last: int) -> list[LogFault]:
        """What is wrong with the entries of the log that follow ``after`` (-1: that no checkpoint covers)."""
        return self.log.new_faults(after, last)

    def checkpoint(self) -> None:
        """Write down the newest version's files in one piece, so that readers need not go through the log.

        The library makes it on a copy of the log: it knows no fsync. Under the store's write lock.
        """
        reach = self.log.reach()
        if reach.last < 0 or reach.faults or reach.checkpoint == reach.last:
            return
        try:
            with self._translated(), self.log.cut(reach) as folder:
                DeltaTable(str(folder)).create_checkpoint()
                self.log.publish_checkpoint(reach.last, folder)
        except (OSError, UnreadableError) as error:
            raise StoreError(f"a checkpoint of the store {self.path} failed: {error}") from error

    def _stamp_ms(self, added: Sequence[DataFile]) -> int:
        """Now, by the clock of the file system: when the youngest file was made, or the lock was taken."""
        paths = [self.path / file.relative for file in added] or [self.path / LOCK_NAME]
        return max((int(path.stat().st_mtime * 1000) for path in paths if path.exists()), default=0)

    @contextmanager
    def _translated(self) -> Iterator[None]:
        try:
            yield
        except (StoreError, UnreadableError):
            raise
        except BaseException as error:
            # a panic in the library's own language is no Exception; what is neither is not ours to catch
            if not isinstance(error, Exception) and type(error).__name__ != "PanicException":
                raise
            raise self._unreadable(error) from error

    def _unreadable(self, error: BaseException) -> StoreError:
        return UnreadableError(error)

    def _uncommitted(self, error: BaseException) -> StoreError:
        return StoreError(f"a commit to the store {self.path} failed: {first_line(error)}; nothing was changed")

    def _doubtful(self, log: Path, error: OSError) -> StoreError:
        return StoreError(f"the store's commit {log} may not survive a power loss: {error}")

    def _damaged(self, fault: LogFault | None, error: BaseException) -> StoreError:
        where = f"its log file {fault.path} is damaged" if fault else "its log cannot be used"
        return StoreError(f"the store {self.path} cannot be used: {where} ({first_line(error)})")


class UnreadableError(StoreError):
    """The library cannot read the table's log; ``cause`` is what it says."""

    def __init__(self, cause: BaseException) -> None:
        self.cause = cause
        super().__init__(f"the store's log cannot be used: {first_line(cause)}")
