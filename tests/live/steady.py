"""A wall clock that does not count the time in which the machine had no turn for us.

On a fast clock a tenth of a second that another process takes is a minute: a test would see lag, stalls and late
bars that are the machine's and not the engine's.
"""

from __future__ import annotations

import threading

from mismartera.timing import SystemClock

_PULSE_SECONDS = 0.002
_STEP_SECONDS_MAX = 0.010
"""Between two pulses at most so much time passes."""


class SteadyWall:
    """Call it for wall seconds since some moment. It counts from :meth:`start` to :meth:`stop`."""

    def __init__(self) -> None:
        self._monotonic = SystemClock().monotonic
        self._lock = threading.Lock()
        self._last = self._monotonic()
        self._seconds = 0.0
        self._stopped = threading.Event()
        self._thread = threading.Thread(target=self._run, name="steady-wall", daemon=True)

    def __call__(self) -> float:
        with self._lock:
            now = self._monotonic()
            self._seconds += min(now - self._last, _STEP_SECONDS_MAX)
            self._last = now
            return self._seconds

    def start(self) -> None:
        """Let time pass."""
        self._thread.start()

    def stop(self) -> None:
        """Join the thread. Idempotent."""
        self._stopped.set()
        self._thread.join()

    def _run(self) -> None:
        while not self._stopped.wait(_PULSE_SECONDS):
            self()
