"""Rounds: every contender in a fresh process, one after the other, and the proof that all did the same work."""

from __future__ import annotations

import math
import os
import subprocess
import sys
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path

from benchmarks import startup
from benchmarks.case import Result, Task, Work
from benchmarks.data import Store, make_store
from benchmarks.measure import ANSWER
from benchmarks.peers.registry import Peer
from benchmarks.peers.setup import python_of

ROOT = Path(__file__).parents[1]
SUMS_AGREE_WITHIN = 1e-9
"""Relative: the order in which closes are summed differs."""

OURSELVES = (
    "merges; hours and half days; derived bars anchored at the open; indicators; gate on notifications and reads; "
    "symbols added at any time",
    "orders and fills",
)


@dataclass(frozen=True)
class Contender:
    """Who does a piece of work, and how: ``command`` is a measuring process, None the start-up workload.

    ``does`` and ``lacks``: what stands beside its figures. ``extra_days``: how many more days its data have than
    the work.
    """

    name: str
    mode: str
    command: tuple[str, ...] | None
    does: str = ""
    lacks: str = ""
    is_peer: bool = False
    extra_days: int = 0


class BenchmarkError(Exception):
    """A run that failed, took too long, or did other work than its neighbours."""


@dataclass
class Records:
    """What came out: results by work and contender, in rounds, and what went wrong."""

    results: dict[Work, dict[str, list[Result]]] = field(default_factory=dict)
    problems: dict[tuple[Work, str], str] = field(default_factory=dict)
    disagreements: list[str] = field(default_factory=list)


def contenders_of(work: Work, peers: Sequence[Peer], peer_folder: Path) -> list[Contender]:
    """All that can do ``work``: this engine first, then the floors, then the peers that are set up."""
    child = (sys.executable, "-m", "benchmarks.child")
    engine, floors, arriving = (*child, "engine"), (*child, "floors"), (*child, "arriving")
    slices = Contender("mismartera on_slice", "on_slice", engine, *OURSELVES)
    bars = Contender("mismartera on_bar", "on_bar", engine, *OURSELVES)
    batch = Contender(
        "floor: one Polars batch", "polars", floors, "the arithmetic alone", "time: all is known at once"
    )
    found = {
        "W1": [
            bars, slices,
            Contender("floor: callback over a ready list", "callback", floors, "the user's work", "all else"),
            Contender("floor: NumPy stable merge", "numpy", floors, "the order", "all else"),
        ],
        "W2": [bars, slices, batch],
        "W3": [Contender("mismartera", "on_bar", engine)],
        "W4": [
            Contender("mismartera, bars alone", "bars", engine, extra_days=1),
            Contender("mismartera, with 5m, 15m and SMA", "derived", engine, extra_days=1),
        ],
        "W5": [slices, batch],
        "W6": [bars],
        "W7": [
            Contender("mismartera on_bar", "on_bar", arriving, *OURSELVES),
            Contender("mismartera on_slice", "on_slice", arriving, *OURSELVES),
        ],
        "start-up": [Contender("mismartera --help", "help", None), Contender("mismartera run", "run", None)],
    }[work.workload]  # fmt: skip
    return [*found, *_peers_of(work, peers, peer_folder)]


def _peers_of(work: Work, peers: Sequence[Peer], folder: Path) -> Iterator[Contender]:
    for peer in peers:
        python = python_of(folder, peer.name)
        if python is None or work.workload not in peer.workloads:
            continue
        for mode in peer.modes:
            name = f"{peer.name} ({mode})" if mode else peer.name
            command = (str(python), "-m", f"benchmarks.peers.drive_{peer.name}")
            yield Contender(name, mode, command, peer.does, peer.lacks, is_peer=True)


@dataclass
class Bench:
    """Runs rounds. ``data``: where the stores are kept; ``say`` hears of each run."""

    data: Path
    timeout_seconds: float
    say: Callable[[str], None]
    records: Records = field(default_factory=Records)

    def play(self, cases: Sequence[tuple[Work, Sequence[Contender]]], rounds: int) -> Records:
        """Each round runs everything once; who begins moves on, so that nobody always follows the same one."""
        for number in range(rounds):
            for work, contenders in cases:
                first = number % len(contenders)
                for contender in (*contenders[first:], *contenders[:first]):
                    self._once(number, work, contender)
        return self.records

    def _once(self, number: int, work: Work, contender: Contender) -> None:
        if (work, contender.name) in self.records.problems:
            return
        try:
            result = self._measure(work, contender)
            self._compare(work, contender.name, result)
        except BenchmarkError as error:
            self.records.problems[work, contender.name] = str(error)
            # Figures of a contender that fails now and then are none.
            self.records.results.get(work, {}).pop(contender.name, None)
            self.say(f"round {number + 1}  {work.label}  {contender.name}: {error}")
            return
        self.records.results.setdefault(work, {}).setdefault(contender.name, []).append(result)
        measured = result.measured
        cpu = measured.cpu_seconds + measured.load_cpu_seconds
        self.say(f"round {number + 1}  {work.label}  {contender.name}  {cpu:.2f} s of CPU")

    def _measure(self, work: Work, contender: Contender) -> Result:
        store = _store(self.data, work.symbols, work.days + contender.extra_days, work.missing)
        task = store.task(work, contender.mode)
        if contender.command is None:
            try:
                return startup.run(task)
            except (RuntimeError, OSError) as error:
                raise BenchmarkError(str(error)) from error
        return run_process(contender.command, task, self.timeout_seconds)

    def _compare(self, work: Work, name: str, result: Result) -> None:
        """Against the first result of the same work, whoever's it was."""
        if work.workload == "start-up":
            return
        for other, results in self.records.results.get(work, {}).items():
            if difference := first_difference(results[0], result):
                text = f"{work.label}: {name} did other work than {other}: {difference}"
                self.records.disagreements.append(text)
                raise BenchmarkError(f"other work than {other}: {difference}")
            return


def run_process(command: Sequence[str], task: Task, timeout_seconds: float) -> Result:
    """A fresh process for a task; BenchmarkError if it fails, or is not done in time."""
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    try:
        done = subprocess.run(
            command, input=task.to_json(), capture_output=True, text=True, check=False, cwd=ROOT,
            env=environment, timeout=timeout_seconds,
        )  # fmt: skip
    except subprocess.TimeoutExpired:
        raise BenchmarkError(f"not done after {timeout_seconds:.0f} s") from None
    answers = [line for line in done.stdout.splitlines() if line.startswith(ANSWER)]
    if done.returncode or not answers:
        lines = (done.stderr or done.stdout).strip().splitlines()
        raise BenchmarkError(f"exit status {done.returncode}: {lines[-1] if lines else 'nothing said'}")
    return Result.from_json(answers[-1].removeprefix(ANSWER))


def first_difference(one: Result, other: Result) -> str | None:
    """What shows that two results are not of the same work; None if nothing does."""
    for name in ("bars", "derived", "closes", "sma"):
        a, b = getattr(one.measured, name), getattr(other.measured, name)
        if a is None or b is None:
            continue
        if not (a == b if isinstance(a, int) else math.isclose(a, b, rel_tol=SUMS_AGREE_WITHIN)):
            return f"{name} {b} instead of {a}"
    return None


@lru_cache
def _store(folder: Path, symbols: int, days: int, missing: float) -> Store:
    return make_store(folder, symbols, days, missing)
