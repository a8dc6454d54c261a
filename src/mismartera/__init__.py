"""mismartera: a market-data session engine that never lets a strategy act on stale bars."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from mismartera.bars import Bar, Bars
    from mismartera.catalog import DataManager
    from mismartera.config import SessionConfig, SessionDataConfig, StreamingConfig
    from mismartera.session.analysis import AnalysisEngine
    from mismartera.session.coordinator import SessionCoordinator
    from mismartera.session.processor import DataProcessor
    from mismartera.session.quality import DataQualityManager
    from mismartera.session.session_data import SessionData
    from mismartera.session.slice import Slice
    from mismartera.session.strategy import Strategy
    from mismartera.sweeps import sweep
    from mismartera.system import SystemManager
    from mismartera.timing import TimeManager

__version__ = "0.1.0"

_HOMES = {
    "AnalysisEngine": "mismartera.session.analysis",
    "Bar": "mismartera.bars",
    "Bars": "mismartera.bars",
    "DataManager": "mismartera.catalog",
    "DataProcessor": "mismartera.session.processor",
    "DataQualityManager": "mismartera.session.quality",
    "SessionConfig": "mismartera.config",
    "SessionCoordinator": "mismartera.session.coordinator",
    "SessionData": "mismartera.session.session_data",
    "SessionDataConfig": "mismartera.config",
    "Slice": "mismartera.session.slice",
    "Strategy": "mismartera.session.strategy",
    "StreamingConfig": "mismartera.config",
    "SystemManager": "mismartera.system",
    "TimeManager": "mismartera.timing",
    "sweep": "mismartera.sweeps",
}

__all__ = [
    "AnalysisEngine", "Bar", "Bars", "DataManager", "DataProcessor", "DataQualityManager", "SessionConfig",
    "SessionCoordinator", "SessionData", "SessionDataConfig", "Slice", "Strategy", "StreamingConfig",
    "SystemManager", "TimeManager", "sweep",
]  # fmt: skip


def __getattr__(name: str) -> Any:
    """Import a public name when it is first used: ``mismartera --help`` must not wait for Polars."""
    if name not in _HOMES:
        raise AttributeError(f"module 'mismartera' has no attribute {name!r}")
    return getattr(import_module(_HOMES[name]), name)
