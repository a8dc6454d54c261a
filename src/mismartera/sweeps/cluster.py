"""A Dask cluster as the place where a sweep runs (extra ``dask``)."""

from __future__ import annotations

import logging
import re
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from mismartera.errors import UsageError
from mismartera.sweeps.flight import ExecutorRunner, Runner

_WINDOW_MIN = 64
_ADDRESS = re.compile(r"(tcp|tls|ws|wss)://[^\s/]+:[0-9]{1,5}")
_CONNECT_SECONDS = 10.0
_WORKERS_SECONDS = 30.0


@contextmanager
def dask_runner(address: str, *, is_quiet: bool = False) -> Iterator[Runner]:
    """The cluster whose scheduler is at ``address``; UsageError if it cannot be reached or has no workers.

    What a worker that died was running, Dask runs elsewhere; a task whose workers keep dying is failed.
    ``is_quiet``: Dask's own log, with its tracebacks, is not shown in this process.
    """
    if not _ADDRESS.fullmatch(address):  # Dask's client would say so at its end once more, with a traceback
        raise UsageError(
            f"{address!r} is no address of a Dask scheduler; allowed: tcp://host:port, or tls://host:port"
        )
    try:
        import distributed.scheduler  # an extra, and heavy
    except ImportError as error:
        raise UsageError("--dask needs Dask: pip install 'mismartera[dask]'") from error
    if is_quiet:
        _silence_dask()
    make: Any = distributed.Client  # it has no types
    try:
        client: Any = make(address, timeout=_CONNECT_SECONDS, set_as_default=False)
    except (OSError, ValueError, TimeoutError) as error:
        raise UsageError(f"no Dask scheduler can be reached at {address}: {error}") from error
    try:
        yield _runner(client, address, distributed.scheduler.KilledWorker)
    finally:
        client.close(timeout=_CONNECT_SECONDS)


def _silence_dask() -> None:
    """Dask gives each of its loggers a level of its own."""
    for name in sorted(logging.root.manager.loggerDict):
        if name.partition(".")[0] in {"distributed", "tornado"}:
            logging.getLogger(name).setLevel(logging.CRITICAL + 1)


def _runner(client: Any, address: str, killed: type[Exception]) -> Runner:
    try:
        client.wait_for_workers(1, timeout=_WORKERS_SECONDS)  # they may be about to come, or come again
    except TimeoutError as error:
        raise UsageError(
            f"the Dask cluster at {address} has no workers: start some with 'dask worker {address}'"
        ) from error
    threads = sum(client.nthreads().values())
    # A job's results depend on files and must not be taken from another one with the same arguments: not pure.
    return ExecutorRunner(client.get_executor(pure=False), max(_WINDOW_MIN, 4 * threads), (killed,))
