"""The one door to TA-Lib: imported on first use, without pandas and Polars."""

from __future__ import annotations

import importlib
import sys
import threading
from functools import lru_cache
from importlib.machinery import ModuleSpec
from types import ModuleType
from typing import Any

_FRAMES = ("pandas", "polars")
_LOCK = threading.Lock()


class _Absent:
    """An import hook by which one thread does not find the frame libraries, while all others do."""

    def __init__(self, names: frozenset[str]) -> None:
        self._names = names
        self._thread = threading.get_ident()

    def find_spec(self, name: str, *_: object) -> ModuleSpec | None:
        if name in self._names and threading.get_ident() == self._thread:
            raise ModuleNotFoundError(f"No module named {name!r}", name=name)
        return None


@lru_cache(maxsize=1)
def talib_library() -> Any:
    """TA-Lib's extension module: its functions, ``<NAME>_Stream`` handles and ``Function`` (abstract interface).

    ``import talib`` looks for pandas and Polars only to wrap its functions for their series, and pandas alone
    costs more than half a second. We hand it NumPy arrays, so it is imported as if the two were not installed
    (unless they are loaded already). What it then leaves in ``sys.modules`` lacks the wrappers, so it is taken
    out again: a strategy that imports talib itself gets the usual package, for series of both kinds (only whole
    frames are then beyond ``talib.abstract``). Safe to be called by several threads.
    """
    with _LOCK:
        loaded = sys.modules.get("talib._ta_lib")
        if loaded is not None and "talib" not in sys.modules:
            return loaded  # another thread came first
        hidden = frozenset(name for name in _FRAMES if name not in sys.modules)
        if "talib" in sys.modules or not hidden:
            return importlib.import_module("talib._ta_lib")
        return _import_without(hidden)


def _import_without(hidden: frozenset[str]) -> ModuleType:
    hook = _Absent(hidden)
    sys.meta_path.insert(0, hook)
    try:
        library = importlib.import_module("talib._ta_lib")
    finally:
        sys.meta_path.remove(hook)
    for name in [name for name in sys.modules if name.split(".")[0] == "talib" and name != library.__name__]:
        del sys.modules[name]
    # The package initialises the library whenever it is executed, which TA-Lib refuses while a call is under
    # way on another thread. It is initialised by now: a second time has nothing to do.
    vars(library)["_ta_initialize"] = lambda: None
    return library


def plain_function(name: str) -> Any:
    """TA-Lib's batch function ``name`` for NumPy arrays, without a wrapper for series."""
    function = getattr(talib_library(), name)
    return getattr(function, "__wrapped__", function)
