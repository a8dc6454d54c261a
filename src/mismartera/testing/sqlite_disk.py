"""SqliteDisk: what SQLite does to its files, recorded, and what a disk may hold of them after a power loss.

A shim of APSW below SQLite sees each write, truncation, sync and deletion. The model: a write that was not synced
may be there, may be missing, or is there up to some sector (torn), each by itself and in any order; so may a
truncation; a deletion may be undone. What a sync has returned for is kept. A sync of a file that is new keeps its
name, too: SQLite syncs the folder along with it, inside what is shimmed. The shared memory is never on a disk.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from random import Random
from typing import Any, Literal

import apsw

SECTOR_BYTES = 512
Kept = Literal["nothing", "all", "some"]
_NAME = "mismartera-recorded"


@dataclass(frozen=True, slots=True)
class Change:
    """A step: ``what`` is "write" (``at``, ``data``), "truncate" (``at``), "sync" or "delete"."""

    what: str
    path: Path
    at: int = 0
    data: bytes = b""


class SqliteDisk:
    """The changes to the files of connections that :meth:`connect` makes, in order."""

    def __init__(self) -> None:
        self.changes: list[Change] = []
        self.acknowledged: list[int] = []
        """After how many changes something was told to be durable."""
        self._vfs = _Shim(self.changes)

    def connect(self, path: Path) -> apsw.Connection:
        """The database in the file ``path``."""
        return apsw.Connection(str(path), vfs=_NAME)

    def acknowledge(self) -> None:
        """What was done so far was told to be durable."""
        self.acknowledged.append(len(self.changes))

    def close(self) -> None:
        """Shim no more."""
        self._vfs.unregister()

    def moments(self, before: dict[Path, bytes]) -> Iterator[tuple[int, _State]]:
        """After each change: how many acknowledgements came before, and the files; ``before``: as they began."""
        state = _State(before)
        for step, change in enumerate(self.changes, 1):
            state.apply(change)
            yield sum(at <= step for at in self.acknowledged), state


class _State:
    def __init__(self, before: dict[Path, bytes]) -> None:
        self._safe = dict(before)
        self._loose: dict[Path, list[Change]] = {}

    def apply(self, change: Change) -> None:
        loose = self._loose.setdefault(change.path, [])
        if change.what != "sync":
            loose.append(change)
            return
        self._safe = self._with(change.path, loose)
        loose.clear()

    def after_power_loss(self, kept: Kept, rng: Random) -> dict[Path, bytes]:
        """What the disk holds, if the power goes now."""
        found = _State(self._safe)
        for path, changes in self._loose.items():
            if kept == "all":
                found._safe = found._with(path, changes)  # its own kind
            elif kept == "some":
                found._safe = found._with(path, _some(changes, rng))
        return found._safe

    def _with(self, path: Path, changes: list[Change]) -> dict[Path, bytes]:
        files = dict(self._safe)
        for change in changes:
            if change.what == "delete":
                files.pop(path, None)
                continue
            content = bytearray(files.get(path, b""))
            if change.what == "truncate":
                del content[change.at :]
            else:
                content += bytes(max(change.at - len(content), 0))
                content[change.at : change.at + len(change.data)] = change.data
            files[path] = bytes(content)
        return files


def _some(changes: list[Change], rng: Random) -> list[Change]:
    kept = [change for change in changes if rng.random() < 0.6]
    rng.shuffle(kept)
    return [
        Change(c.what, c.path, c.at, c.data[: rng.randrange(len(c.data) // SECTOR_BYTES + 1) * SECTOR_BYTES])
        if c.what == "write" and rng.random() < 0.4
        else c
        for c in kept
    ]


class _Shim(apsw.VFS):
    def __init__(self, changes: list[Change]) -> None:
        self._changes = changes
        super().__init__(_NAME, "")

    def xOpen(self, name: Any, flags: list[int]) -> _ShimFile:  # noqa: N802  # SQLite's
        path = name.filename() if isinstance(name, apsw.URIFilename) else name
        return _ShimFile(name, flags, Path(path or ""), self._changes)

    def xDelete(self, filename: str, syncdir: bool) -> None:  # noqa: N802
        super().xDelete(filename, syncdir)
        self._changes.append(Change("delete", Path(filename)))
        if syncdir:
            self._changes.append(Change("sync", Path(filename)))


class _ShimFile(apsw.VFSFile):
    def __init__(self, name: Any, flags: list[int], path: Path, changes: list[Change]) -> None:
        self._path = path
        self._changes = changes
        super().__init__("", name, flags)

    def xWrite(self, data: bytes, offset: int) -> None:  # noqa: N802
        super().xWrite(data, offset)
        self._changes.append(Change("write", self._path, offset, bytes(data)))

    def xTruncate(self, newsize: int) -> None:  # noqa: N802
        super().xTruncate(newsize)
        self._changes.append(Change("truncate", self._path, newsize))

    def xSync(self, flags: int) -> None:  # noqa: N802
        super().xSync(flags)
        self._changes.append(Change("sync", self._path))
