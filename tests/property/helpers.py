"""Runs of the engine and of the reference model over the same bars, in the same shape."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from mismartera.config import SessionConfig
from mismartera.errors import RunFailedError
from mismartera.session.coordinator import SessionCoordinator
from mismartera.session.ports import BarSource
from mismartera.session.strategy import Strategy
from mismartera.session.strategy_run import StrategyRun
from mismartera.system.summary import Summary, summarize
from mismartera.system.wiring import make_coordinator, make_time
from mismartera.testing.memory import DumpKey, EventLog, MemoryBars, MemoryDumps, StoredRow
from mismartera.testing.reference import ReferenceResult, reference_run
from mismartera.testing.reference_bars import RefBar
from mismartera.timing import TimeManager

Store = Mapping[tuple[str, str], Sequence[RefBar]]
Lines = list[dict[str, Any]]


@dataclass
class EngineResult:
    """What a run of the engine left behind, in the shapes of :class:`ReferenceResult`."""

    events: Lines
    dumps: dict[DumpKey, list[dict[str, Any]]]
    summary: Summary
    lag_evaluations: int
    failed: bool
    warnings: list[str] = field(default_factory=list)

    @property
    def counts(self) -> dict[str, dict[str, int]]:
        return self.summary["counts"]

    @property
    def quality(self) -> dict[str, dict[str, dict[str, dict[str, Any]]]]:
        return {
            symbol: {day: {label: dict(figures) for label, figures in rows.items()} for day, rows in days.items()}
            for symbol, days in self.summary["quality"].items()
        }


@dataclass
class Engine:
    """A coordinator over bars in memory, ready to run, with its log and its dumps."""

    coordinator: SessionCoordinator
    log: EventLog
    dumps: MemoryDumps
    warnings: list[str]

    def run(self) -> EngineResult:
        failed = False
        try:
            self.coordinator.run()
        except RunFailedError:
            failed = True
        summary = summarize(self.coordinator, 1, 0.0)
        evaluations = self.coordinator.lag_evaluations
        return EngineResult(self.log.lines, self.dumps.tables, summary, evaluations, failed, self.warnings)


def make_engine(
    config: SessionConfig, source: BarSource | Mapping[tuple[str, str], Sequence[StoredRow]],
    strategies: Sequence[Strategy] = (), *, is_strict: bool = True, with_log: bool = True,
) -> Engine:  # fmt: skip
    """``is_strict``: an exception in a strategy (a failed assertion, say) ends the run and the test.

    Without a log nobody but the strategies listens.
    """
    time = make_time(config)
    log, dumps, warnings = EventLog(time), MemoryDumps(), list[str]()
    bars = MemoryBars(source) if isinstance(source, Mapping) else source

    def on_error(run: StrategyRun, error: BaseException) -> None:
        if is_strict:
            raise error
        coordinator.strategy_failed(run.name, run.error or "")

    coordinator = make_coordinator(
        config, time, bars, strategies, [log] if with_log else [], [dumps], warnings.append, on_error
    )
    return Engine(coordinator, log, dumps, warnings)


def run_engine(
    config: SessionConfig, source: BarSource | Mapping[tuple[str, str], Sequence[StoredRow]],
    strategies: Sequence[Strategy] = (),
) -> EngineResult:  # fmt: skip
    return make_engine(config, source, strategies).run()


def run_reference(config: SessionConfig, store: Store) -> ReferenceResult:
    return reference_run(config, store, TimeManager(config.calendar_code, cache_dir=None))


def without_reasons(lines: Lines) -> Lines:
    """The log without the words in which a failure is told; they must not be empty."""
    failures = [line for line in lines if line["event"] == "symbol_failed"]
    assert all(line["reason"] for line in failures), "a failure says why"
    return [line | {"reason": "..."} if line["event"] == "symbol_failed" else line for line in lines]


def bars_of(lines: Lines, *symbols: str) -> Lines:
    """The released bars of ``symbols`` (all if none is named)."""
    return [line for line in lines if line["event"] == "bar" and (not symbols or line["symbol"] in symbols)]
