"""Files that survive a power loss: what has its final name is whole, and stays.

Every write to a disk that counts goes through here, by the functions of ``os``: so that tests can play a disk that
is full or breaks (``testing/fault_disk.py``) and a power loss at any moment (``testing/power_loss.py``).
"""

from __future__ import annotations

import os
import uuid
from contextlib import suppress
from pathlib import Path

DRAFT_SUFFIX = ".tmp"
"""Drafts begin with a dot, too: no reader takes them for data, and whoever finds one may delete it."""


def write_new(path: Path, content: bytes | memoryview) -> None:
    """Make the file ``path``, whose name nobody else uses, with ``content``: durably, or not at all.

    OSError if it cannot be written; then neither a draft nor a half file stays.
    """
    draft = _draft(path, content)
    try:
        os.rename(draft, path)
        sync_folder(path.parent)
    except BaseException:
        discard(draft, path)
        raise


def write_once(path: Path, content: bytes | memoryview) -> None:
    """Make the file ``path`` unless there is one: FileExistsError; of several processes one succeeds.

    Afterwards the content is durable, the name only after :func:`sync_folder`.
    """
    draft = _draft(path, content)
    try:
        try:
            os.link(draft, path)
        except FileExistsError:
            raise
        except OSError:  # a file system without links: the caller's lock has to do
            if path.exists():
                raise FileExistsError(path) from None
            os.rename(draft, path)
    finally:
        discard(draft)


def rewrite(path: Path, content: bytes | memoryview) -> None:
    """Put a file with ``content`` in the place of ``path``, durably: readers see the old one or the new one.

    After a failed fsync the system may take lost pages for written: to repeat it on the same file proves nothing,
    so doubtful files are written anew.
    """
    draft = _draft(path, content)
    try:
        os.replace(draft, path)
        sync_folder(path.parent)
    except BaseException:
        discard(draft)
        raise


def make_folders(folder: Path) -> None:
    """Make ``folder`` and those above it, durably."""
    missing = []
    while not folder.is_dir():
        missing.append(folder)
        folder = folder.parent
    for made in reversed(missing):
        with suppress(FileExistsError):  # another process may be quicker; what is no folder fails at the next step
            os.mkdir(made)
        sync_folder(made.parent)


def move(path: Path, target: Path) -> None:
    """Give a file another name on the same disk, durably."""
    os.rename(path, target)
    sync_folder(target.parent)
    sync_folder(path.parent)


def sync_folder(folder: Path) -> None:
    """Make the names in ``folder`` survive a power loss (where the system can)."""
    if os.name == "nt":
        return
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def discard(*paths: Path) -> None:
    """Delete files that nobody needs; what hindered their writing may hinder this too."""
    for path in paths:
        with suppress(OSError):
            os.unlink(path)


def is_draft(name: str) -> bool:
    """True if a file of that name is what a process that died has left."""
    return name.startswith(".") and name.endswith(DRAFT_SUFFIX)


def _draft(path: Path, content: bytes | memoryview) -> Path:
    """A file next to ``path`` with ``content``, on the disk; its name is of no account yet."""
    draft = path.with_name(f".{path.name}.{uuid.uuid4().hex[:8]}{DRAFT_SUFFIX}")
    try:
        handle = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o644)
        try:
            left = memoryview(content)
            while left:
                left = left[os.write(handle, left) :]
            os.fsync(handle)
        finally:
            os.close(handle)
    except BaseException:
        discard(draft)
        raise
    return draft
