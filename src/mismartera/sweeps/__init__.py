"""F6: sweeps: many backtests of one configuration with other values, as tasks of a process pool or a cluster."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from mismartera.sweeps.grid import Grid
    from mismartera.sweeps.running import sweep

_HOMES = {"Grid": "grid", "sweep": "running"}

__all__ = ["Grid", "sweep"]


def __getattr__(name: str) -> Any:
    """Import a name when it is first used: a worker must set its process up before Polars is imported."""
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.{_HOMES[name]}"), name)
