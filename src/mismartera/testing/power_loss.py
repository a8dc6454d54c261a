"""A power loss at any moment: a recorded trace of changes to files, and what a disk may hold after each of them.

The model is that of POSIX, read strictly. What was written is safe after an fsync of the file; names (made,
renamed, linked, deleted) after an fsync of their folder. Of what was not yet synced, a disk may keep nothing, all,
or the changes of each folder up to some point (a rename is kept whole or not at all), and of each file's bytes a
part, the last page torn. The trace must be complete: :meth:`Trace.check` holds it against the real folder.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

from mismartera.testing.os_calls import OsCall, watching

PAGE_BYTES = 4096

Kept = Literal["nothing", "names", "some"]
"""What a disk keeps that was not synced: nothing; all names, but no bytes; some of both, by a seed."""


@dataclass(slots=True)
class _Inode:
    content: bytearray = field(default_factory=bytearray)
    safe: int = 0
    """So many of its bytes are synced; a file is only ever added to."""


@dataclass(frozen=True, slots=True)
class _Change:
    """Names that a call adds and takes away, in one step."""

    adds: tuple[tuple[Path, _Inode | None], ...]
    removes: tuple[Path, ...] = ()

    @property
    def folders(self) -> set[Path]:
        return {path.parent for path in (*(path for path, _ in self.adds), *self.removes)}


class Disk:
    """The files below a folder (names relative to it) as programs see them, and what of them is safe."""

    def __init__(self) -> None:
        self._names: dict[Path, _Inode | None] = {}  # None: a folder
        self._safe: dict[Path, _Inode | None] = {}
        self._pending: list[_Change] = []

    def apply(self, call: OsCall) -> None:
        """Carry out a call whose paths are relative."""
        path = call.path
        if call.name == "open" and call.creates:
            self._change(_Change(((path, _Inode()),)))
        elif call.name == "mkdir":
            self._change(_Change(((path, None),)))
        elif call.name == "write":
            self._inode(path).content += call.data
        elif call.name == "fsync":
            self._sync(path)
        elif call.name in {"rename", "replace", "link"}:
            assert call.target is not None, "a call with two names stays in the folder"
            gone = () if call.name == "link" else (path,)
            self._change(_Change(((call.target, self._names[path]),), gone))
        elif call.name in {"unlink", "remove", "rmdir"}:
            self._change(_Change((), (path,)))

    def files(self) -> dict[Path, bytes]:
        """What programs see."""
        return {path: bytes(inode.content) for path, inode in self._names.items() if inode is not None}

    def after_power_loss(self, kept: Kept, seed: int = 0) -> dict[Path, bytes | None]:
        """What the disk holds, if the power goes now: files with their bytes, folders with None."""
        dice = random.Random(seed)  # noqa: S311  # a seeded test
        names = dict(self._safe)
        stopped: set[Path] = set()
        for change in self._pending if kept != "nothing" else []:
            if stopped & change.folders or (kept == "some" and dice.random() < 0.5):
                stopped |= change.folders
            else:
                _carry_out(change, names)
        lost = [path for path in names if any(folder not in names for folder in list(path.parents)[:-1])]
        for path in lost:
            del names[path]
        return {path: None if inode is None else _left(inode, kept, dice) for path, inode in names.items()}

    def _inode(self, path: Path) -> _Inode:
        inode = self._names[path]
        assert inode is not None, f"{path} is a folder"
        return inode

    def _change(self, change: _Change) -> None:
        _carry_out(change, self._names)
        self._pending.append(change)

    def _sync(self, path: Path) -> None:
        inode = self._names.get(path)
        if inode is not None:
            inode.safe = len(inode.content)
            return
        waiting = [change for change in self._pending if path in change.folders]
        for change in waiting:
            _carry_out(change, self._safe)
            self._pending.remove(change)


def _carry_out(change: _Change, names: dict[Path, _Inode | None]) -> None:
    for path in change.removes:
        names.pop(path, None)
    names.update(change.adds)


def _left(inode: _Inode, kept: Kept, dice: random.Random) -> bytes:
    safe, loose = bytes(inode.content[: inode.safe]), bytes(inode.content[inode.safe :])
    if kept != "some" or not loose:
        return safe
    part = loose[: dice.randrange(len(loose) + 1)]
    torn = len(part) % PAGE_BYTES if dice.random() < 0.5 else 0
    return safe + part[: len(part) - torn] + bytes(torn)


@dataclass
class Trace:
    """What was done below ``root``, in order, and after how many steps something was acknowledged."""

    root: Path
    calls: list[OsCall] = field(default_factory=list)
    acknowledged: list[int] = field(default_factory=list)

    def acknowledge(self) -> None:
        """What was done so far was told to be safe."""
        self.acknowledged.append(len(self.calls))

    def moments(self) -> Iterator[tuple[int, int, Disk]]:
        """After each step, and before the first: its number, how many acknowledgements came before, the disk.

        The disk goes on with the next step: take from it what you need.
        """
        disk = Disk()
        for step in range(len(self.calls) + 1):
            if step:
                disk.apply(self.calls[step - 1])
            yield step, sum(at <= step for at in self.acknowledged), disk

    def check(self) -> None:
        """AssertionError if the files are not what the trace makes of them: something was written unseen."""
        *_, (_, _, disk) = self.moments()
        found = {
            path.relative_to(self.root): path.read_bytes()
            for path in self.root.rglob("*")
            if path.is_file() and not _is_lock(path)
        }
        told = disk.files()
        odd = sorted(str(path) for path in found.keys() | told.keys() if found.get(path) != told.get(path))
        assert not odd, f"not all changes went through os: {odd[:5]}"


@contextmanager
def recording(root: Path) -> Iterator[Trace]:
    """Record the changes below ``root``, an empty folder, that succeed. Locks, which keep nothing, are not."""
    root = root.resolve()
    trace = Trace(root)

    def watch(call: OsCall, go_on: Callable[[], Any]) -> Any:
        result = go_on()
        if not _is_lock(call.path) and call.name != "ftruncate":
            data = call.data[:result] if call.name == "write" else b""
            target = None if call.target is None else call.target.relative_to(root)
            trace.calls.append(OsCall(call.name, call.path.relative_to(root), target, data, call.creates))
        return result

    with watching(root, watch):
        yield trace


def put_back(files: dict[Path, bytes | None], folder: Path) -> Path:
    """Make ``folder`` hold what a disk held."""
    folder.mkdir(parents=True)
    for path, content in sorted(files.items()):
        if content is None:
            (folder / path).mkdir(parents=True, exist_ok=True)
        else:
            (folder / path).write_bytes(content)
    return folder


def _is_lock(path: Path) -> bool:
    return path.suffix == ".lock"
