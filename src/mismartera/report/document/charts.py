"""What the script of a report draws: candles with their moments, and lag."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from mismartera.bars.instants import SECOND_US
from mismartera.report.document.about import About
from mismartera.report.document.digest import Digest, Mark, SymbolDigest
from mismartera.report.document.series import step_text


def chart_data(digest: Digest, about: About) -> dict[str, Any]:
    """JSON for the script: ``symbols`` with columns, ``marks`` of the session, ``lag``, the zone and threshold."""
    return {
        "zone": about.zone_name,
        "threshold": about.threshold_seconds,
        "symbols": [_symbol(name, one) for name, one in digest.symbols.items() if one.chart is not None],
        "marks": [_mark(mark) for mark in digest.marks],
        "lag": [[at_us // SECOND_US, _short(value)] for at_us, _, value in _one_a_second(digest.lags.rows)],
        "lagStep": step_text(digest.lags.step_us) if digest.lags.step_us else "",
    }


def _symbol(name: str, one: SymbolDigest) -> dict[str, Any]:
    chart = one.chart
    assert chart is not None, "asked for symbols with a chart only"
    rows = chart.rows
    return {
        "name": name, "state": one.state, "interval": chart.interval, "bars": chart.bars,
        "step": "" if chart.is_whole else step_text(chart.step_us),
        "t": [row.start_us // SECOND_US for row in rows],
        "o": [_short(row.open) for row in rows], "h": [_short(row.high) for row in rows],
        "l": [_short(row.low) for row in rows], "c": [_short(row.close) for row in rows],
        "v": [_short(row.volume) for row in rows],
        "marks": [_mark(mark) for mark in one.marks],
    }  # fmt: skip


def _mark(mark: Mark) -> list[Any]:
    return [mark.at_us // SECOND_US, mark.kind, mark.text, mark.order]


def _one_a_second(rows: Sequence[tuple[int, int, float]]) -> list[tuple[int, int, float]]:
    """Rows of one second become one: a chart has no two values at one time."""
    kept: list[tuple[int, int, float]] = []
    for row in rows:
        if kept and kept[-1][0] // SECOND_US == row[0] // SECOND_US:
            kept[-1] = max(kept[-1], row, key=lambda each: each[2])
        else:
            kept.append(row)
    return kept


def _short(value: float) -> float | int:
    """A double as JSON, without the ``.0`` of a whole number."""
    return int(value) if value == int(value) and abs(value) < 1e15 else value
