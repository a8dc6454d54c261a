"""One task of a sweep, wherever it runs: a backtest, and what is kept of it. It pulls the whole engine in."""

from __future__ import annotations

from collections.abc import Mapping
from functools import lru_cache
from pathlib import Path
from threading import Lock
from typing import TypedDict

from msgspec import Struct

from mismartera import __version__
from mismartera.bars import Bar
from mismartera.bars.instants import to_iso
from mismartera.catalog import DataManager
from mismartera.config import SessionConfig
from mismartera.errors import ConfigError, MismarteraError, UsageError
from mismartera.session.plain import plain_error, plain_text
from mismartera.session.ports import Field
from mismartera.system import SystemManager
from mismartera.system.outcome import Outcome
from mismartera.system.summary import StrategyErrorEntry, Summary

SIGNALS_MAX = 1_000
"""So many differently named signals are kept of a task; all are counted."""

_BUILDING = Lock()
"""Importing a strategy's module changes the process; a cluster's worker may have a task in each of its threads."""


class Job(Struct, frozen=True):
    """A task, and all that a process anywhere needs to run it."""

    index: int
    config: SessionConfig
    store: str
    store_version: int
    folder: Path | None
    package_version: str


class Signal(TypedDict):
    """The signals of one name that a strategy emitted: how many, and the last one with its time (ISO, UTC)."""

    strategy: str
    name: str
    count: int
    last: Field
    last_at: str


class Figures(TypedDict):
    """What the summary of a run says, in sums over its symbols and sessions."""

    sessions: int
    bars_streamed: int
    bars_delivered: int
    derived_bars: int
    activations: int
    deactivations: int
    symbols_loaded: int
    symbols_failed: int
    received: int
    accepted: int
    bars_expected: int
    bars_present: int
    gaps: int
    wall_seconds: float


class TaskResult(TypedDict):
    """What became of a task. JSON-ready: it is kept as it is. ``figures`` are None if the run never began."""

    status: str
    error: str | None
    figures: Figures | None
    signal_count: int
    signals: list[Signal]
    strategy_errors: list[StrategyErrorEntry]
    warnings: list[str]


def run_job(job: Job) -> TaskResult:
    """Run a task to its end. What goes wrong in it is its result: only what ends the process is raised."""
    signals = SignalSink()
    system: SystemManager | None = None
    error: str | None = None
    try:
        _require_version(job.package_version)
        with _BUILDING:
            data = _open(job.store, job.store_version)
            system = SystemManager(job.config, data_manager=data, folder=job.folder, sinks=[signals])
        system.run()
        error = _early_end(system)
    except Exception as failure:  # noqa: BLE001  # whatever a task raises is reported with its configuration
        error = error_text(failure)
    return TaskResult(
        status="ok" if error is None else "failed",
        error=error,
        figures=None if system is None or system.outcome is Outcome.NOT_STARTED else _figures(system),
        signal_count=signals.count,
        signals=list(signals.kept.values()),
        strategy_errors=[] if system is None else system.summary()["strategy_errors"],
        warnings=[] if system is None else system.warnings,
    )


def failed(error: str) -> TaskResult:
    """The result of a task that brought none."""
    return TaskResult(
        status="failed", error=error, figures=None, signal_count=0, signals=[], strategy_errors=[], warnings=[]
    )  # fmt: skip


def error_text(error: BaseException) -> str:
    """What is said of a task that raised ``error``."""
    if isinstance(error, ConfigError):
        return "; ".join(error.problems)
    return plain_text(str(error)) if isinstance(error, MismarteraError) else plain_error(error)


class SignalSink:
    """Counts the signals of a run and keeps the last of each name."""

    wants_bars = False
    wants_gaps = False

    def __init__(self) -> None:
        self.count = 0
        self.kept: dict[tuple[str, str], Signal] = {}

    def event(self, name: str, now_us: int, fields: Mapping[str, Field]) -> None:
        """Note a signal; other events pass."""
        if name != "signal":
            return
        self.count += 1
        key = str(fields["strategy"]), str(fields["name"])
        known = self.kept.get(key)
        if known is None and len(self.kept) >= SIGNALS_MAX:
            return
        self.kept[key] = Signal(
            strategy=key[0], name=key[1], count=known["count"] + 1 if known else 1, last=fields["value"],
            last_at=to_iso(now_us),
        )  # fmt: skip

    def bar(self, bar: Bar) -> None:
        """Never called."""


@lru_cache(maxsize=1)
def _open(address: str, version: int) -> DataManager:
    """The store, opened once for all the tasks of a process: its log and its inventory are read once."""
    return DataManager(address, version=version)


def _require_version(wanted: str) -> None:
    if wanted != __version__:
        raise UsageError(f"the worker has mismartera {__version__}, the sweep is of {wanted}: install one of them")


def _early_end(system: SystemManager) -> str | None:
    """Why a run that raised nothing is no whole run: a strategy has ended it."""
    if system.outcome is not Outcome.INTERRUPTED:
        return None
    error = system.error
    if isinstance(error, SystemExit) and error.code in {None, 0}:
        return None
    return f"a strategy ended the run: {plain_error(error)}" if error else "a strategy ended the run"


def _figures(system: SystemManager) -> Figures:
    summary: Summary = system.summary()
    days = [figure for days in summary["quality"].values() for day in days.values() for figure in day.values()]
    counts = summary["counts"].values()
    return Figures(
        sessions=summary["sessions"],
        bars_streamed=summary["bars_streamed"],
        bars_delivered=summary["bars_delivered"],
        derived_bars=summary["derived_bars"],
        activations=summary["activations"],
        deactivations=summary["deactivations"],
        symbols_loaded=len(summary["symbols_loaded"]),
        symbols_failed=len(summary["symbols_failed"]),
        received=sum(count["received"] for count in counts),
        accepted=sum(count["accepted"] for count in counts),
        bars_expected=sum(figure["expected"] for figure in days),
        bars_present=sum(figure["present"] for figure in days),
        gaps=sum(system.coordinator.tally.gaps.values()),
        wall_seconds=summary["wall_seconds"],
    )
