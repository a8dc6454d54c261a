"""F2: the bar store and what fills and checks it.

Names are looked up when they are first used: Polars and Delta Lake take a third of a second to import, and the
help text of the command line must not pay for them. So write ``from mismartera import catalog`` and
``catalog.DataManager(...)`` where a module is imported early.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from mismartera.catalog.importer import ImportReport, import_files
    from mismartera.catalog.manager import DataManager
    from mismartera.catalog.report import WriteReport

_HOMES = {
    "DataManager": "mismartera.catalog.manager",
    "ImportReport": "mismartera.catalog.importer",
    "import_files": "mismartera.catalog.importer",
    "WriteReport": "mismartera.catalog.report",
}

__all__ = ["DataManager", "ImportReport", "WriteReport", "import_files"]


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(_HOMES[name]), name)
