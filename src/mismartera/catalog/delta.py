"""The Delta table under the store: opening it, its versions and files, and atomic commits."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import polars as pl
from deltalake import CommitProperties, DeltaTable
from deltalake.exceptions import CommitFailedError, TableNotFoundError
from deltalake.transaction import AddAction, RemoveAction

from mismartera.catalog.actions import (
    COLUMN_TYPES,
    add_action,
    data_file,
    is_whole,
    partition_values,
    table_schema,
)
from mismartera.catalog.durable import rewrite, sync
from mismartera.catalog.layout import (
    FILE_COLUMNS,
    FORMAT,
    FORMAT_KEY,
    GENERATED_KEY,
    PARTITION_BY,
    DataFile,
)
from mismartera.catalog.snapshot import Snapshot, place
from mismartera.errors import StoreError

_READER_FEATURES = {"timestampNtz", "vacuumProtocolCheck", "v2Checkpoint"}


class ConflictError(Exception):
    """Another writer changed what this commit was based on: read again and repeat."""


class DeltaStore:
    """The table at ``path``, opened at its latest version or at ``version``. Safe to use from several threads."""

    is_remote = False
    """True if it can only be read, at an address that is no folder."""

    def __init__(self, path: Path, version: int | None = None) -> None:
        self.path = path
        self.address = str(path)
        self.pinned = version
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
            if self._snapshot is None:
                self._load()
            assert self._snapshot is not None
            return self._snapshot

    def refresh(self) -> Snapshot:
        """Look for a newer version and use it (a pinned store stays at its version)."""
        with self._lock:
            if self._table is None:
                self._load()
            elif self.pinned is None:
                with self._translated():
                    self._table.update_incremental()
                if self._snapshot is None or self._table.version() != self._snapshot.version:
                    self._snapshot = self._read(self._table)
            assert self._snapshot is not None
            return self._snapshot

    def exists(self) -> bool:
        """True if a Delta table lies at the path (it may still be damaged)."""
        return (self.path / "_delta_log").is_dir() and any((self.path / "_delta_log").iterdir())

    def create(self) -> None:
        """Make an empty table. Files of another kind in the folder are left alone."""
        with self._translated():
            DeltaTable.create(
                str(self.path), table_schema(), mode="ignore", partition_by=list(PARTITION_BY), name="bars",
                description=f"market data bars, mismartera store of format {FORMAT}",
                # versions stay readable for runs that are pinned to them
                configuration={"delta.enableExpiredLogCleanup": "false"},
            )  # fmt: skip

    def commit(self, added: Sequence[DataFile], removed: Sequence[DataFile], note: str) -> Snapshot:
        """Replace files in one atomic commit and return the new version.

        ConflictError if another writer has removed one of ``removed`` in between; then nothing was changed.
        """
        stamp_ms = max((int((self.path / file.relative).stat().st_mtime * 1000) for file in added), default=0)
        actions: list[AddAction | RemoveAction] = [add_action(file, stamp_ms) for file in added]
        actions += [_removal(file, stamp_ms) for file in removed]
        with self._lock, self._translated(committing=True):
            assert self._table is not None and self._snapshot is not None, (
                "commit on a table that was never opened"
            )
            settled = self._settled
            self._settled = self._snapshot.version if settled is None else settled
            try:
                self._table.create_write_transaction(
                    actions, "append", table_schema(), list(PARTITION_BY),
                    commit_properties=CommitProperties(custom_metadata={"mismartera": note}),
                )  # fmt: skip
            except CommitFailedError as error:
                self._settled = settled
                raise ConflictError(str(error)) from error
            snapshot = self._moved_on(added, removed)
        self._make_durable(snapshot.version, sync)
        self._settled = settled
        return snapshot

    def _moved_on(self, added: Sequence[DataFile], removed: Sequence[DataFile]) -> Snapshot:
        """Use the version that our commit made, without reading the log if nobody else has written meanwhile."""
        assert self._table is not None and self._snapshot is not None
        self._table.update_incremental()
        if self._table.version() == self._snapshot.version + 1:
            self._snapshot = self._snapshot.replaced(added, removed)
        else:
            self._snapshot = self._read(self._table)
        return self._snapshot

    def settle(self) -> None:
        """Make durable what was committed but could not be made so; StoreError while it still cannot."""
        if self._settled is None:
            return
        for version in range(self._settled + 1, self.snapshot().version + 1):
            if not is_whole(self._log_file(version)):
                raise self._damaged(ValueError("a commit was lost before it was on the disk"))
            self._make_durable(version, rewrite)
        self._settled = None

    def _make_durable(self, version: int, how: Callable[[Path], None]) -> None:
        log = self._log_file(version)
        try:
            how(log)
        except OSError as error:
            raise StoreError(f"the store's commit {log} may not survive a power loss: {error}") from error

    def mark_generated(self, symbols: Sequence[str]) -> None:
        """Record in the table that the bars of ``symbols`` are made up, not observed."""
        known = self.refresh()
        names = sorted({*known.generated, *symbols})
        if tuple(names) == known.generated:
            return
        with self._lock, self._translated():
            assert self._table is not None
            self._table.alter.set_column_metadata(
                "symbol", {FORMAT_KEY: str(FORMAT), GENERATED_KEY: ",".join(names)}
            )
        self.refresh()

    def _load(self) -> None:
        if self.path.exists() and not self.path.is_dir():
            raise StoreError(f"{self.path} is a file: a store is a folder")
        if not self.exists():
            found = "holds no bar store" if self.path.is_dir() else "does not exist"
            raise StoreError(
                f"the bar store {self.path} {found}: run `mismartera data import PATH` to fill it "
                "with your bars, or `mismartera data sample` to try with generated ones"
            )
        with self._translated():
            try:
                table = DeltaTable(str(self.path))
            except TableNotFoundError as error:
                raise self._damaged(error) from error
            if self.pinned is not None and self.pinned != table.version():
                self._check_version(table.version())
                table.load_as_version(self.pinned)
            self._snapshot = self._read(table)
            self._table = table

    def _check_version(self, latest: int) -> None:
        logs = sorted(int(name.stem) for name in (self.path / "_delta_log").glob("[0-9]*.json"))
        first = logs[0] if logs else latest
        if self.pinned is None or not first <= self.pinned <= latest:
            raise StoreError(
                f"the store {self.address} has no version {self.pinned}: allowed are {first} to {latest}"
            )

    def _read(self, table: DeltaTable) -> Snapshot:
        """The files of the open version. Called inside ``_translated``."""
        self._check_log(table.version())
        metadata = self._check_shape(table)
        rows = pl.DataFrame(table.get_add_actions(flatten=True))
        files = sorted((data_file(self._locate, row) for row in rows.iter_rows(named=True)), key=place)
        return Snapshot(table.version(), tuple(files), metadata, str(table.metadata().id))

    def _locate(self, relative: str) -> str:
        """Where a file of the table lies, to be read."""
        return str(self.path / relative)

    def _check_log(self, latest: int) -> None:
        """An empty file in the log, which a power loss can leave, passes for a commit of nothing: refuse it."""
        first = 0 if self._snapshot is None else self._snapshot.version + 1
        for version in range(first, latest + 1):
            log = self._log_file(version)
            if log.exists() and not log.stat().st_size:
                raise self._damaged(ValueError("the file is empty"))

    def _log_file(self, version: int) -> Path:
        return self.path / "_delta_log" / f"{version:020}.json"

    def _check_shape(self, table: DeltaTable) -> dict[str, Any]:
        fields = {item.name: item for item in table.schema().fields}
        wanted = {name: COLUMN_TYPES.get(name, "double") for name in (*PARTITION_BY, *FILE_COLUMNS)}
        for name, kind in wanted.items():
            found = getattr(fields[name].type, "type", str(fields[name].type)) if name in fields else "nothing"
            if found != kind:
                raise StoreError(
                    f"the table {self.address} is no bar store: its column {name!r} is {found}, needed is {kind}; "
                    "choose another folder, or import its files with `mismartera data import`"
                )
        if tuple(table.metadata().partition_columns) != PARTITION_BY:
            raise StoreError(
                f"the table {self.address} is no bar store: it is partitioned by "
                f"{table.metadata().partition_columns}, needed is {list(PARTITION_BY)}"
            )
        metadata = dict(fields["symbol"].metadata)
        self._check_format(table, str(metadata.get(FORMAT_KEY, FORMAT)))
        return metadata

    def _check_format(self, table: DeltaTable, found: str) -> None:
        if not found.isdigit() or int(found) > FORMAT:
            raise StoreError(
                f"the store {self.address} has format {found}, this version of mismartera reads up to {FORMAT}: "
                "use the version that wrote it, or a newer one"
            )
        features = set(table.protocol().reader_features or ()) - _READER_FEATURES
        if features:
            raise StoreError(
                f"the store {self.address} uses features of Delta that are not supported: {sorted(features)}"
            )

    @contextmanager
    def _translated(self, *, committing: bool = False) -> Iterator[None]:
        try:
            yield
        except (StoreError, ConflictError):
            raise
        except BaseException as error:
            # a panic in the library's own language is no Exception; what is neither is not ours to catch
            if not isinstance(error, Exception) and type(error).__name__ != "PanicException":
                raise
            raise (self._uncommitted(error) if committing else self._damaged(error)) from error

    def _uncommitted(self, error: BaseException) -> StoreError:
        return StoreError(f"a commit to the store {self.address} failed: {detail_of(error)}")

    def _damaged(self, error: BaseException) -> StoreError:
        culprit = self._broken_log()
        where = f"its log file {culprit} is damaged" if culprit else "its log cannot be used"
        return StoreError(f"the store {self.address} cannot be used: {where} ({detail_of(error)})")

    def _broken_log(self) -> Path | None:
        logs = sorted((self.path / "_delta_log").glob("[0-9]*.json"))
        return next((log for log in logs if not is_whole(log)), None)


def detail_of(error: BaseException) -> str:
    """The first line of what a library says."""
    text = str(error).strip()
    return text.splitlines()[0][:300] if text else type(error).__name__


def _removal(file: DataFile, stamp_ms: int) -> RemoveAction:
    return RemoveAction(
        file.relative, data_change=True, deletion_timestamp=stamp_ms, size=file.size,
        partition_values=partition_values(file),
    )  # fmt: skip
