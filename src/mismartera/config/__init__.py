"""F1: the configuration of a session: frozen, typed, checked as a whole, and its JSON Schema."""

from __future__ import annotations

from mismartera.config.frozen import FrozenDict
from mismartera.config.history import HistoricalConfig, HistoricalIndicator, HistoricalWindow
from mismartera.config.run import (
    AnalysisConfig,
    ApiConfig,
    BacktestConfig,
    BridgeConfig,
    FeedConfig,
    ScheduleEntry,
    StrategyConfig,
    TradingConfig,
)
from mismartera.config.schema import config_schema
from mismartera.config.session import SessionConfig
from mismartera.config.session_data import (
    GapFillerConfig,
    HoursConfig,
    IndicatorConfig,
    SessionDataConfig,
    StreamingConfig,
)

__all__ = [
    "SessionConfig", "SessionDataConfig", "StreamingConfig", "HoursConfig", "IndicatorConfig", "GapFillerConfig",
    "HistoricalConfig", "HistoricalWindow", "HistoricalIndicator",
    "BacktestConfig", "ScheduleEntry", "AnalysisConfig", "StrategyConfig", "TradingConfig", "ApiConfig",
    "BridgeConfig", "FeedConfig", "FrozenDict", "config_schema",
]  # fmt: skip
