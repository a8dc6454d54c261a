"""Measuring inside a process: seconds, the cost of an empty call, memory. Only the standard library."""

from __future__ import annotations

import resource
import sys
import time
from collections.abc import Callable
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from platform import python_version
from statistics import median

from benchmarks.case import Measured, Result, Task

ANSWER = "RESULT "
"""What the line of a process's answer begins with: peers write other lines too."""


class Watch:
    """CPU and wall seconds of this process since it was made or restarted."""

    def __init__(self) -> None:
        self.restart()

    def restart(self) -> None:
        """Count from now."""
        self._wall, self._cpu = time.perf_counter(), time.process_time()

    def seconds(self) -> tuple[float, float]:
        """CPU seconds (of all threads) and wall seconds."""
        return time.process_time() - self._cpu, time.perf_counter() - self._wall


def empty_call_seconds(calls: int = 100_000, times: int = 5) -> float:
    """CPU seconds of calling a Python function that does nothing, once, from a loop: the median of some trials."""

    def nothing() -> None:
        pass

    trials = []
    for _ in range(times):
        begun = time.process_time()
        for _ in range(calls):
            nothing()
        trials.append((time.process_time() - begun) / calls)
    return median(trials)


def memory_bytes() -> tuple[int, int]:
    """Resident memory: now, and its peak. Where /proc is missing both are the peak.

    The peak of getrusage is no substitute on Linux: there a process inherits that of the one that started it.
    """
    status = Path("/proc/self/status")
    if status.exists():
        fields = dict(line.split(":", 1) for line in status.read_text().splitlines())
        now, peak = (int(fields[name].split()[0]) * 1024 for name in ("VmRSS", "VmHWM"))
        return now, peak
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    peak = peak if sys.platform == "darwin" else peak * 1024
    return peak, peak


def versions_of(*packages: str) -> dict[str, str]:
    """Versions of Python and of these packages."""
    found = {"python": python_version()}
    for package in packages:
        try:
            found[package] = version(package)
        except PackageNotFoundError:
            found[package] = "none"
    return found


def measure(work: Callable[[Task], Measured], task: Task, *packages: str) -> Result:
    """Do the work, with empty calls before and after it."""
    before = empty_call_seconds()
    measured = work(task)
    final, peak = memory_bytes()
    return Result(measured, (before + empty_call_seconds()) / 2, peak, final, versions_of(*packages))


def serve(work: Callable[[Task], Measured], *packages: str) -> None:
    """The life of a measuring process: a task from stdin, an answer to stdout."""
    result = measure(work, Task.from_json(sys.stdin.read()), *packages)
    sys.stdout.write(f"\n{ANSWER}{result.to_json()}\n")
    sys.stdout.flush()
