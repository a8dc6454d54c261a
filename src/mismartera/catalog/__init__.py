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
    from mismartera.catalog.health import StoreHealth, examine, repair
    from mismartera.catalog.importer import ImportReport, import_files
    from mismartera.catalog.leases import leased
    from mismartera.catalog.listing import ListingRow
    from mismartera.catalog.lock import claim_session
    from mismartera.catalog.manager import DataManager
    from mismartera.catalog.report import WriteReport
    from mismartera.catalog.sample import SAMPLE_CALENDAR, SAMPLE_END, SAMPLE_START, sample_symbols, write_sample
    from mismartera.catalog.vacuuming import RETENTION_SECONDS, VacuumReport, vacuum

_HOMES = {
    "BarFlusher": "flush",
    "CheckRow": "check",
    "DataManager": "manager",
    "ImportReport": "importer",
    "ListingRow": "listing",
    "RETENTION_SECONDS": "vacuuming",
    "SAMPLE_CALENDAR": "sample",
    "SAMPLE_END": "sample",
    "SAMPLE_START": "sample",
    "StoreCheck": "check",
    "StoreHealth": "health",
    "VacuumReport": "vacuuming",
    "WriteReport": "report",
    "check_store": "check",
    "claim_session": "lock",
    "examine": "health",
    "import_files": "importer",
    "leased": "leases",
    "repair": "health",
    "sample_symbols": "sample",
    "vacuum": "vacuuming",
    "write_sample": "sample",
}

__all__ = [
    "RETENTION_SECONDS", "SAMPLE_CALENDAR", "SAMPLE_END", "SAMPLE_START", "BarFlusher", "CheckRow", "DataManager",
    "ImportReport", "ListingRow", "StoreCheck", "StoreHealth", "VacuumReport", "WriteReport", "check_store",
    "claim_session", "examine", "import_files", "leased", "repair", "sample_symbols", "vacuum", "write_sample",
]  # fmt: skip


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.{_HOMES[name]}"), name)
