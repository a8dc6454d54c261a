"""The report: Markdown tables of medians, with the ratios of the same rounds."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from statistics import median

from benchmarks.case import WORKLOADS, Result, Work
from benchmarks.harness import Contender, Records

Runs = Mapping[str, Sequence[Result]]
Figure = Callable[[Result], float]
ON_BAR, ON_SLICE, POLARS = "mismartera on_bar", "mismartera on_slice", "floor: one Polars batch"
MEBI = 1 << 20


def run_seconds(result: Result) -> float:
    """CPU seconds per bar without the load."""
    return result.measured.cpu_seconds / result.measured.bars


def whole_seconds(result: Result) -> float:
    """CPU seconds per bar, load included."""
    return (result.measured.cpu_seconds + result.measured.load_cpu_seconds) / result.measured.bars


def run_calls(result: Result) -> float:
    """``x``: the run without the load, in empty calls of the same process, per bar."""
    return run_seconds(result) / result.empty_call_seconds


def whole_calls(result: Result) -> float:
    """The same, load included."""
    return whole_seconds(result) / result.empty_call_seconds


def ratio(runs: Runs, name: str, base: str, figure: Figure) -> float | None:
    """The median over the rounds of ``name``'s figure divided by ``base``'s; None if one of them is missing."""
    if name == base or not runs.get(base) or not runs.get(name):
        return None
    return median(figure(a) / figure(b) for a, b in zip(runs[name], runs[base], strict=False))


def report(cases: Sequence[tuple[Work, Sequence[Contender]]], records: Records, absent: Sequence[str]) -> str:
    """Everything as one Markdown text. ``absent``: peers that did not run, with their reasons."""
    lines = [*_versions(records), ""]
    for work, contenders in cases:
        runs = records.results.get(work, {})
        lines += [f"### {work.label}: {WORKLOADS[work.workload]}", ""]
        rows = {"W3": _joins, "W4": _loads, "W6": _memory, "start-up": _starts}.get(work.workload, _streams)
        lines += rows(runs, [contender for contender in contenders if contender.name in runs])
        for contender in contenders:
            if problem := records.problems.get((work, contender.name)):
                lines.append(f"\n{contender.name}: no figure, {problem}")
        lines.append("")
    lines += [f"- {text}" for text in absent]
    return "\n".join(lines)


def _versions(records: Records) -> Iterator[str]:
    results = [result for runs in records.results.values() for row in runs.values() for result in row]
    if not results:
        return
    found: dict[str, str] = {}
    for result in results:
        # Our own process speaks first: a peer's environment may have other versions of what both use.
        found = {**result.versions, **found}
    empty = [result.empty_call_seconds * 1e9 for result in results]
    yield ", ".join(f"{name} {number}" for name, number in found.items())
    yield (
        f"\nAn empty Python call: {median(empty):.0f} ns of CPU (median over all processes, {min(empty):.0f} to "
        f"{max(empty):.0f}). `x`: CPU time per one-minute bar in empty calls of the same process, the user's own "
        "work included. Run: without the load; whole: with it. This engine orders a day's bars and makes the "
        "derived ones while it loads the day, the peers while they run: for W2 compare the whole. Ratios: medians "
        "over the rounds."
    )


def _table(header: Sequence[str], rows: Sequence[Sequence[str]]) -> list[str]:
    """The lines of a table, without the columns that are empty."""
    used = [k for k in range(len(header)) if k == 0 or any(row[k] for row in rows)]
    lines = (header, ["---"] * len(header), *rows)
    return [f"| {' | '.join(line[k] for k in used)} |" for line in lines]


def _of(runs: Sequence[Result], figure: Figure, form: str) -> str:
    return format(median(map(figure, runs)), form)


def _times(value: float | None) -> str:
    return "" if value is None else f"{value:.3g}x"


def _streams(runs: Runs, contenders: Sequence[Contender]) -> list[str]:
    header = [
        "", "run us/bar", "run x", "whole us/bar", "whole x", "wall us/bar", "load ms", "arrival to on_bar us",
        "peak MiB", "final MiB",
        "run to on_bar", "run to on_slice", "whole to on_bar", "whole to on_slice", "whole to Polars",
        "does", "does not",
    ]  # fmt: skip
    return _table(header, [_stream_row(runs, contender) for contender in contenders])


def _stream_row(runs: Runs, contender: Contender) -> list[str]:
    name, mine = contender.name, runs[contender.name]
    return [
        name,
        _of(mine, lambda r: run_seconds(r) * 1e6, ".2f"),
        _of(mine, run_calls, ".1f"),
        _of(mine, lambda r: whole_seconds(r) * 1e6, ".2f"),
        _of(mine, whole_calls, ".1f"),
        _of(
            mine, lambda r: (r.measured.wall_seconds + r.measured.load_wall_seconds) / r.measured.bars * 1e6, ".2f"
        ),
        _of(mine, lambda r: r.measured.load_cpu_seconds * 1e3, ".0f"),
        _latency(mine),
        _of(mine, lambda r: r.peak_bytes / MEBI, ".0f"),
        _of(mine, lambda r: r.final_bytes / MEBI, ".0f"),
        _times(ratio(runs, name, ON_BAR, run_seconds)),
        _times(ratio(runs, name, ON_SLICE, run_seconds)),
        _times(ratio(runs, name, ON_BAR, whole_seconds)),
        _times(ratio(runs, name, ON_SLICE, whole_seconds)),
        _times(ratio(runs, name, POLARS, whole_seconds)),
        contender.does,
        contender.lacks,
    ]


def _latency(runs: Sequence[Result]) -> str:
    """Where it is measured: a figure of one symbol, on the wall."""
    found = [result.measured.extra.get("latency_seconds") for result in runs]
    return "" if None in found else format(median(seconds * 1e6 for seconds in found if seconds), ".0f")


def _joins(runs: Runs, contenders: Sequence[Contender]) -> list[str]:
    header = [
        "",
        "CPU ms to the first bar",
        "wall ms",
        "the store's read alone, CPU ms",
        "beyond it, CPU ms",
        "to ours",
    ]

    def spent(result: Result) -> float:
        return result.measured.cpu_seconds * 1e3

    def read(result: Result) -> float:
        return float(result.measured.extra["read_cpu_seconds"]) * 1e3

    rows = []
    for contender in contenders:
        mine = runs[contender.name]
        row = [contender.name, _of(mine, spent, ".1f"), _of(mine, lambda r: r.measured.wall_seconds * 1e3, ".1f")]
        ours = not contender.is_peer
        row += [_of(mine, read, ".1f"), _of(mine, lambda r: spent(r) - read(r), ".1f")] if ours else ["", ""]
        rows.append([*row, _times(ratio(runs, contender.name, "mismartera", spent))])
    return _table(header, rows)


def _loads(runs: Runs, contenders: Sequence[Contender]) -> list[str]:
    load: Figure = lambda r: r.measured.load_cpu_seconds  # noqa: E731
    bases = [contender.name for contender in contenders if not contender.is_peer]
    rows = [
        [
            contender.name,
            _of(mine := runs[contender.name], lambda r: load(r) * 1e3, ".0f"),
            _of(mine, lambda r: r.measured.load_wall_seconds * 1e3, ".0f"),
            *(_times(ratio(runs, contender.name, base, load)) for base in bases),
        ]
        for contender in contenders
    ]
    return _table(["", "CPU ms", "wall ms", *(f"to {base}" for base in bases)], rows)


def _memory(runs: Runs, contenders: Sequence[Contender]) -> list[str]:
    header = ["", "whole us/bar", "whole x", "MiB after day 10", "MiB after the last day", "growth", "peak MiB"]

    def after(day: int) -> Figure:
        return lambda r: float(r.measured.extra["memory_bytes"][day]) / MEBI

    rows = []
    for contender in contenders:
        mine = runs[contender.name]
        tenth = min(9, *(len(r.measured.extra["memory_bytes"]) - 1 for r in mine))
        rows.append(
            [
                contender.name,
                _of(mine, lambda r: whole_seconds(r) * 1e6, ".2f"),
                _of(mine, whole_calls, ".1f"),
                _of(mine, after(tenth), ".1f"),
                _of(mine, after(-1), ".1f"),
                _of(mine, lambda r, day=tenth: after(-1)(r) / after(day)(r) - 1, "+.1%"),  # type: ignore[misc]
                _of(mine, lambda r: r.peak_bytes / MEBI, ".1f"),
            ]
        )
    return _table(header, rows)


def _starts(runs: Runs, contenders: Sequence[Contender]) -> list[str]:
    rows = [
        [
            contender.name,
            _of(mine := runs[contender.name], lambda r: r.measured.wall_seconds * 1e3, ".0f"),
            _of(mine, lambda r: r.measured.cpu_seconds * 1e3, ".0f"),
        ]
        for contender in contenders
    ]
    return _table(["", "wall ms", "CPU ms"], rows)
