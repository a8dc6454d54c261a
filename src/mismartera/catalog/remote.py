"""A store in an object store (``s3://bucket/bars``): read like one in a folder, never written.

Credentials, region and endpoint come from the environment, as the libraries that read it find them there
(``AWS_ACCESS_KEY_ID``, ``AWS_REGION``, ``AWS_ENDPOINT_URL``, ``GOOGLE_APPLICATION_CREDENTIALS``, ...).
"""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from urllib.parse import unquote, urlsplit

from deltalake import DeltaTable
from deltalake.exceptions import TableNotFoundError

from mismartera.catalog.delta import DeltaStore
from mismartera.catalog.logbook import LogFault
from mismartera.catalog.snapshot import Snapshot
from mismartera.catalog.verify import first_line
from mismartera.errors import StoreError

SCHEMES = ("s3", "gs", "az", "abfss")
"""Object stores that both Delta Lake and Polars can read."""


def open_at(
    address: str | Path, version: int | None = None, warn: Callable[[str], None] = lambda _: None
) -> DeltaStore:
    """The store at a path, or at a URI; StoreError for one that cannot be a store's.

    ``file://`` is the folder that it names.
    """
    text = str(address)
    if "://" not in text:
        return DeltaStore(Path(address), version, warn)
    parts = urlsplit(text)
    shown = f"{parts.scheme}://{parts.hostname or ''}{parts.path}"  # nothing secret gets into a message
    if parts.username or parts.password or parts.query or parts.fragment:
        raise StoreError(
            f"the address {shown} of the store holds more than a place; allowed: {parts.scheme}://bucket/path, "
            "with credentials in the environment"
        )
    if parts.scheme == "file":
        if parts.netloc not in {"", "localhost"}:
            raise StoreError(f"{text} names a folder of another machine; allowed: file:///folder")
        return DeltaStore(Path(unquote(parts.path)), version, warn)
    if parts.scheme not in SCHEMES:
        allowed = ", ".join(f"{scheme}://" for scheme in ("file", *SCHEMES))
        raise StoreError(f"{shown} is no place for a store; allowed: a folder, or an address with {allowed}")
    if not parts.netloc:
        raise StoreError(f"{text} names no bucket; allowed: {parts.scheme}://bucket/path")
    return RemoteStore(text.rstrip("/"), version, warn)


class RemoteStore(DeltaStore):
    """The table at a URI of an object store. What would write to it raises StoreError."""

    is_remote = True

    def __init__(
        self, address: str, version: int | None = None, warn: Callable[[str], None] = lambda _: None
    ) -> None:
        super().__init__(Path(os.devnull), version, warn)
        self.address = address

    def exists(self) -> bool:
        """True if a Delta table lies there; StoreError if the object store does not answer or refuses."""
        return self._table is not None or self._open() is not None

    def _open(self) -> DeltaTable | None:
        with self._translated():
            try:
                return DeltaTable(self.address)
            except TableNotFoundError:
                return None

    def _load(self) -> Snapshot:
        table = self._open()
        if table is None:
            raise StoreError(
                f"there is no bar store at {self.address}: copy one there, a whole folder with its _delta_log"
            )
        with self._translated():
            latest = table.version()
            if self.pinned is not None and self.pinned != latest:
                self._go_to(table, self.pinned, latest)
            self._snapshot = self._read(table)
            self._table = table
        return self._snapshot

    def _go_to(self, table: DeltaTable, version: int, latest: int) -> None:
        try:
            table.load_as_version(version)
        except Exception as error:
            raise StoreError(
                f"the store {self.address} has no version {version} that can be read, the latest is {latest} "
                f"({first_line(error)})"
            ) from error

    def _locate(self, relative: str) -> str:
        return f"{self.address}/{relative}"

    def _new_faults(self, after: int, last: int) -> list[LogFault]:  # noqa: ARG002  # of a log that is a folder
        """An object is whole or not there: no power loss leaves an empty one."""
        return []

    def _unreadable(self, error: BaseException) -> StoreError:
        return StoreError(f"the store {self.address} cannot be read: {first_line(error)}")
