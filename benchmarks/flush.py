"""What it costs to store a live session minute by minute, and to read the day afterwards.

``python -m benchmarks.flush [SYMBOLS ...]`` prints milliseconds, and megabytes on the disk. ``whole day
rewritten`` is the write of an import (``write_frames``), which makes a new file of the partition each time.
"""

from __future__ import annotations

import shutil
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from statistics import median

import numpy as np

from benchmarks.case import symbol_names
from mismartera.bars import BarBlock
from mismartera.bars.instants import DAY_US, MINUTE_US
from mismartera.catalog import DataManager
from mismartera.catalog.report import Rejections
from mismartera.catalog.rows import block_rows

SIZES = (1, 500, 10_000)
OPEN_US = 1_719_927_000_000_000
MINUTES = 390
EDGE = 30
"""So many minutes are the start of the day, and its end."""


def minutes(symbols: Sequence[str], first: int, last: int, seed: int = 0) -> BarBlock:
    """The bars of the minutes ``[first, last)``, in cents; another ``seed`` gives revisions of them."""
    size = last - first
    start = np.tile(OPEN_US + np.arange(first, last) * MINUTE_US, len(symbols))
    cents = np.random.default_rng([seed, first]).integers(5_000, 50_000, len(start))
    open_, high, low, close = (np.round((cents + change) / 100, 2) for change in (0, 3, -3, 1))
    offsets = np.arange(len(symbols) + 1) * size
    return BarBlock(tuple(symbols), offsets, start, open_, high, low, close, (cents % 997).astype(np.float64))


def milliseconds(work: Callable[[], object]) -> float:
    before = time.perf_counter()
    work()
    return (time.perf_counter() - before) * 1e3


@contextmanager
def empty_store() -> Iterator[Path]:
    folder = Path(tempfile.mkdtemp(prefix="flush"))
    try:
        yield folder / "store"
    finally:
        shutil.rmtree(folder)


def show(what: str, times: Sequence[float]) -> None:
    print(f"  {what:<42} {median(times):8.1f} ms   (at most {max(times):.1f})")


def reads(path: Path, symbols: Sequence[str], state: str) -> None:
    day = (OPEN_US, OPEN_US + DAY_US)
    for what, wanted in (("all symbols", list(symbols)), ("one symbol", [symbols[0]])):
        stores = [DataManager(path) for _ in range(5)]
        assert all(store.version for store in stores)
        times = [
            milliseconds(lambda store=store, wanted=wanted: store.read_block("1m", *day, wanted))  # type: ignore[misc]
            for store in stores
        ]
        show(f"read the {state} day, {what}", times)


def rewriting(symbols: Sequence[str]) -> None:
    """What each minute cost if it rewrote the day."""
    with empty_store() as path:
        data = DataManager(path)

        def write(first: int, last: int) -> float:
            rows = block_rows(minutes(symbols, first, last))
            return milliseconds(lambda: data.write_frames([("1m", rows)], rejections=Rejections()))

        write(0, 1)
        show("whole day rewritten, start of the day", [write(n, n + 1) for n in range(1, 6)])
        write(6, MINUTES - 5)
        show("whole day rewritten, end of the day", [write(n, n + 1) for n in range(MINUTES - 5, MINUTES)])


def flushing(symbols: Sequence[str], *, revised: bool) -> None:
    """A day of minute commits; ``revised``: each commit also brings new values of the minute before."""
    with empty_store() as path:
        data = DataManager(path)

        def write(minute: int) -> float:
            block = minutes(symbols, max(minute - 1, 0), minute + 1, minute) if revised else None
            block = block or minutes(symbols, minute, minute + 1)
            return milliseconds(lambda: data.write_block("1m", block))

        write(0)
        times = [write(minute) for minute in range(1, MINUTES)]
        suffix = ", with revisions" if revised else ""
        show(f"minute commit, start of the day{suffix}", times[:EDGE])
        show(f"minute commit, end of the day{suffix}", times[-EDGE:])
        show(f"minute commit, whole day{suffix}", times)
        if not revised:
            rest(data, symbols)


def rest(data: DataManager, symbols: Sequence[str]) -> None:
    """What else comes at the end of the day, the reads, and the compaction."""
    late = minutes(symbols, 7, 8, 99)
    show("revision of an early minute", [milliseconds(lambda: data.write_block("1m", late))])
    filled = minutes([f"NEW{n}" for n in range(5)], 0, MINUTES)
    show("backfill of 5 new symbols' day", [milliseconds(lambda: data.write_block("1m", filled))])
    reads(data.path, symbols, "uncompacted")
    show("compact()", [milliseconds(data.compact)])
    reads(data.path, symbols, "compacted")
    size = sum(file.stat().st_size for file in data.path.rglob("*.parquet"))
    print(f"  {'on the disk, with all earlier versions':<42} {size / 1e6:8.1f} MB")


def main() -> None:
    for size in [int(word) for word in sys.argv[1:]] or SIZES:
        symbols = symbol_names(size)
        print(f"{size} symbols")
        rewriting(symbols)
        flushing(symbols, revised=False)
        flushing(symbols, revised=True)


if __name__ == "__main__":
    main()
