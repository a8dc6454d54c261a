"""The table's log as files: entries, checkpoints, what is damaged, and the part that can be relied on."""

from __future__ import annotations

import io
import json
import re
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from hashlib import blake2b
from pathlib import Path

import polars as pl
from msgspec import Struct
from polars.exceptions import PanicException, PolarsError

from mismartera.catalog.actions import DIGEST_KEY, read_entry
from mismartera.catalog.verify import is_sealed_name
from mismartera.errors import StoreError
from mismartera.files.durable import rewrite

LOG_FOLDER = "_delta_log"
POINTER_NAME = "_last_checkpoint"
VACUUM_NAME = "_vacuumed.json"
"""In the store's folder: which versions a vacuum has left readable."""

_ENTRY = re.compile(r"(\d{20})\.json")
_CHECKPOINT = re.compile(r"(\d{20})\.checkpoint\..*parquet")


class LogFault(Struct, frozen=True):
    """A file of the log that cannot be used: an entry, or a checkpoint."""

    path: Path
    version: int
    reason: str
    is_entry: bool

    def __str__(self) -> str:
        return f"the store's log file {self.path} is damaged: {self.reason}"


class Reach(Struct, frozen=True):
    """How far the log can be read: from a checkpoint (None: from its beginning) to ``last``; -1: not at all."""

    checkpoint: int | None
    last: int
    faults: tuple[LogFault, ...]
    """What stands in the way of reading on, or of reading faster."""


class Logbook:
    """The log of the table at ``root``. Reads files, never writes."""

    def __init__(self, root: Path) -> None:
        self.folder = root / LOG_FOLDER

    def entry(self, version: int) -> Path:
        """The file of one commit."""
        return self.folder / f"{version:020}.json"

    def checkpoint(self, version: int) -> Path:
        """The file of one checkpoint, as we write it."""
        return self.folder / f"{version:020}.checkpoint.parquet"

    def names(self) -> list[str]:
        """The names of all files of the log, in order; StoreError if the folder cannot be read."""
        try:
            return sorted(path.name for path in self.folder.iterdir())
        except OSError as error:
            raise StoreError(f"the store's log {self.folder} cannot be read: {error.strerror}") from error

    def versions(self) -> list[int]:
        """The versions whose entries there are, in order."""
        return [int(match[1]) for name in self.names() if (match := _ENTRY.fullmatch(name))]

    def checkpoints(self) -> dict[int, list[Path]]:
        """The files of each checkpoint (another tool may write several), by version."""
        found: dict[int, list[Path]] = {}
        for name in self.names():
            if match := _CHECKPOINT.fullmatch(name):
                found.setdefault(int(match[1]), []).append(self.folder / name)
        return found

    def entry_fault(self, version: int) -> LogFault | None:
        """What is wrong with the entry of a version, None if it is whole."""
        path = self.entry(version)
        try:
            read_entry(path)
        except FileNotFoundError:
            return LogFault(path, version, "the file is missing", is_entry=True)
        except ValueError as error:
            return LogFault(path, version, str(error), is_entry=True)
        except OSError as error:
            raise StoreError(f"the store's log file {path} cannot be read: {error.strerror}") from error
        return None

    def checkpoint_fault(self, version: int, parts: list[Path]) -> LogFault | None:
        """What is wrong with a checkpoint, None if it can be read."""
        for path in parts:
            try:
                content = path.read_bytes()
                if not pl.read_parquet_schema(io.BytesIO(content)):
                    return LogFault(path, version, "it has no columns", is_entry=False)
                pl.read_parquet(io.BytesIO(content))
            except OSError as error:
                raise StoreError(f"the store's log file {path} cannot be read: {error.strerror}") from error
            except (PolarsError, PanicException) as error:
                return LogFault(path, version, str(error).strip().splitlines()[0][:300], is_entry=False)
            told = self._pointer()
            if told.get("version") == version and told.get(DIGEST_KEY, digest(content)) != digest(content):
                return LogFault(path, version, "its bytes have changed since it was written", is_entry=False)
        return None

    def faults(self) -> list[LogFault]:
        """Everything in the log that is damaged, in order, whether it hinders reading or not."""
        marked = self.checkpoints().items()
        found = [fault for version, parts in marked if (fault := self.checkpoint_fault(version, parts))]
        versions = self.versions()
        if versions:  # what a vacuum was interrupted at lies before the first checkpoint
            first = 0 if versions[0] == 0 else min(self.checkpoints(), default=0) + 1
            span = range(first, versions[-1] + 1)
            found += [fault for version in span if (fault := self.entry_fault(version))]
        return found

    def refuse_lost(self) -> None:
        """StoreError if bars are there whose log is gone, or a log without its beginning: what may be removed,
        or written anew, only the files know that are missing.
        """
        root, versions = self.folder.parent, self.versions() if self.folder.is_dir() else []
        if versions[:1] == [0] or (self.folder.is_dir() and self.checkpoints()):
            return
        if versions:
            lost = (
                f"has lost the beginning of its log: {self.folder} starts with version {versions[0]}, and there "
                "is no checkpoint of what came before"
            )
        elif any(is_sealed_name(path.name) for path in root.glob("interval=*/date=*/*.parquet")):
            if self.folder.is_dir() and self.versions():  # it is being made just now
                return
            lost = f"has lost its log: there are files of bars, and no entry in {self.folder}"
        else:
            return
        raise StoreError(
            f"the store {root} {lost}; nothing was changed: put the missing files back from a copy of the store, "
            "or import its sources into a new one"
        )

    def new_faults(self, after: int, last: int) -> list[LogFault]:
        """What is wrong with the entries that follow ``after`` (-1: that no checkpoint covers), to ``last``."""
        if after < 0:
            after = max((version for version in self.checkpoints() if version <= last), default=-1)
        return [fault for version in range(after + 1, last + 1) if (fault := self.entry_fault(version))]

    def reach(self) -> Reach:
        """The part of the log that can be relied on: a whole checkpoint, and the whole entries after it."""
        base, faults = None, []
        for version, parts in sorted(self.checkpoints().items(), reverse=True):
            fault = self.checkpoint_fault(version, parts)
            if fault is None:
                base = version
                break
            faults.append(fault)
        last = -1 if base is None else base
        for version in range(last + 1, max(self.versions(), default=-1) + 1):
            fault = self.entry_fault(version)
            if fault is not None:
                is_vacuumed = version == 0 and faults and not fault.path.exists()
                return Reach(base, last, tuple(faults) if is_vacuumed else (fault, *faults))
            last = version
        return Reach(base, last, tuple(faults))

    @contextmanager
    def cut(self, reach: Reach) -> Iterator[Path]:
        """A folder, for a while, with a log that is no more than ``reach``."""
        with tempfile.TemporaryDirectory(prefix="mismartera-log-") as made:
            folder = Path(made) / LOG_FOLDER
            folder.mkdir()
            first = 0 if reach.checkpoint is None else reach.checkpoint + 1
            wanted = [self.entry(version) for version in range(first, reach.last + 1)]
            if reach.checkpoint is not None:
                wanted += self.checkpoints()[reach.checkpoint]
                if self.entry(reach.checkpoint).exists():
                    wanted.append(self.entry(reach.checkpoint))
            for path in wanted:
                shutil.copy2(path, folder / path.name)
            yield Path(made)

    def floor(self) -> int:
        """From this version on all can be read: older ones were vacuumed, but for those in :meth:`kept`."""
        oldest = self._vacuumed().get("oldest")
        return oldest if isinstance(oldest, int) else 0

    def kept(self) -> set[int]:
        """Versions before the :meth:`floor` that a vacuum has kept."""
        return self._vacuumed_list("kept")

    def pinned(self) -> set[int]:
        """The versions that a user wants to be kept."""
        return self._vacuumed_list("pinned")

    def is_readable(self, version: int) -> bool:
        """True if neither the version's entry nor its data were vacuumed."""
        return self.entry(version).exists() and (version >= self.floor() or version in self.kept())

    def pointed(self) -> int:
        """The version of the checkpoint that readers are sent to; -1 if there is none."""
        version = self._pointer().get("version")
        return version if isinstance(version, int) else -1

    def publish_checkpoint(self, version: int, made: Path) -> None:
        """Take over, durably, the checkpoint that was made on the copy of the log in ``made``; OSError."""
        name = self.checkpoint(version).name
        content = (made / LOG_FOLDER / name).read_bytes()
        told = json.loads((made / LOG_FOLDER / POINTER_NAME).read_text("utf-8"))
        rewrite(self.folder / name, content)
        pointer = json.dumps({**told, DIGEST_KEY: digest(content)})
        rewrite(self.folder / POINTER_NAME, pointer.encode())

    def _pointer(self) -> dict[str, object]:
        return _told(self.folder / POINTER_NAME)

    def _vacuumed_list(self, name: str) -> set[int]:
        versions = self._vacuumed().get(name)
        return (
            {version for version in versions if isinstance(version, int)} if isinstance(versions, list) else set()
        )

    def _vacuumed(self) -> dict[str, object]:
        return _told(self.folder.parent / VACUUM_NAME)


def _told(path: Path) -> dict[str, object]:
    try:
        told = json.loads(path.read_text("utf-8"))
    except (OSError, ValueError):
        return {}
    return told if isinstance(told, dict) else {}


def digest(content: bytes) -> str:
    """The digest of a checkpoint's bytes."""
    return blake2b(content, digest_size=16).hexdigest()
