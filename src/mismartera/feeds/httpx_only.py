"""httpx without its own command line, which would load rich and Pygments: a fifteenth of a start."""

from __future__ import annotations

import sys
from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import httpx
else:

    def _load() -> Any:
        """The module. Where its command cannot be imported it goes on without, as it is made to."""
        if "httpx" in sys.modules:
            return sys.modules["httpx"]
        sys.modules["httpx._main"] = None
        try:
            return import_module("httpx")
        finally:
            del sys.modules["httpx._main"]

    httpx = _load()

__all__ = ["httpx"]
