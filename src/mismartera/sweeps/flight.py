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


def fly(
    executor: Executor, jobs: deque[Job], window: int, desk: Desk, killed: tuple[type[BaseException], ...] = ()
) -> list[Job]:
    """Run ``jobs``, at most ``window`` at a time, and empty the queue.

    Returned are those whose worker died: their futures raise one of ``killed``, or the executor broke. If it
    broke, jobs not yet handed out are left in the queue.
    """
    air: dict[Future[TaskResult], Job] = {}
    deadly: tuple[type[BaseException], ...] = (BrokenExecutor, *killed)
    lost: list[Job] = []
    try:
        while jobs or air:
            is_broken = not _hand_out(executor, jobs, window, air)
            done, _ = wait(air, None if is_broken else POLL_SECONDS, FIRST_COMPLETED)
            if is_broken or any(isinstance(_failure(future), BrokenExecutor) for future in done):
                done, _ = wait(air)  # all of a broken executor's are done at once
                is_broken = True
            lost += [air[future] for future in done if isinstance(_failure(future), deadly)]
            desk.take([(air[f], _result(f)) for f in done if not isinstance(_failure(f), deadly)])
            for future in done:
                del air[future]
            desk.look()
            if is_broken:
                break
    finally:
        for future in air:
            future.cancel()
    return sorted(lost, key=lambda job: job.index)


def _hand_out(executor: Executor, jobs: deque[Job], window: int, air: dict[Future[TaskResult], Job]) -> bool:
    """Fill the air; False if the executor is broken."""
    while jobs and len(air) < window:
        try:
            future = executor.submit(run_job, jobs[0])
        except BrokenExecutor:
            return False
        air[future] = jobs.popleft()
    return True


def _failure(future: Future[TaskResult]) -> BaseException | None:
    return CancelledError() if future.cancelled() else future.exception()


def _result(future: Future[TaskResult]) -> TaskResult:
    if isinstance(_failure(future), CancelledError):
        raise RunFailedError("the connection to the workers was lost; start the sweep again to go on")
    try:
        return future.result()
    except Exception as error:  # noqa: BLE001  # what came of the task is reported with its configuration
        return failed(error_text(error))


class ExecutorRunner:
    """Runs the tasks of a sweep on an executor that somebody else has made and will end.

    ``killed``: what a task raises if its workers died. The tasks beside the one that killed them raise it,
    too: each is run again by itself, and failed if its workers die again.
    """

    def __init__(self, executor: Executor, window: int, killed: tuple[type[BaseException], ...] = ()) -> None:
        self._executor = executor
        self._window = window
        self._killed = killed

    def run(self, jobs: Sequence[Job], desk: Desk) -> None:
        """See :class:`Runner`. RunFailedError if the executor breaks."""
        waiting = deque(jobs)
        suspects = self._fly(waiting, self._window, desk)
        for suspect in suspects:
            for guilty in self._fly(deque([suspect]), 1, desk):
                desk.take(
                    [(guilty, failed("its worker processes died while it ran, and again when it ran alone"))]
                )

    def _fly(self, jobs: deque[Job], window: int, desk: Desk) -> list[Job]:
        count = len(jobs)
        lost = fly(self._executor, jobs, window, desk, self._killed)
        if jobs or (lost and not self._killed):
            raise RunFailedError(f"the executor broke while it ran {count} tasks; start the sweep again to go on")
        return lost
