"""The events that a log may hold, with the fields that a report needs of each."""

from __future__ import annotations

from collections.abc import Mapping

_CHANGE = ("lag_seconds", "reason", "symbol")
_SYMBOL = ("reason", "symbol")
_STRATEGY = ("lag_seconds", "reason", "strategy")
_PRICES = ("symbol", "interval", "start", "open", "high", "low", "close", "volume")

EVENT_FIELDS: Mapping[str, tuple[str, ...]] = {
    "bar": (*_PRICES, "end", "lag_seconds"),
    "revision": _PRICES,
    "gap": ("symbol", "interval", "from", "to", "missing"),
    "quiet": ("symbol", "start"),
    "session_opened": ("date",),
    "session_closed": ("date",),
    "session_activated": _CHANGE,
    "session_deactivated": _CHANGE,
    "session_state": ("from", "reason", "to"),
    "symbol_activated": _CHANGE,
    "symbol_deactivated": _CHANGE,
    "symbol_pending": _SYMBOL,
    "symbol_loaded": _SYMBOL,
    "symbol_failed": _SYMBOL,
    "symbol_removed": _SYMBOL,
    "strategy_activated": _STRATEGY,
    "strategy_deactivated": _STRATEGY,
    "signal": ("name", "strategy", "value"),
    "strategy_error": ("error", "strategy"),
    "feed_connected": (),
    "feed_disconnected": ("reason",),
    "feed_failed": ("reason",),
    "feed_subscribed": ("symbols",),
    "backfilled": ("bars", "from", "interval", "symbol", "to"),
    "halted": _SYMBOL,
    "resumed": _SYMBOL,
}
"""Event name: the fields that it must have (besides ``time`` and ``event``)."""
