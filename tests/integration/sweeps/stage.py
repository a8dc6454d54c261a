"""A folder in which sweeps are run: a store, a strategy with a fate, a configuration and grids."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import polars as pl
from tests.processes import call
from tests.runs import DAY, HALF_DAY, write_market
from tests.sources import ROOT

LIMIT_SECONDS = 300.0
FATE = "analysis.strategies[0].params.fate"
STEP = "analysis.strategies[0].params.step"
THRESHOLD = "session_data_config.streaming.catchup_threshold_seconds"
VOLATILE = ("wall_seconds",)
"""What differs from one run of a task to the next."""

STRATEGY = """
import os, signal, sys
from pathlib import Path
from mismartera import Strategy

class Fated(Strategy):
    def on_start(self):
        os.write(1, f"task {self.params.get('step')}\\n".encode())  # in one piece, of two workers

    def on_session_open(self):
        self.total = self.seen = 0
        fate = self.params.get("fate")
        if fate == "raises":
            raise ValueError("as it was wished")
        if fate == "exits":
            raise SystemExit("enough")
        if fate == "dies" or (fate == "dies once" and self.is_first()):
            os.kill(os.getpid(), signal.SIGKILL)

    def is_first(self):
        try:
            (Path(__file__).parent / "died").touch(exist_ok=False)
        except FileExistsError:
            return False
        return True

    def on_bar(self, bar):
        self.seen += 1
        if self.seen % self.params.get("step", 1) == 0:
            self.total += bar.close
            self.session.emit(f"total of {bar.symbol}", self.total)
"""


def make_stage(folder: Path, **analysis: Any) -> Path:
    """``folder`` with all that a sweep needs; the configuration has two sessions of three symbols."""
    write_market(folder / "data")
    (folder / "fated.py").write_text(STRATEGY)
    write_json(folder / "c.json", {
        "backtest_config": {"start_date": DAY, "end_date": HALF_DAY},
        "session_data_config": {"symbols": ["AAA", "BBB"], "streams": ["1m", "5m"]},
        "schedule": [{"at": f"{DAY}T10:30", "add": "CCC"}],
        "analysis": {"strategies": [{"class": "fated:Fated"}], **analysis},
    })  # fmt: skip
    return folder


def write_json(path: Path, value: object) -> Path:
    path.write_text(json.dumps(value))
    return path


def steady(table: pl.DataFrame) -> pl.DataFrame:
    """A table without what differs from one run to the next."""
    return table.drop(VOLATILE)


@contextmanager
def started(folder: Path, *args: object) -> Iterator[subprocess.Popen[str]]:
    """``mismartera sweep`` as a process in ``folder``, killed if it hangs."""
    command = [sys.executable, "-m", "mismartera", "sweep", *map(str, args)]
    with subprocess.Popen(
        command, cwd=folder, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, start_new_session=True
    ) as process:
        guard = threading.Timer(LIMIT_SECONDS, process.kill)
        guard.start()
        try:
            yield process
        finally:
            guard.cancel()
            process.kill()


def swept(folder: Path, *args: object, status: int = 0) -> tuple[dict[str, Any], str]:
    """What ``mismartera sweep ... --json`` says, and what it prints on stderr."""
    with started(folder, *args, "--json") as process:
        out, err = process.communicate()
    assert process.returncode == status, err
    assert "Traceback" not in err
    return json.loads(out), err


def called(folder: Path, *args: object, status: int = 0) -> tuple[dict[str, Any], str]:
    """:func:`swept` in this process; what the workers print is not in it."""
    done = call(["sweep", *args, "--json"], folder, status=status)
    return done.json, done.err


@contextmanager
def dask_cluster(workers: int = 2) -> Iterator[tuple[str, subprocess.Popen[str]]]:
    """A Dask cluster of this machine, in processes of its own: the address of its scheduler, and the scheduler's
    process. A worker that dies is replaced.
    """
    environment = os.environ | {"DASK_DISTRIBUTED__SCHEDULER__ALLOWED_FAILURES": "1"}
    command = [sys.executable, "-m", "tests.integration.sweeps.stage", str(workers)]
    with subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env=environment, cwd=ROOT
    ) as process:
        assert process.stdout is not None
        try:
            yield process.stdout.readline().strip(), process
            if process.poll() is None:
                process.communicate("end\n", timeout=LIMIT_SECONDS)
        finally:
            process.kill()


def main() -> None:
    from distributed import LocalCluster

    make: Any = LocalCluster
    with make(n_workers=int(sys.argv[1]), threads_per_worker=1, dashboard_address=None) as cluster:
        print(cluster.scheduler_address, flush=True)
        sys.stdin.readline()


if __name__ == "__main__":
    main()
