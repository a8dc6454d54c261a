"""``python -m benchmarks.run``: what a bar costs here, beside an empty Python call, the floors and the peers.

Each measured run is a fresh process; a round runs each once, one after the other. Workloads: W1 bars to on_bar and
on_slice; W2 the same with 5m and 15m bars and an SMA; W3 a symbol added at noon; W4 the load of a day; W5 10,000
symbols; W6 250 days, memory over time; W7 instants that arrive one by one; start-up.
Exit status 1 if a run failed or did other work than the others.
"""

from __future__ import annotations

import argparse
import dataclasses
import json
import platform
import sys
import tempfile
from collections.abc import Sequence
from datetime import UTC, datetime
from os import cpu_count
from pathlib import Path

from benchmarks.case import WORKLOADS, Work
from benchmarks.harness import ROOT, Bench, Contender, Records, contenders_of
from benchmarks.peers.registry import PEERS, Peer
from benchmarks.peers.setup import DEFAULT_FOLDER, python_of, why_not
from benchmarks.tables import report

SHAPES = ((1, 20), (10, 20), (100, 5), (500, 2))
GAPPY = (100, 5, 0.05)
ROUNDS = 5
QUICK_ROUNDS, QUICK_SHAPES, QUICK_WORKLOADS = (
    3,
    ((10, 20), (500, 2)),
    tuple(name for name in WORKLOADS if name != "W6"),
)
"""A minute or two without peers; too few rounds to publish."""
Cases = list[tuple[Work, list[Contender]]]


def works(only: Sequence[str], shapes: Sequence[tuple[int, int]], missing: float | None) -> list[Work]:
    """What is measured, in order."""
    fixed = [
        Work("W3", 51, 1), Work("W4", 500, 1), Work("W5", 10_000, 1), Work("W6", 50, 250),
        Work("W7", 1, 20), Work("W7", 100, 5), Work("W7", 500, 2), Work("start-up", 5, 1),
    ]  # fmt: skip
    found = []
    for workload in ("W1", "W2"):
        found += [Work(workload, symbols, days, missing or 0.0) for symbols, days in shapes]
        if missing is None and GAPPY[:2] in shapes:
            found.append(Work(workload, *GAPPY))
    return [work for work in (*found, *fixed) if work.workload in only]


def main(arguments: Sequence[str] | None = None) -> int:
    """Measure, print Markdown to stdout, write JSON."""
    options = _options(arguments)
    peers, absent = choose_peers(options.peers, options.peer_env)
    cases: Cases = [
        (work, contenders_of(work, peers, options.peer_env))
        for work in works(options.only, options.shapes, options.missing)
    ]
    bench = Bench(options.data, options.timeout, lambda text: print(text, file=sys.stderr))
    records = bench.play(cases, options.rounds)
    print(report(cases, records, absent))
    for text in records.disagreements:
        print(f"error: {text}", file=sys.stderr)
    _write(options.json, options.rounds, records)
    return int(bool(records.problems))


def _options(arguments: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.run", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--quick", action="store_true", help="3 rounds, the shapes 10x20 and 500x2, no W6")
    parser.add_argument("--rounds", type=int, metavar="N", help=f"how often each runs (default {ROUNDS})")
    parser.add_argument(
        "--only", type=_workloads, metavar="W1,W2", help=f"of {', '.join(WORKLOADS)} (default: all)"
    )
    parser.add_argument(
        "--shapes", type=_shapes, metavar="10x20,500x2",
        help="symbols x days of W1 and W2 (default 1x20,10x20,100x5,500x2)",
    )  # fmt: skip
    parser.add_argument(
        "--missing", type=float, default=None, metavar="SHARE",
        help="share of minutes left out in W1 and W2 (default: none, and 0.05 for 100x5 besides)",
    )  # fmt: skip
    parser.add_argument(
        "--peers", default="ready", metavar="NAMES",
        help=f"of {', '.join(PEERS)}; 'none', or 'ready': those that are set up (default)",
    )  # fmt: skip
    parser.add_argument(
        "--peer-env", type=Path, default=DEFAULT_FOLDER, metavar="DIR",
        help="the peers' environments, made by python -m benchmarks.peers.setup (default %(default)s)",
    )  # fmt: skip
    parser.add_argument(
        "--data", type=Path, default=Path(tempfile.gettempdir()) / "mismartera-bench", metavar="DIR",
        help="where the stores with the bars are kept (default %(default)s)",
    )  # fmt: skip
    parser.add_argument(
        "--timeout", type=float, default=300.0, metavar="SECONDS",
        help="a run that takes longer is ended, reported and not tried again (default %(default).0f)",
    )  # fmt: skip
    parser.add_argument(
        "--json", type=Path, default=None, metavar="FILE",
        help="all results (default: a new file in benchmarks/results)",
    )  # fmt: skip
    options = parser.parse_args(arguments)
    quick = options.quick
    options.rounds = options.rounds or (QUICK_ROUNDS if quick else ROUNDS)
    options.only = options.only or (QUICK_WORKLOADS if quick else tuple(WORKLOADS))
    options.shapes = options.shapes or (QUICK_SHAPES if quick else SHAPES)
    return options


def _workloads(text: str) -> list[str]:
    chosen = text.split(",")
    if unknown := [name for name in chosen if name not in WORKLOADS]:
        raise argparse.ArgumentTypeError(
            f"no such workload: {', '.join(unknown)}; there are {', '.join(WORKLOADS)}"
        )
    return chosen


def _shapes(text: str) -> list[tuple[int, int]]:
    try:
        return [(int(symbols), int(days)) for symbols, days in (part.split("x") for part in text.split(","))]
    except ValueError:
        raise argparse.ArgumentTypeError(f"found {text}, but shapes look like 10x20,500x2") from None


def choose_peers(text: str, folder: Path) -> tuple[list[Peer], list[str]]:
    """The peers to run, and a sentence about each of those that do not."""
    names = [] if text == "none" else list(PEERS) if text == "ready" else text.split(",")
    if unknown := [name for name in names if name not in PEERS]:
        sys.exit(f"no such peer: {', '.join(unknown)}; there are {', '.join(PEERS)}")
    found = [PEERS[name] for name in names if python_of(folder, name)]
    return found, [f"{name} was not run: {why_not(folder, name)}" for name in names if PEERS[name] not in found]


def _write(path: Path | None, rounds: int, records: Records) -> None:
    now = datetime.now(UTC)
    path = path or ROOT / "benchmarks" / "results" / f"{now:%Y%m%d-%H%M%S}.json"
    path.parent.mkdir(parents=True, exist_ok=True)
    machine = {"machine": platform.machine(), "system": platform.platform(), "cpus": cpu_count()}
    results = [
        {"work": dataclasses.asdict(work), "contender": name, "rounds": [dataclasses.asdict(row) for row in rows]}
        for work, runs in records.results.items()
        for name, rows in runs.items()
    ]
    problems = [
        {"work": dataclasses.asdict(work), "contender": name, "problem": text}
        for (work, name), text in records.problems.items()
    ]
    content = {
        "time": now.isoformat(), "machine": machine, "rounds": rounds, "results": results, "problems": problems
    }  # fmt: skip
    path.write_text(json.dumps(content, indent=1), "utf-8")
    print(f"written to {path}", file=sys.stderr)


if __name__ == "__main__":
    sys.exit(main())
