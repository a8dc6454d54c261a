"""Carrying out ``mismartera sweep``. Imported by the command only: it pulls the engine in."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

from msgspec import Struct

from mismartera.cli.opening import open_store
from mismartera.cli.signals import StopSignals
from mismartera.cli.status import FAILED, INTERRUPTED, TERMINATED, say
from mismartera.errors import UsageError
from mismartera.report.console import counted
from mismartera.report.progress import ProgressLine, is_terminal
from mismartera.report.sweep_table import print_sweep
from mismartera.sweeps.running import RESULTS_NAME, Progress, SweepRun, make_plan, runner_of
from mismartera.sweeps.tasks import describe


class SweepOptions(Struct, frozen=True):
    """The options of ``mismartera sweep``."""

    store: str
    out: Path | None
    workers: int | None
    dask: str | None
    fresh: bool
    quiet: bool
    as_json: bool
    log_level: str

    @property
    def has_table(self) -> bool:
        """True if the results are printed for people."""
        return not (self.quiet or self.as_json)


_FAILED_SHOWN_MAX = 10


def run_sweep(config: str, grid: str, options: SweepOptions) -> int:
    """Sweep the configuration at ``config`` and return the exit status. Raises what keeps it from beginning."""
    if options.workers is not None and options.dask is not None:
        raise UsageError("--workers and --dask exclude each other: a cluster has its own workers")
    plan = make_plan(config, grid, open_store(options.store))
    out = options.out or Path("sweeps") / f"{Path(config).stem}-{Path(grid).stem}"
    progress = ProgressLine(is_shown=is_terminal() and options.has_table)

    def show(now: Progress) -> None:
        text = f"{now.finished:,}/{counted(now.tasks, 'task')}" + (
            f", {now.failed:,} failed" if now.failed else ""
        )
        progress.show(now.finished / now.tasks, text, now.finished - now.reused, "tasks")

    signals = StopSignals()
    run = SweepRun(
        plan, out, fresh=options.fresh, on_progress=show, is_stopped=lambda: signals.received is not None
    )
    quiet = options.log_level != "DEBUG"
    with signals, runner_of(options.workers, options.dask, is_quiet=quiet) as runner, progress:
        run.run(runner, lambda count: _say_reused(count, len(plan.tasks), options))
    status, messages = _ending(run, signals)
    _print(run, out, options)
    if messages:
        say(*messages)
    return status


def _say_reused(count: int, tasks: int, options: SweepOptions) -> None:
    if not options.quiet:
        say(f"{count:,} of {counted(tasks, 'task')} were finished before and are not run again (--fresh: all are)")


def _ending(run: SweepRun, signals: StopSignals) -> tuple[int, list[str]]:
    now = run.progress()
    messages = [*_failures(run, now.failed), *_strategy_errors(run)]
    if run.was_stopped:
        messages.append(
            f"interrupted: {now.finished:,} of {counted(now.tasks, 'task')} are done and kept; "
            "the same command goes on from there"
        )
        return TERMINATED if signals.is_terminate else INTERRUPTED, messages
    return FAILED if now.failed else 0, messages


def _failures(run: SweepRun, count: int) -> list[str]:
    if not count:
        return []
    lines = [f"error: {counted(count, 'task')} failed:"]
    failed = [task for task in run.plan.tasks if _status(run, task.index) == "failed"]
    for task in failed[:_FAILED_SHOWN_MAX]:
        dates = f"{task.start}" if task.start == task.end else f"{task.start} to {task.end}"
        error = run.results[task.index]["error"]
        lines.append(f"  task {task.index}, {dates}, {describe(task.parameters)}: {error}")
    if count > _FAILED_SHOWN_MAX:
        lines.append(f"  ... and {count - _FAILED_SHOWN_MAX:,} more: their errors are in the results")
    return lines


def _strategy_errors(run: SweepRun) -> list[str]:
    """A strategy that raised is called no more and its run goes on: easily overlooked among many."""
    told = [(index, error) for index in sorted(run.results) for error in run.results[index]["strategy_errors"]]
    if not told:
        return []
    index, first = told[0]
    return [
        f"warning: strategies raised in {counted(len({index for index, _ in told}), 'task')}; the first, in task "
        f"{index}: {first['strategy']}: {first['error']}"
    ]


def _status(run: SweepRun, index: int) -> str | None:
    result = run.results.get(index)
    return None if result is None else result["status"]


def _print(run: SweepRun, out: Path, options: SweepOptions) -> None:
    now = run.progress()
    if options.as_json:
        told: dict[str, Any] = {
            "tasks": now.tasks, "ok": now.finished - now.failed, "failed": now.failed, "reused": now.reused,
            "unfinished": now.tasks - now.finished, "wall_seconds": run.wall_seconds,
            "results_file": str(out / RESULTS_NAME), "results": run.table().to_dicts(),
        }  # fmt: skip
        sys.stdout.write(json.dumps(told, default=lambda moment: moment.isoformat()) + "\n")
    elif not options.quiet:
        print_sweep(run.table(), now.tasks, now.reused, run.wall_seconds, sys.stdout)
        sys.stdout.write(f"Results: {out / RESULTS_NAME}\n")
    sys.stdout.flush()
