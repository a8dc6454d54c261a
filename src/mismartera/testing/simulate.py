"""``python -m mismartera.testing.simulate``: many simulated live sessions, one a seed.

Prints the seeds done, the faults that fired by kind, and each violation with the events that it needs, faults and
acts of users, and the command that shows it again. Exit status 1 if there is any.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor

from mismartera.testing.sim_faults import KINDS
from mismartera.testing.sim_shrink import shrunk
from mismartera.testing.sim_twins import run_checked
from mismartera.testing.simulation import Outcome

_CHUNK = 10


def run_seeds(seeds: Sequence[int]) -> list[tuple[int, str | None, dict[str, int]]]:
    """Seed, violation if any, and faults fired, of each."""
    outcomes = [run_checked(seed) for seed in seeds]
    return [(outcome.seed, outcome.violation, outcome.fired) for outcome in outcomes]


def needed_events(seed: int) -> list[str]:
    """The events with which ``seed`` still breaks a law; see :func:`shrunk`."""
    events = run_checked(seed).events
    return shrunk(events, lambda fewer: run_checked(seed, only=frozenset(fewer)).violation is not None)


def main(arguments: Sequence[str] | None = None) -> int:
    """Run it; the exit status."""
    parser = argparse.ArgumentParser(prog="simulate", description=__doc__)
    parser.add_argument("--seeds", type=int, default=1000, metavar="N", help="how many (default 1000)")
    parser.add_argument("--first", type=int, default=0, metavar="SEED", help="the first of them (default 0)")
    parser.add_argument("--workers", type=int, default=2, metavar="N", help="processes (default 2)")
    parser.add_argument("--kinds", nargs="*", default=list(KINDS), help="kinds of faults that may be enabled")
    parser.add_argument("--only", nargs="*", metavar="EVENT", help="the events that happen, if not all")
    parser.add_argument("--verbose", action="store_true", help="print the events of each seed")
    options = parser.parse_args(arguments)
    if options.verbose:
        return _show(range(options.first, options.first + options.seeds), options.kinds, options.only)
    fired: Counter[str] = Counter()
    violations, done = [], 0
    for seed, violation, faults in _results(options.first, options.seeds, options.workers):
        done += 1
        fired.update(faults)
        if violation is not None:
            violations.append(seed)
            print(f"seed {seed}: {violation}")  # noqa: T201  # a command
            needed = " ".join(needed_events(seed))
            print(f"  with these events alone: {needed or 'none'}; see it with:")  # noqa: T201
            command = f"python -m mismartera.testing.simulate --first {seed} --seeds 1 --verbose --only {needed}"
            print(f"  {command.rstrip()}")  # noqa: T201
    told = ", ".join(f"{kind} {number}" for kind, number in sorted(fired.items()))
    print(f"{done} seeds done, {len(violations)} violations; faults fired: {told or 'none'}")  # noqa: T201
    return 1 if violations else 0


def _results(first: int, seeds: int, workers: int) -> Iterator[tuple[int, str | None, dict[str, int]]]:
    chunks = [range(k, min(k + _CHUNK, first + seeds)) for k in range(first, first + seeds, _CHUNK)]
    with ProcessPoolExecutor(workers) as pool:
        for results in pool.map(run_seeds, chunks):
            yield from results


def _show(seeds: Iterable[int], kinds: Sequence[str], only: Sequence[str] | None) -> int:
    outcomes: list[Outcome] = []
    for seed in seeds:
        outcome = run_checked(seed, kinds, None if only is None else frozenset(only))
        outcomes.append(outcome)
        for line in outcome.lines:
            print(json.dumps(line))  # noqa: T201
        print(f"seed {seed}: {outcome.violation or 'no violation'}")  # noqa: T201
    return 1 if any(outcome.violation for outcome in outcomes) else 0


if __name__ == "__main__":
    sys.exit(main())
