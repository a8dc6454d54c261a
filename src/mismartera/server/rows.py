"""Rows: the list of symbols, each with state, lag, quality and newest price; and which have changed."""

from __future__ import annotations

from typing import Any

from mismartera.bars.instants import SECOND_US, to_iso
from mismartera.server.views import SessionView, finest
from mismartera.session.symbols import Standing, SymbolState

Row = dict[str, Any]


def symbol_row(view: SessionView, standing: Standing, spark: int = 0) -> Row:
    """One symbol. ``close`` and what follows from it are None while they may not be read; ``spark`` closes.

    A symbol that failed has no lag: nobody waits for its bars.
    """
    label = finest(standing.intervals)
    bars = view.system.session_data.get_bars(standing.symbol, label) if _is_loaded(standing) else None
    end_us, lag = view.lag_of(standing, bars)
    is_readable = bars is not None
    row: Row = {
        "symbol": standing.symbol, "state": standing.state.value, "reason": standing.reason or None,
        "is_active": is_readable, "generation": standing.generation, "intervals": standing.intervals,
        "end": None if end_us is None else to_iso(end_us),
        "lag_seconds": None if standing.state is SymbolState.FAILED else round(lag, 3), "close": None,
        "change_percent": None, "quality_percent": None, "caught_up": _caught_up(view, standing, end_us),
    }  # fmt: skip
    if bars is not None and len(bars):
        close, first = float(bars.close[-1]), float(bars.open[0])
        quality = view.system.coordinator.get_quality(standing.symbol)
        percent = None if quality is None else quality.percent
        row |= {
            "close": close,
            "change_percent": round(100 * (close / first - 1), 3),
            "quality_percent": None if percent is None else round(percent, 2),
        }
    if spark:
        row["spark"] = None if bars is None else bars.close[-spark:].tolist()
    if _is_loaded(standing) and not is_readable:
        row["reason"] = view.why_empty(standing.symbol, standing)
    return row


def symbol_rows(view: SessionView, spark: int = 0) -> list[Row]:
    """All symbols, in rank order."""
    return [symbol_row(view, standing, spark) for standing in view.system.coordinator.standings()]


class ChangedRows:
    """Remembers what was told of each symbol, and finds what is new."""

    def __init__(self, view: SessionView) -> None:
        self._view = view
        self._told: dict[str, Row] = {}
        self._stamp: tuple[object, ...] = ()

    def take(self) -> tuple[list[Row], list[str]]:
        """The rows that have changed since the last call, and the symbols that are gone."""
        recent = self._view.recent
        stamp = (recent.seq, self._view.system.session_data.is_session_active(), self._view.now_us // SECOND_US)
        if stamp == self._stamp:
            return [], []
        self._stamp = stamp
        rows = {row["symbol"]: row for row in symbol_rows(self._view)}
        gone = [symbol for symbol in self._told if symbol not in rows]
        changed = [row for symbol, row in rows.items() if self._told.get(symbol) != row]
        self._told = rows
        return changed, gone

    def all(self) -> list[Row]:
        """What was told last of every symbol."""
        return list(self._told.values())


def _is_loaded(standing: Standing) -> bool:
    return standing.state is SymbolState.LOADED


def _caught_up(view: SessionView, standing: Standing, end_us: int | None) -> float | None:
    """How much of its day so far a joining symbol has been shown, from 0 to 1; None for others."""
    session = view.trading_session()
    if standing.state not in {SymbolState.PENDING, SymbolState.LOADING} or session is None:
        return None
    span_us = view.now_us - session.open_us
    return round(max(0, end_us - session.open_us) / span_us, 3) if end_us is not None and span_us > 0 else 0.0
