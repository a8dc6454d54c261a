"""Files that survive a power loss."""

from __future__ import annotations

import os
from pathlib import Path


def sync(file: Path) -> None:
    """Make a new file and its name survive a power loss (where the system can)."""
    if os.name == "nt":
        return
    for path in (file, file.parent):
        handle = os.open(path, os.O_RDONLY)
        try:
            os.fsync(handle)
        finally:
            os.close(handle)


def rewrite(file: Path) -> None:
    """Write a file anew, durably, and put it in the place of the old one.

    After a failed fsync the system may take lost pages for written: to repeat it on the same file proves nothing.
    """
    draft = file.with_name(f".{file.name}.tmp")
    draft.write_bytes(file.read_bytes())
    try:
        sync(draft)
        draft.replace(file)
        sync(file)
    finally:
        draft.unlink(missing_ok=True)
