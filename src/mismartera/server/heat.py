"""Heat: how complete each symbol's bars are, over the session."""

from __future__ import annotations

from typing import Any

import numpy as np

from mismartera.bars.instants import to_iso
from mismartera.server.views import SessionView, finest
from mismartera.session.symbols import SymbolState


def quality_map(view: SessionView, bins: int, symbols: list[str] | None = None) -> dict[str, Any]:
    """Quality of the loaded symbols, as a whole and in ``bins`` equal stretches of the session.

    A bin is the percentage of the bars that were due by now and are there; None where none was due yet.
    """
    session, now_us = view.trading_session(), view.now_us
    found: dict[str, Any] = {"now": to_iso(now_us), "from": None, "to": None, "symbols": {}}
    if session is None:
        return found
    edges = np.linspace(session.open_us, session.close_us, bins + 1).astype(np.int64)
    found |= {"from": to_iso(session.open_us), "to": to_iso(session.close_us)}
    wanted = None if symbols is None else frozenset(symbols)
    for standing in view.system.coordinator.standings():
        symbol = standing.symbol
        if standing.state is not SymbolState.LOADED or (wanted is not None and symbol not in wanted):
            continue
        label = finest(standing.intervals)
        bars = view.system.session_data.get_bars(symbol, label)
        quality = view.system.coordinator.get_quality(symbol)
        if bars is None:
            found["symbols"][symbol] = {"percent": None, "bins": None, "reason": view.why_empty(symbol, standing)}
            continue
        expected = view.slots.expected(session, label, now_us, edges)
        present = np.diff(bars.start_us.searchsorted(edges))
        shares = [
            None if not e else round(100 * p / e, 1)
            for p, e in zip(present.tolist(), expected.tolist(), strict=True)
        ]
        found["symbols"][symbol] = {
            "interval": quality.interval if quality else label,
            "expected": quality.expected if quality else None,
            "present": quality.present if quality else None,
            "percent": quality.percent if quality else None,
            "bins": shares,
            "reason": None,
        }
    return found
