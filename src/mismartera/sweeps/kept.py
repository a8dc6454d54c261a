"""Results that are kept as they come, one line each, so that a sweep that was stopped goes on where it was."""

from __future__ import annotations

import json
import os
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from types import TracebackType
from typing import BinaryIO, Self

from mismartera.errors import UsageError
from mismartera.files.lock import FileLock, HeldError
from mismartera.sweeps.work import TaskResult

FINISHED_NAME = "finished.jsonl"
LOCK_NAME = "_sweep.lock"


class KeptResults:
    """The results in the folder ``out``, made if it is not there; held by one sweep at a time.

    A line is a task's key and its result. A line that was cut off by a crash is passed over.
    """

    def __init__(self, out: Path) -> None:
        self._out = out
        self._lock: FileLock | None = None
        self._file: BinaryIO | None = None

    def __enter__(self) -> Self:
        if self._out.exists() and not self._out.is_dir():
            raise UsageError(f"{self._out} is a file: the results of a sweep need a folder, name one with --out")
        self._out.mkdir(parents=True, exist_ok=True)
        self._lock = _hold(self._out / LOCK_NAME)
        try:
            self._file = (self._out / FINISHED_NAME).open("a+b")
            _end_last_line(self._file)
        except BaseException:
            self._close()
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._close()

    def finished(self) -> dict[str, TaskResult]:
        """The results that need not be had again, by key: those of tasks that did not fail."""
        assert self._file is not None, "entered before it is read"
        self._file.seek(0)
        found: dict[str, TaskResult] = {}
        for line in self._file:
            with suppress(ValueError, KeyError, TypeError):
                entry = json.loads(line)
                if entry["result"]["status"] == "ok":
                    found[entry["key"]] = entry["result"]
        return found

    def add(self, results: Sequence[tuple[str, TaskResult]]) -> None:
        """Keep results, with their keys; they are on the disk when this returns."""
        assert self._file is not None, "entered before it is written to"
        if not results:
            return
        lines = [json.dumps({"key": key, "result": result}) + "\n" for key, result in results]
        self._file.write("".join(lines).encode())
        self._file.flush()
        os.fsync(self._file.fileno())

    def _close(self) -> None:
        if self._file is not None:
            self._file.close()
        if self._lock is not None:
            self._lock.release()


def _end_last_line(file: BinaryIO) -> None:
    """Cut off what follows the last whole line."""
    size = file.seek(0, os.SEEK_END)
    while size:
        file.seek(max(size - 65_536, 0))
        place = file.read(min(size, 65_536)).rfind(b"\n")
        if place >= 0:
            size = max(size - 65_536, 0) + place + 1
            break
        size = max(size - 65_536, 0)
    file.truncate(size)
    file.seek(0, os.SEEK_END)


def _hold(path: Path) -> FileLock:
    """Hold the lock at ``path``; UsageError with the process that has it if there is one."""
    lock = FileLock(path)
    try:
        lock.acquire(wait=False)
    except HeldError as error:
        who = "another process" if error.holder is None else f"process {error.holder.pid}"
        raise UsageError(
            f"{who} runs a sweep into {path.parent}: wait for its end, or name another folder with --out"
        ) from error
    return lock
