"""``make bench``: what a bar costs, in microseconds and in empty Python calls measured in the same run."""

from __future__ import annotations

import argparse
import sys
import tempfile
from collections.abc import Callable
from functools import partial
from pathlib import Path
from statistics import median

from benchmarks.workloads import (
    BarCounter,
    Measured,
    MinuteCounter,
    SliceCounter,
    empty_call_seconds,
    join_at_noon,
    load_day,
    stream,
)

SHAPES = ((1, 20), (10, 20), (100, 5), (500, 2))


def main() -> int:
    """Run the workloads in turn, ``--rounds`` times, and print medians."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=5, help="how often each workload runs (default 5)")
    parser.add_argument("--data", type=Path, default=Path(tempfile.gettempdir()) / "mismartera-bench")
    options = parser.parse_args()
    cases = _cases(options.data)
    runs: dict[str, list[Measured]] = {name: [] for name in cases}
    joins: list[float] = []
    loads: dict[str, list[float]] = {"bars alone": [], "with 5m, 15m and SMA": []}
    floors: list[float] = []
    for _ in range(options.rounds):
        floors.append(empty_call_seconds())
        for name, case in cases.items():
            runs[name].append(case())
        joins.append(join_at_noon(options.data, 50))
        loads["bars alone"].append(load_day(options.data, 500, derived=False))
        loads["with 5m, 15m and SMA"].append(load_day(options.data, 500, derived=True))
    _report(runs, joins, loads, median(floors))
    return 0


def _cases(data: Path) -> dict[str, Callable[[], Measured]]:
    kinds: dict[str, tuple[Callable[[], BarCounter], bool]] = {
        "W1 on_bar": (MinuteCounter, False),
        "W1 on_slice": (SliceCounter, False),
        "W2 on_bar": (BarCounter, True),
        "W2 on_slice": (SliceCounter, True),
    }
    return {
        f"{kind} | {symbols} x {days}": partial(stream, data, symbols, days, make, derived=derived)
        for kind, (make, derived) in kinds.items()
        for symbols, days in SHAPES
    }


def _report(
    runs: dict[str, list[Measured]], joins: list[float], loads: dict[str, list[float]], floor: float
) -> None:
    out = sys.stdout.write
    out(f"Empty Python call: {floor * 1e9:.0f} ns of CPU. Medians, load from the store included.\n\n")
    out("| workload | symbols x days | us CPU per base bar | x empty calls | us wall | bars | derived |\n")
    out("|---|---|---|---|---|---|---|\n")
    for name, measured in runs.items():
        checks = {(m.bars, m.derived, m.closes, m.last_sma) for m in measured}
        assert len(checks) == 1, f"{name} did different work in different rounds: {checks}"
        bars = measured[0].bars
        cpu, wall = median(m.cpu_seconds for m in measured) / bars, median(m.wall_seconds for m in measured) / bars
        row = f"{cpu * 1e6:.2f} | {cpu / floor:.1f} | {wall * 1e6:.2f} | {bars} | {measured[0].derived}"
        out(f"| {name} | {row} |\n")
    out(
        f"\nAdd a symbol at noon to 50 that stream (5m, 15m, SMA): {median(joins) * 1e3:.1f} ms to its first bar\n"
    )
    for name, seconds in loads.items():
        out(f"Load one day of 500 symbols, {name}: {median(seconds) * 1e3:.0f} ms\n")


if __name__ == "__main__":
    sys.exit(main())
