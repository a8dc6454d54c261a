"""``sweep``: plan, run what is not finished yet, keep each result as it comes, and put them in a table."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager, ExitStack, nullcontext
from pathlib import Path
from typing import Any

import polars as pl
from msgspec import Struct

from mismartera import __version__
from mismartera.catalog import DataManager
from mismartera.config import SessionConfig
from mismartera.errors import UsageError
from mismartera.sweeps.cluster import dask_runner
from mismartera.sweeps.flight import Runner, Stopped
from mismartera.sweeps.grid import Grid
from mismartera.sweeps.identity import Keys
from mismartera.sweeps.kept import KeptResults
from mismartera.sweeps.pool import PoolRunner, processors
from mismartera.sweeps.table import make_table, names_of, write_table
from mismartera.sweeps.tasks import Base, Task, plan_tasks, read_base
from mismartera.sweeps.work import Job, TaskResult
from mismartera.system.strategies import forget_strategies
from mismartera.timing import SystemClock

RESULTS_NAME = "results.parquet"


class Progress(Struct, frozen=True):
    """How a sweep goes: tasks in all, finished (failed ones too), failed, and those that were not run again."""

    tasks: int
    finished: int
    failed: int
    reused: int


def sweep(
    config: SessionConfig | Mapping[str, Any] | str | Path,
    grid: Grid | Mapping[str, Any] | str | Path,
    *,
    data: DataManager | str | Path = "data",
    workers: int | None = None,
    dask: str | None = None,
    out: str | Path | None = None,
    fresh: bool = False,
    folder: str | Path | None = None,
    on_progress: Callable[[Progress], None] | None = None,
) -> pl.DataFrame:
    """Run ``config``, a backtest, once for each task of ``grid``; the table of the results, in the tasks' order.

    ``data``: the bar store; all tasks read the version that it has now. ``workers``: processes (by default as many
    as there are processors), unless ``dask`` is the address of a scheduler. ``out``: a folder that keeps each
    result as it comes, and the table as Parquet; a sweep that was stopped goes on there, tasks that are finished
    are not run again unless ``fresh``. ``folder``: where strategies are looked up first (by default that of
    ``config``). A task that fails has status "failed" and its error in the table; the others go on. Every worker
    imports the script that calls this: it must do so below ``if __name__ == "__main__":``.

    Raises ConfigError for a configuration or grid that is wrong, StoreError for a store that cannot be read,
    UsageError for a cluster that cannot be reached, RunFailedError if no worker can be started.
    """
    if workers is not None and (type(workers) is not int or workers < 1):
        raise UsageError(f"workers is a whole number of processes, at least one, not {workers!r}")
    if out is not None and not str(out):
        raise UsageError("out names a folder; it is empty")
    if workers is not None and dask is not None:
        raise UsageError("workers and dask exclude each other: a cluster has its own workers")
    plan = make_plan(config, grid, data, folder=None if folder is None else Path(folder))
    run = SweepRun(plan, None if out is None else Path(out), fresh=fresh, on_progress=on_progress)
    with runner_of(workers, dask) as runner:
        run.run(runner)
    return run.table()


class Plan(Struct, frozen=True):
    """What is to be run, and on what."""

    tasks: list[Task]
    data: DataManager
    version: int
    folder: Path | None

    @property
    def store(self) -> str:
        """Where the store is, whatever the present folder."""
        address = self.data.address
        return address if "://" in address else str(Path(address).resolve())

    def job(self, task: Task) -> Job:
        """``task`` with all that a worker needs."""
        return Job(task.index, task.config, self.store, self.version, self.folder, __version__)


def make_plan(
    config: SessionConfig | Mapping[str, Any] | str | Path, grid: Grid | Mapping[str, Any] | str | Path,
    data: DataManager | str | Path, *, folder: Path | None = None,
) -> Plan:  # fmt: skip
    """Read and check everything that can be found wrong before a task runs."""
    base: Base = read_base(config)
    if isinstance(grid, str | Path):
        tasks = plan_tasks(base, Grid.from_file(grid), source=str(grid))
    else:
        tasks = plan_tasks(base, grid if isinstance(grid, Grid) else Grid.from_json(grid))
    store = data if isinstance(data, DataManager) else DataManager(data)
    return Plan(tasks, store, store.version, folder.resolve() if folder is not None else base.folder)


def runner_of(workers: int | None, dask: str | None, *, is_quiet: bool = False) -> AbstractContextManager[Runner]:
    """Where the tasks run: a cluster if ``dask`` names one, else a pool of processes."""
    forget_strategies()  # of a run in this process: workers would inherit their folders
    if dask is not None:
        return dask_runner(dask, is_quiet=is_quiet)
    return nullcontext(PoolRunner(workers or processors()))


class SweepRun(Struct):
    """A sweep under way: takes the results, keeps them, and makes the table of those that are there.

    ``is_stopped`` is asked ten times a second; once it is true the sweep ends, and ``was_stopped``.
    """

    plan: Plan
    out: Path | None = None
    fresh: bool = False
    on_progress: Callable[[Progress], None] | None = None
    is_stopped: Callable[[], bool] = lambda: False
    was_stopped: bool = False
    reused: int = 0
    wall_seconds: float = 0.0
    results: dict[int, TaskResult] = {}
    _failed: int = 0
    _kept: KeptResults | None = None
    _keys: dict[int, str] = {}

    def run(self, runner: Runner, on_reused: Callable[[int], None] = lambda _: None) -> None:
        """Run the tasks that are not finished; ``on_reused`` is told how many are, before the others begin."""
        clock = SystemClock()
        begun = clock.monotonic()
        with ExitStack() as stack:
            if self.out is not None:
                self._kept = stack.enter_context(KeptResults(self.out))
                self._reuse(self._kept)
            if self.reused:
                on_reused(self.reused)
            jobs = [self.plan.job(task) for task in self.plan.tasks if task.index not in self.results]
            try:
                self.look()
                if jobs:
                    runner.run(jobs, self)
            except Stopped:
                self.was_stopped = True
            finally:
                self.wall_seconds = clock.monotonic() - begun
                if self.out is not None:
                    write_table(self.table(), self.out / RESULTS_NAME)
        assert self.was_stopped or len(self.results) == len(self.plan.tasks), "a runner runs all its jobs"

    def _reuse(self, kept: KeptResults) -> None:
        folders = [*([self.plan.folder] if self.plan.folder else []), Path.cwd()]
        keys = Keys([self.plan.store, self.plan.data.table_id, self.plan.version], folders)
        self._keys = {task.index: keys.key(task) for task in self.plan.tasks}
        finished = {} if self.fresh else kept.finished()
        self.results = {index: finished[key] for index, key in self._keys.items() if key in finished}
        self.reused = len(self.results)

    def take(self, arrived: Sequence[tuple[Job, TaskResult]]) -> None:
        """Keep some results."""
        if self._kept is not None:
            self._kept.add([(self._keys[job.index], result) for job, result in arrived])
        for job, result in arrived:
            self.results[job.index] = result
            self._failed += result["status"] == "failed"

    def look(self) -> None:
        """Show how it goes; Stopped if it is to end."""
        if self.on_progress is not None:
            self.on_progress(self.progress())
        if self.is_stopped():
            raise Stopped

    def progress(self) -> Progress:
        """How far it is."""
        return Progress(len(self.plan.tasks), len(self.results), self._failed, self.reused)

    def table(self) -> pl.DataFrame:
        """The results so far, in the order of the tasks."""
        tasks = self.plan.tasks
        told = [(task, self.results[task.index]) for task in tasks if task.index in self.results]
        return make_table(told, names_of(tasks), self.plan.version)
