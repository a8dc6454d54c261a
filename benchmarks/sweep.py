"""What a sweep gains by a second worker, and what it adds to each task.

``python -m benchmarks.sweep [--tasks N] [--rounds N] [--dask]`` prints the seconds of a sweep of ``N`` tasks (each
a day of 200 symbols) with one worker and with two, the start of the workers included, and how much faster two are;
then the overhead per task: of a sweep of many tiny tasks (a day of one symbol), the seconds per task beyond the
same runs made by hand, one after the other, in a process that has everything open already.
"""

from __future__ import annotations

import argparse
import tempfile
import time
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from typing import Any

from benchmarks.case import symbol_names
from benchmarks.data import Store, make_store
from mismartera import DataManager, SessionConfig, SystemManager, sweep

DAYS = 5
SYMBOLS = 200
TINY_TASKS = 400
FOLDER = Path(tempfile.gettempdir()) / "mismartera-benchmarks"


@dataclass(frozen=True)
class Sweep:
    """A configuration whose threshold takes so many values, each on each of the store's days."""

    store: Store
    symbols: int
    tasks: int

    def config(self) -> dict[str, object]:
        dates = [session.date.isoformat() for session in self.store.sessions]
        return {
            "backtest_config": {"start_date": dates[0], "end_date": dates[-1]},
            "session_data_config": {
                "symbols": list(symbol_names(self.symbols)),
                "streams": ["1m", "5m", "15m"],
                "indicators": [{"name": "SMA", "interval": "5m", "params": {"timeperiod": 20}}],
            },
            "analysis": {"strategies": [{"class": "benchmarks.sweep_strategy:Watching"}]},
        }

    def grid(self) -> dict[str, object]:
        values = [60 + n for n in range(max(self.tasks // len(self.store.sessions), 1))]
        key = "session_data_config.streaming.catchup_threshold_seconds"
        return {"parameters": {key: values}, "split": "day"}

    def seconds(self, *, workers: int | None = None, dask: str | None = None) -> float:
        before = time.perf_counter()
        table = sweep(self.config(), self.grid(), data=self.store.path, workers=workers, dask=dask)
        assert (table["status"] == "ok").all()
        return time.perf_counter() - before

    def by_hand(self) -> float:
        """The seconds of the same runs, made one after the other."""
        data = DataManager(self.store.path)
        configs = [self._of_day(session.date.isoformat()) for session in self.store.sessions]
        SystemManager(configs[0], data_manager=data).run()
        rounds = max(self.tasks // len(configs), 1)
        before = time.perf_counter()
        for _ in range(rounds):
            for config in configs:
                SystemManager(config, data_manager=data).run()
        return time.perf_counter() - before

    def _of_day(self, day: str) -> SessionConfig:
        return SessionConfig.from_dict(self.config() | {"backtest_config": {"start_date": day, "end_date": day}})


def start_seconds(workers: int) -> float:
    """The seconds of a sweep of next to nothing: the start and the end of its workers."""
    tiny = Sweep(make_store(FOLDER, 1, DAYS), 1, 1)
    return tiny.seconds(workers=workers)


def show(what: str, seconds: Iterable[float]) -> float:
    values = sorted(seconds)
    middle = median(values)
    print(f"  {what:<46} {middle:7.2f} s   ({values[0]:.2f} to {values[-1]:.2f})", flush=True)
    return middle


def measure_speed_up(tasks: int, rounds: int) -> float:
    case = Sweep(make_store(FOLDER, SYMBOLS, DAYS), SYMBOLS, tasks)
    print(f"{tasks} tasks, each a day of {SYMBOLS} symbols in 1m, 5m, 15m with SMA(20):")
    ones, twos = [], []
    for _ in range(rounds):  # in turn, so that what else the machine does meets both
        ones.append(case.seconds(workers=1))
        twos.append(case.seconds(workers=2))
    one, two = show("one worker", ones), show("two workers", twos)
    print(f"  two workers are {one / two:.2f} times as fast")
    return one / two


def measure_overhead(rounds: int) -> float:
    case = Sweep(make_store(FOLDER, 1, DAYS), 1, TINY_TASKS)
    print(f"{TINY_TASKS} tiny tasks, each a day of one symbol:")
    start = show("start and end of one worker", [start_seconds(1) for _ in range(rounds)])
    hand = show("by hand", [case.by_hand() for _ in range(rounds)])
    swept = show("one worker", [case.seconds(workers=1) for _ in range(rounds)])
    overhead = (swept - start - hand) / TINY_TASKS * 1e3
    print(f"  overhead per task {overhead:.2f} ms, beside {hand / TINY_TASKS * 1e3:.2f} ms of the run itself")
    return overhead


def measure_dask(tasks: int, rounds: int) -> None:
    from distributed import LocalCluster  # an extra

    make: Any = LocalCluster  # it has no types
    case = Sweep(make_store(FOLDER, SYMBOLS, DAYS), SYMBOLS, tasks)
    print(f"the same {tasks} tasks on a Dask cluster of this machine, its start left out:")
    for workers in (1, 2):
        with make(n_workers=workers, threads_per_worker=1, dashboard_address=None) as cluster:
            show(f"workers: {workers}", [case.seconds(dask=cluster.scheduler_address) for _ in range(rounds)])


def main(words: list[str] | None = None) -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.sweep")
    parser.add_argument("--tasks", type=int, default=100)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--dask", action="store_true")
    chosen = parser.parse_args(words)
    FOLDER.mkdir(exist_ok=True)
    measure_speed_up(chosen.tasks, chosen.rounds)
    measure_overhead(chosen.rounds)
    if chosen.dask:
        measure_dask(chosen.tasks, chosen.rounds)


if __name__ == "__main__":
    main()
