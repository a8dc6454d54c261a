"""What is measured: workloads, the task that a measuring process is given, and what it answers.

Only the standard library: the processes of the peers import this too, each in an environment of its own.
"""

from __future__ import annotations

import dataclasses
import json
from dataclasses import dataclass, field
from typing import Any, Self


@dataclass(frozen=True, order=True)
class Work:
    """A piece of work that several contenders do: symbols x days of one-minute bars, ``missing`` of them left out.

    ``workload`` is one of W1 to W7 or ``start-up``: see :data:`WORKLOADS`.
    """

    workload: str
    symbols: int
    days: int
    missing: float = 0.0

    @property
    def label(self) -> str:
        """For people: ``W1 100 x 5``."""
        left_out = f", {self.missing:.0%} missing" if self.missing else ""
        return f"{self.workload} {self.symbols} x {self.days}{left_out}"


WORKLOADS = {
    "W1": "bars to a callback that counts them and sums closes",
    "W2": "the same with 5m and 15m bars and a 20-period SMA of 5m closes, read whenever a 5m bar ends",
    "W3": "a symbol added at noon to running ones, from the call to its first bar",
    "W4": "a later day of a run, from the close before to its first bar: bars alone, and as in W2",
    "W5": "one day of the whole market, with 5m bars and one SMA, by instants",
    "W6": "many days, memory at the end of each, as in W2",
    "W7": "as W2, but instants arrive one by one and nothing is known ahead",
    "start-up": "the command line as a whole process",
}


@dataclass(frozen=True)
class Task:
    """What a measuring process gets on stdin: the work, and where its data are.

    ``mode``: which way of a contender that has several (``on_bar``, ``on_slice``). ``files``: the store's Parquet
    files, one a date, sorted. ``opens_us`` and ``closes_us``: the sessions, microseconds since the epoch, UTC.
    """

    work: Work
    mode: str
    store: str
    files: tuple[str, ...]
    dates: tuple[str, ...]
    opens_us: tuple[int, ...]
    closes_us: tuple[int, ...]

    @property
    def derived(self) -> bool:
        """True if derived bars and the SMA are part of the work."""
        return self.work.workload != "W1" and not (self.work.workload == "W4" and self.mode != "derived")

    def to_json(self) -> str:
        """One line."""
        return json.dumps(dataclasses.asdict(self))

    @classmethod
    def from_json(cls, text: str) -> Self:
        """The inverse of :meth:`to_json`."""
        raw = json.loads(text)
        values: dict[str, Any] = {name: tuple(v) if isinstance(v, list) else v for name, v in raw.items()}
        return cls(**values | {"work": Work(**raw["work"])})


@dataclass(frozen=True)
class Measured:
    """One run: its seconds without the load, the load's, and the figures that prove that it did the work.

    ``closes``: the sum of the closes of all one-minute bars. ``sma``: the sum of every symbol's last SMA. In W3
    ``bars`` are those of the other symbols, ``sma`` is what the joining one has at noon.
    ``extra``: figures that only one workload has.
    """

    bars: int
    closes: float | None = None
    derived: int | None = None
    sma: float | None = None
    cpu_seconds: float = 0.0
    wall_seconds: float = 0.0
    load_cpu_seconds: float = 0.0
    load_wall_seconds: float = 0.0
    extra: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Result:
    """A run and its process: CPU seconds of an empty call there, memory in bytes, versions of what ran."""

    measured: Measured
    empty_call_seconds: float
    peak_bytes: int
    final_bytes: int
    versions: dict[str, str]

    def to_json(self) -> str:
        """One line."""
        return json.dumps(dataclasses.asdict(self))

    @classmethod
    def from_json(cls, text: str) -> Self:
        """The inverse of :meth:`to_json`."""
        raw = json.loads(text)
        return cls(measured=Measured(**raw.pop("measured")), **raw)


def symbol_names(count: int) -> list[str]:
    """``S00000``, ``S00001`` ..."""
    return [f"S{k:05d}" for k in range(count)]
