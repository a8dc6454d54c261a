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
