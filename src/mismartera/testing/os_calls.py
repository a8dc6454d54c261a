"""Watching what is done to the files below a folder: the one place where the functions of ``os`` are replaced."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from unittest import mock


@dataclass(frozen=True, slots=True)
class OsCall:
    """A call of ``os.<name>`` on ``path``; ``target``: the new name of a rename, replace or link; ``data``: what
    is written; ``creates``: an open that makes the file.
    """

    name: str
    path: Path
    target: Path | None = None
    data: bytes = b""
    creates: bool = False


Watcher = Callable[[OsCall, Callable[[], Any]], Any]
"""Gets each call, and what carries it out; returns its result, or raises in its place."""

_ON_PATHS = ("mkdir", "unlink", "remove", "rmdir")
_ON_TWO_PATHS = ("rename", "replace", "link")
_ON_HANDLES = ("write", "fsync", "ftruncate")


@contextmanager
def watching(root: Path, watcher: Watcher) -> Iterator[None]:
    """Let ``watcher`` decide on every change below ``root`` that goes through ``os``, in all threads.

    What is written by other languages' code (Polars, SQLite), or with ``open``, is not seen.
    """
    root, handles = root.resolve(), dict[int, Path]()
    real = {name: getattr(os, name) for name in ("open", "close", *_ON_PATHS, *_ON_TWO_PATHS, *_ON_HANDLES)}

    def inside(path: Any) -> Path | None:
        if not isinstance(path, str | os.PathLike):
            return None
        full = Path(path).absolute()
        return full if full == root or root in full.parents else None

    def opened(path: Any, flags: int, *args: Any, **options: Any) -> int:
        full = inside(path)
        if full is None:
            return int(real["open"](path, flags, *args, **options))
        creates = bool(flags & os.O_CREAT) and not full.exists()
        handle = watcher(
            OsCall("open", full, creates=creates), lambda: real["open"](path, flags, *args, **options)
        )
        handles[handle] = full
        return int(handle)

    def closed(handle: int) -> None:
        handles.pop(handle, None)
        real["close"](handle)

    def on_paths(name: str) -> Callable[..., Any]:
        def call(path: Any, *args: Any, **options: Any) -> Any:
            full, two = inside(path), name in _ON_TWO_PATHS
            if full is None:
                return real[name](path, *args, **options)
            target = inside(args[0]) if two else None
            return watcher(OsCall(name, full, target), lambda: real[name](path, *args, **options))

        return call

    def on_handles(name: str) -> Callable[..., Any]:
        def call(handle: int, *args: Any) -> Any:
            if handle not in handles:
                return real[name](handle, *args)
            data = bytes(args[0]) if name == "write" else b""
            return watcher(OsCall(name, handles[handle], data=data), lambda: real[name](handle, *args))

        return call

    fakes: dict[str, Any] = {"open": opened, "close": closed}
    fakes |= {name: on_paths(name) for name in (*_ON_PATHS, *_ON_TWO_PATHS)}
    fakes |= {name: on_handles(name) for name in _ON_HANDLES}
    with mock.patch.multiple(os, **fakes):
        yield
