"""Locks between processes: advisory ones on a file, freed by the system when their holder dies.

So a lock is never stale, whatever stands in its file. What stands there tells others whom they wait for.
"""

from __future__ import annotations

import json
import os
import sys
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path
from types import TracebackType
from typing import NamedTuple, Self

if sys.platform == "win32":
    import msvcrt
else:
    import fcntl


class Holder(NamedTuple):
    """The process that has a lock: its number, and since when (UTC, ISO 8601)."""

    pid: int
    since: str


class HeldError(Exception):
    """Another process, or another part of this one, has the lock; ``holder`` is None if it is not known."""

    def __init__(self, path: Path, holder: Holder | None) -> None:
        self.path = path
        self.holder = holder
        super().__init__(f"{path} is locked by {in_words(holder)}")


class FileLock:
    """The lock on the file ``path``, which is made where it is missing and stays.

    Not for threads that share an instance; two instances exclude each other, in one process too.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self._handle: int | None = None

    @property
    def is_held(self) -> bool:
        """True between :meth:`acquire` and :meth:`release`."""
        return self._handle is not None

    def acquire(self, *, wait: bool) -> Holder | None:
        """Take the lock; HeldError if another has it and we do not ``wait``; OSError if the file cannot be made.

        Returns the holder that died with the lock, None if it was given back in order.
        """
        assert self._handle is None, f"{self.path} is held already"
        handle = os.open(self.path, os.O_RDWR | os.O_CREAT, 0o644)
        try:
            free = _lock(handle, wait=wait)
        except BaseException:
            os.close(handle)
            raise
        other = holder_of(self.path)
        if not free:
            os.close(handle)
            raise HeldError(self.path, other)
        self._handle = handle
        self.tell()
        return other

    def tell(self, **facts: object) -> None:
        """Let others know ``facts`` of what is done under the lock: :func:`facts_of` reads them."""
        assert self._handle is not None, "only the holder tells"
        with suppress(OSError):  # on a full disk the lock is held all the same, by nobody that is known
            os.ftruncate(self._handle, 0)
            os.lseek(self._handle, 0, os.SEEK_SET)
            os.write(self._handle, json.dumps({"pid": os.getpid(), **facts}).encode())

    def release(self) -> None:
        """Give the lock back; nothing if it is not held."""
        handle, self._handle = self._handle, None
        if handle is None:
            return
        with suppress(OSError):
            os.ftruncate(handle, 0)  # given back in order
        os.close(handle)

    def __enter__(self) -> Self:
        if self._handle is None:
            self.acquire(wait=True)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.release()


def holder_of(path: Path) -> Holder | None:
    """Who took the lock last and has not given it back: alive if the lock is held, dead otherwise."""
    facts = facts_of(path)
    pid = facts.get("pid")
    if not isinstance(pid, int):
        return None
    since = datetime.fromtimestamp(int(path.stat().st_mtime), UTC)
    return Holder(pid, since.isoformat().replace("+00:00", "Z"))


def facts_of(path: Path) -> dict[str, object]:
    """What the holder of the lock has told; empty if nothing can be read there."""
    try:
        facts = json.loads(path.read_text("utf-8"))
    except (OSError, ValueError):
        return {}
    return facts if isinstance(facts, dict) else {}


def in_words(holder: Holder | None) -> str:
    """The holder as a part of a sentence."""
    return "another process" if holder is None else f"process {holder.pid}, since {holder.since}"


if sys.platform == "win32":

    def _lock(handle: int, *, wait: bool) -> bool:
        os.lseek(handle, 1 << 20, os.SEEK_SET)  # beyond what is told, which others must be able to read
        while True:
            try:
                msvcrt.locking(handle, msvcrt.LK_NBLCK if not wait else msvcrt.LK_LOCK, 1)
            except OSError:
                if not wait:
                    return False
                continue  # it gives up after ten seconds
            return True
else:

    def _lock(handle: int, *, wait: bool) -> bool:
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | (0 if wait else fcntl.LOCK_NB))
        except BlockingIOError:
            return False
        return True
