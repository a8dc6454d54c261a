"""The start-up workload: command lines as whole processes, interpreter and imports included."""

from __future__ import annotations

import json
import os
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from benchmarks.case import Measured, Result, Task, symbol_names
from benchmarks.engine import config
from benchmarks.measure import empty_call_seconds, versions_of


def run(task: Task) -> Result:
    """Modes: ``help`` (``mismartera --help``) and ``run`` (``mismartera run`` on the task's bars)."""
    with tempfile.TemporaryDirectory() as folder:
        arguments = ["--help"]
        if task.mode == "run":
            path = Path(folder) / "session.json"
            session = config(task, symbol_names(task.work.symbols), ["1m", "5m", "15m"])
            path.write_text(json.dumps(session.to_dict()), "utf-8")
            arguments = ["run", str(path), "--data", task.store, "--json"]
        before, begun = resource.getrusage(resource.RUSAGE_CHILDREN), time.perf_counter()
        done = subprocess.run([*_command(), *arguments], capture_output=True, text=True, check=False)
        wall, after = time.perf_counter() - begun, resource.getrusage(resource.RUSAGE_CHILDREN)
    if done.returncode:
        raise RuntimeError(f"mismartera {arguments[0]} ended with {done.returncode}: {done.stderr.strip()[-500:]}")
    bars = json.loads(done.stdout)["bars_streamed"] if task.mode == "run" else 0
    cpu = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    return Result(
        Measured(bars, cpu_seconds=cpu, wall_seconds=wall), empty_call_seconds(), 0, 0, versions_of("mismartera")
    )


def _command() -> list[str]:
    """The installed command, or the module where there is none."""
    command = Path(sys.executable).with_name("mismartera")
    return [os.fspath(command)] if command.exists() else [sys.executable, "-m", "mismartera"]
