"""The summary of a run: the object that ``--json`` prints."""

from __future__ import annotations

from typing import TypedDict

from mismartera.session.coordinator import SessionCoordinator
from mismartera.session.quality import Quality


class QualityFigures(TypedDict):
    """Base bars expected by the calendar and present; ``percent`` is None where nothing was expected."""

    expected: int
    present: int
    percent: float | None


class StrategyErrorEntry(TypedDict):
    """A strategy that raised, and what."""

    strategy: str
    error: str


class Summary(TypedDict):
    """The figures of a run; ``counts`` per symbol as in rule R1, ``quality`` per symbol, date and base
    interval.
    """

    sessions: int
    bars_streamed: int
    bars_delivered: int
    derived_bars: int
    deactivations: int
    activations: int
    symbols_loaded: list[str]
    symbols_failed: dict[str, str]
    counts: dict[str, dict[str, int]]
    quality: dict[str, dict[str, dict[str, QualityFigures]]]
    strategy_errors: list[StrategyErrorEntry]
    store_version: int | None
    wall_seconds: float
    bars_per_second: float


def summarize(coordinator: SessionCoordinator, store_version: int | None, wall_seconds: float) -> Summary:
    """The figures of ``coordinator``'s run so far."""
    tally, events = coordinator.tally, coordinator.publisher.counts
    progress = coordinator.progress()
    return Summary(
        sessions=tally.sessions,
        bars_streamed=progress.bars_streamed,
        bars_delivered=progress.bars_delivered,
        derived_bars=progress.derived_bars,
        deactivations=events["session_deactivated"],
        activations=events["session_activated"],
        symbols_loaded=list(coordinator.loaded_in_order()),
        symbols_failed=coordinator.get_failed_symbols(),
        counts=tally.counts,
        quality={
            symbol: {day.isoformat(): {q.interval: _figures(q)} for day, q in days.items()}
            for symbol, days in tally.quality.items()
        },
        strategy_errors=[StrategyErrorEntry(strategy=name, error=error) for name, error in tally.strategy_errors],
        store_version=store_version,
        wall_seconds=wall_seconds,
        bars_per_second=progress.bars_streamed / wall_seconds if wall_seconds > 0 else 0.0,
    )


def _figures(quality: Quality) -> QualityFigures:
    return QualityFigures(expected=quality.expected, present=quality.present, percent=quality.percent)
