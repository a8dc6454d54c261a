"""Configurations to start from: JSON-like dicts, fresh at each call, and ways to read what is wrong with one."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from mismartera.config import SessionConfig
from mismartera.errors import ConfigError


def minimal(**changes: Any) -> dict[str, Any]:
    """The least that a backtest needs; ``changes`` replace or add top-level keys."""
    config: dict[str, Any] = {
        "session_data_config": {"symbols": ["ALFA"]},
        "backtest_config": {"start_date": "2024-07-01", "end_date": "2024-07-05"},
    }
    return config | changes


def with_data(**changes: Any) -> dict[str, Any]:
    """A minimal configuration with other keys in ``session_data_config``."""
    return minimal(session_data_config={"symbols": ["ALFA"]} | changes)


def live(**feed: Any) -> dict[str, Any]:
    """A live configuration with this feed."""
    return {"mode": "live", "session_data_config": {"symbols": ["ALFA"]}, "feed": feed}


def trading() -> dict[str, Any]:
    """The limits of a trading_config."""
    return {
        "max_buying_power": 100000,
        "max_per_trade": 1000.5,
        "max_per_symbol": 2000,
        "max_open_positions": 5,
    }


def full() -> dict[str, Any]:
    """A configuration that uses every block."""
    return {
        "$schema": "./session.schema.json",
        "session_name": "Example",
        "exchange_group": "US_EQUITY",
        "asset_class": "EQUITY",
        "mode": "backtest",
        "backtest_config": {
            "start_date": "2024-07-02",
            "end_date": "2024-07-05",
            "speed_multiplier": 60,
            "prefetch_days": 2,
        },
        "session_data_config": {
            "symbols": ["NVR", "TDG", "BTC/USD"],
            "streams": ["1m", "5m", "15m"],
            "hours": {"open": "04:00", "close": "20:00"},
            "derived_bars": "complete",
            "streaming": {
                "catchup_threshold_seconds": 90,
                "catchup_check_interval": 5,
                "catchup_scope": "symbol",
                "load_timeout_seconds": 30,
                "bar_grace_seconds": 5,
                "command_timeout_seconds": 2.5,
            },
            "historical": {
                "enable_quality": False,
                "data": [{"trailing_days": 3, "intervals": ["1m", "1d"], "apply_to": ["NVR", "TDG"]}],
                "indicators": {
                    "avg_volume": {
                        "type": "trailing_average",
                        "period": "3d",
                        "granularity": "minute",
                        "field": "volume",
                    }
                },
            },
            "gap_filler": {"enable_session_quality": False, "max_retries": 3, "retry_interval_seconds": 30},
            "indicators": [
                {"name": "SMA", "interval": "5m", "params": {"timeperiod": 20}},
                {"name": "BBANDS", "interval": "5m", "params": {"nbdevup": 2.5}, "input": "volume"},
            ],
        },
        "schedule": [
            {"at": "2024-07-02T10:00", "add": "AZO", "streams": ["1m"]},
            {"at": "2024-07-02T14:00:30-04:00", "remove": "TDG"},
        ],
        "analysis": {
            "strategies": [{"class": "my_strategies:Momentum", "params": {"levels": [1, None, {"deep": True}]}}],
            "on_strategy_error": "stop",
        },
        "trading_config": trading(),
        "api_config": {"data_api": "alpaca", "trade_api": "alpaca"},
        "metadata": {"note": "kept", "nested": {"list": [1, 2.5, None, "x"]}},
    }


def problems(config: Any) -> list[str]:
    """What SessionConfig.from_dict finds wrong with ``config``, which must be something."""
    return problems_of(lambda: SessionConfig.from_dict(config))


def problems_of(make: Callable[[], object]) -> list[str]:
    """The problems of the ConfigError that ``make`` raises."""
    with pytest.raises(ConfigError) as caught:
        make()
    return caught.value.problems
