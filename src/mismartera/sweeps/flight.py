"""Tasks in the air: handed to an executor, some ahead of its workers, and taken back as they come."""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence
from concurrent.futures import FIRST_COMPLETED, BrokenExecutor, CancelledError, Executor, Future, wait
from typing import Protocol

from mismartera.errors import RunFailedError
from mismartera.sweeps.work import Job, TaskResult, error_text, failed, run_job

POLL_SECONDS = 0.1


class Stopped(Exception):  # noqa: N818  # no error: somebody wants it
    """The sweep is to end now; what is in the air is lost."""


class Desk(Protocol):
    """Who takes the results and says whether to go on."""

    def take(self, arrived: Sequence[tuple[Job, TaskResult]]) -> None:
        """Keep some results."""
        ...

    def look(self) -> None:
        """Called every tenth of a second: show how it goes, or raise :class:`Stopped`."""
        ...


class Runner(Protocol):
    """Where the tasks of a sweep run."""

    def run(self, jobs: Sequence[Job], desk: Desk) -> None:
        """Run all ``jobs`` and hand every one's result to ``desk``, in any order."""
        ...


def fly(executor: Executor, jobs: deque[Job], window: int, desk: Desk) -> list[Job]:
    """Run ``jobs``, at most ``window`` at a time, and empty the queue. The jobs whose results were lost because
    the executor broke are returned, those not yet handed out are left in the queue.
    """
    air: dict[Future[TaskResult], Job] = {}
    try:
        while jobs or air:
            is_broken = not _hand_out(executor, jobs, window, air)
            done, _ = wait(air, None if is_broken else POLL_SECONDS, FIRST_COMPLETED)
            if is_broken or any(isinstance(future.exception(), BrokenExecutor) for future in done):
                return _salvage(air, desk)
            desk.take([(air[future], _result(future)) for future in done])
            for future in done:
                del air[future]
            desk.look()
    finally:
        for future in air:
            future.cancel()
    return []


def _hand_out(executor: Executor, jobs: deque[Job], window: int, air: dict[Future[TaskResult], Job]) -> bool:
    """Fill the air; False if the executor is broken."""
    while jobs and len(air) < window:
        try:
            future = executor.submit(run_job, jobs[0])
        except BrokenExecutor:
            return False
        air[future] = jobs.popleft()
    return True


def _salvage(air: dict[Future[TaskResult], Job], desk: Desk) -> list[Job]:
    """Take what came before the executor broke; the others' jobs."""
    wait(air)
    lost = [job for future, job in air.items() if isinstance(future.exception(), BrokenExecutor)]
    desk.take([(job, _result(f)) for f, job in air.items() if not isinstance(f.exception(), BrokenExecutor)])
    air.clear()
    return lost


def _result(future: Future[TaskResult]) -> TaskResult:
    try:
        return future.result()
    except CancelledError as error:
        raise RunFailedError("the connection to the workers was lost") from error
    except Exception as error:  # noqa: BLE001  # what came of the task is reported with its configuration
        return failed(error_text(error))


class ExecutorRunner:
    """Runs the tasks of a sweep on an executor that somebody else has made and will end."""

    def __init__(self, executor: Executor, window: int) -> None:
        self._executor = executor
        self._window = window

    def run(self, jobs: Sequence[Job], desk: Desk) -> None:
        """See :class:`Runner`. RunFailedError if the executor breaks."""
        lost = fly(self._executor, deque(jobs), self._window, desk)
        if lost:
            raise RunFailedError(
                f"the executor broke while it ran {len(lost)} tasks; start the sweep again to go on"
            )
