"""The process pool of a sweep: workers that end with it, and a search for the task that kills its worker."""

from __future__ import annotations

import multiprocessing
import os
import signal
import sys
from collections import deque
from collections.abc import Iterator, Sequence
from concurrent.futures import BrokenExecutor, Future, ProcessPoolExecutor
from contextlib import contextmanager
from multiprocessing.process import BaseProcess
from pathlib import Path

from msgspec import Struct

from mismartera.errors import RunFailedError
from mismartera.sweeps.flight import POLL_SECONDS, Desk, fly
from mismartera.sweeps.work import Job, failed
from mismartera.sweeps.worker import begin, ready


def processors() -> int:
    """How many processors this process may use."""
    if sys.platform != "win32" and hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


class PoolRunner:
    """Runs tasks in ``workers`` processes of this machine.

    They are spawned, so that they share nothing with this process, and keep what they have imported and opened. If
    one dies, the tasks that were in the air are run again one by one: the one whose worker dies again is to blame,
    and failed.
    """

    def __init__(self, workers: int) -> None:
        assert workers >= 1, "somebody must do the work"
        self.workers = workers

    def run(self, jobs: Sequence[Job], desk: Desk) -> None:
        """See :class:`Runner`. RunFailedError if no worker can be started."""
        waiting = deque(jobs)
        while waiting:
            workers = min(self.workers, len(waiting))
            with _pool(workers, desk) as pool:
                suspects = deque(fly(pool.executor, waiting, 2 * workers, desk))
            while suspects:
                self._run_alone(suspects, desk)

    def _run_alone(self, suspects: deque[Job], desk: Desk) -> None:
        """Run ``suspects`` in one process, one at a time, until it dies or they are done."""
        with _pool(1, desk) as pool:
            guilty = fly(pool.executor, suspects, 1, desk)
        for job in guilty:
            desk.take([(job, failed(f"its worker process died twice while it ran: {pool.cause()}"))])


class _Pool(Struct, frozen=True):
    executor: ProcessPoolExecutor
    processes: list[BaseProcess]

    def cause(self) -> str:
        """How the first worker that died by itself has ended. Call it when the pool has ended."""
        codes = [process.exitcode for process in self.processes]
        # Where one has died, the executor ends the others by SIGTERM, and the closed lifeline by status 1.
        own = [code for code in codes if code not in {None, 0, -signal.SIGTERM}]
        code = own[0] if own else None
        if code is not None and code < 0:
            hint = " (out of memory?)" if code == -9 else ""
            return f"killed by {signal.Signals(-code).name}{hint}"
        return "it cannot be said how" if code is None else f"it ended with status {code}"


@contextmanager
def _pool(workers: int, desk: Desk) -> Iterator[_Pool]:
    """A pool whose workers are up; at its end they are gone, whatever they are at."""
    context = multiprocessing.get_context("spawn")
    reader, writer = context.Pipe(duplex=False)
    executor = ProcessPoolExecutor(workers, context, initializer=begin, initargs=(reader,))
    before = set(multiprocessing.active_children())
    try:
        # A worker that is starting would answer Ctrl-C with a traceback.
        with _no_interrupts(), _without_a_script_that_is_no_file():
            ups = [executor.submit(ready) for _ in range(workers)]  # each starts a process
        processes = [process for process in multiprocessing.active_children() if process not in before]
        while not _is_up(ups[0], desk):
            pass
        yield _Pool(executor, processes)
    finally:
        writer.close()
        executor.shutdown(wait=True, cancel_futures=True)
        reader.close()


def _is_up(up: Future[None], desk: Desk) -> bool:
    try:
        error = up.exception(POLL_SECONDS)
    except TimeoutError:
        desk.look()
        return False
    if isinstance(error, BrokenExecutor):
        raise RunFailedError(
            "worker processes cannot be started; a script that sweeps needs its call below "
            'if __name__ == "__main__":, because every worker imports the script'
        ) from error
    return True


@contextmanager
def _without_a_script_that_is_no_file() -> Iterator[None]:
    """What came through standard input has the file ``<stdin>``, which no worker could import, nor needs to."""
    main = sys.modules["__main__"]
    path = getattr(main, "__file__", None)
    if path is None or Path(path).exists():
        yield
        return
    del main.__file__
    try:
        yield
    finally:
        main.__file__ = path


@contextmanager
def _no_interrupts() -> Iterator[None]:
    if sys.platform == "win32":
        yield
        return
    before = signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGINT])
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)
