"""What a worker process of the pool does before its first task. Light: the environment is set first."""

from __future__ import annotations

import os
import signal
import sys
from contextlib import suppress
from multiprocessing.connection import Connection
from threading import Thread


def begin(lifeline: Connection) -> None:
    """Make this process a worker that ends with its sweep, leaves Ctrl-C to it, and has the engine at hand.

    ``lifeline``: nothing is ever sent through it; it closes when the sweep ends, in whatever way.
    """
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    if sys.platform != "win32":
        # Polars takes the signal itself once it is loaded, and raises it in whatever it does: none may arrive.
        signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGINT])
    os.environ.setdefault("POLARS_MAX_THREADS", "1")  # the processes share the processors, not each one's threads
    with suppress(OSError):
        os.dup2(2, 1)  # stdout belongs to the sweep's own result; what strategies print goes to stderr
    Thread(target=_end_with, args=(lifeline,), name="mismartera-lifeline", daemon=True).start()
    import mismartera.sweeps.work  # noqa: F401  # heavy, and wanted before the first task


def ready() -> None:
    """Nothing: who gets an answer knows that workers can be started."""


def _end_with(lifeline: Connection) -> None:
    with suppress(EOFError, OSError):
        lifeline.recv_bytes()
    os._exit(1)
