"""F2: the bar store and what fills and checks it.

Names are looked up when they are first used: Polars and Delta Lake take a third of a second to import, and the
help text of the command line must not pay for them. So write ``from mismartera import catalog`` and
``catalog.DataManager(...)`` where a module is imported early.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from mismartera.catalog.check import CheckRow, StoreCheck, check_store
    from mismartera.catalog.flush import BarFlusher
    from mismartera.catalog.importer import ImportReport, import_files
    from mismartera.catalog.listing import ListingRow
    from mismartera.catalog.manager import DataManager
    from mismartera.catalog.report import WriteReport
    from mismartera.catalog.sample import SAMPLE_CALENDAR, SAMPLE_END, SAMPLE_START, sample_symbols, write_sample

_HOMES = {
    "BarFlusher": "flush",
    "CheckRow": "check",
    "DataManager": "manager",
    "ImportReport": "importer",
    "ListingRow": "listing",
    "SAMPLE_CALENDAR": "sample",
    "SAMPLE_END": "sample",
    "SAMPLE_START": "sample",
    "StoreCheck": "check",
    "WriteReport": "report",
    "check_store": "check",
    "import_files": "importer",
    "sample_symbols": "sample",
    "write_sample": "sample",
}

__all__ = [
    "SAMPLE_CALENDAR", "SAMPLE_END", "SAMPLE_START", "BarFlusher", "CheckRow", "DataManager", "ImportReport",
    "ListingRow", "StoreCheck", "WriteReport", "check_store", "import_files", "sample_symbols", "write_sample",
]  # fmt: skip


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.{_HOMES[name]}"), name)
