"""``python -m benchmarks.journal``: what the journal of a live session costs, in a file and in PostgreSQL.

The file is in the folder of temporary files, the server (of a wheel) on this machine: it is its disk that is
measured.
"""

from __future__ import annotations

import argparse
import shutil
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np

from benchmarks.live import BarReader, frame_seconds, show, spread, staged
from mismartera.feeds.port import BarsArrived
from mismartera.journal import Arrival, Command, JournalWriter, open_database
from mismartera.journal.lock import lock_journal
from mismartera.journal.sessions import NewSession, begin_session
from mismartera.testing.postgres import PostgresServer
from mismartera.trace.messages import BARS, encode_message

FRAME_BARS = 8_000
_PATIENCE_SECONDS = 120.0
MakePlace = Callable[[], "Path | str"]


@contextmanager
def writing(where: Path | str) -> Iterator[JournalWriter]:
    """A journal's writer at work."""
    database = open_database(where, make=True)
    lock = lock_journal(database)
    writer = JournalWriter(database, lock, print, print)
    session = NewSession(
        name="bench", began_us=0, host="", pid=0, config={}, folder="", versions={}, began_with={}, store="",
        store_version=None,
    )  # fmt: skip
    writer.start(begin_session(database, session))
    yield writer
    assert writer.stop(_PATIENCE_SECONDS), "all was written"
    lock.release()
    database.close()


def frame(bars: int) -> Arrival:
    """A message of the feed with a bar of each of so many symbols, prices in cents."""
    rng = np.random.default_rng(bars)
    close = np.round(rng.integers(5_000, 50_000, bars) / 100, 2)
    start = np.full(bars, 1_719_927_000_000_000)
    volume = rng.integers(1, 900, bars) * 100.0
    prices = np.stack((close, close + 0.03, close - 0.03, close + 0.01, volume))
    symbols = tuple(f"S{k:05}" for k in range(bars))
    message = BarsArrived("1m", symbols, start, prices, corrections=False, arrived_us=1_719_927_060_000_000)
    return Arrival(BARS, message.arrived_us, bars, lambda: encode_message(message))


def bars_per_second(where: Path | str, bars: int, frames: int) -> float:
    """From the first message that is handed over to the last that is durable."""
    with writing(where) as writer:
        entry = frame(bars)
        begun = time.perf_counter()
        for _ in range(frames):
            writer.put(entry)
        assert writer.wait_durable(_PATIENCE_SECONDS), "it is written"
        return bars * frames / (time.perf_counter() - begun)


def commit_seconds(where: Path | str, rounds: int) -> list[float]:
    """From a command that is handed over to its acknowledgement, one after the other."""
    times: list[float] = []
    with writing(where) as writer:
        for number in range(rounds):
            done = threading.Event()
            begun = time.perf_counter()
            writer.settle(Command(number, 0, "add", "user", "AAA"), done.set)
            assert done.wait(_PATIENCE_SECONDS), "it is durable"
            times.append(time.perf_counter() - begun)
    return times


def delivery_seconds(journal: Path | str | None, minutes: int) -> list[float]:
    """One symbol in a live session: from the bytes of its frame to ``on_bar``, minute by minute."""
    strategy = BarReader()
    with staged(1, minutes, strategy, journal) as stage:
        return [frame_seconds(stage, minute, strategy) for minute in range(minutes)]


def percentiles(times: list[float]) -> str:
    """p50, p99 and the longest, in milliseconds."""
    low, high = np.percentile(times, [50, 99]) * 1e3
    return f"{low:.1f}, {high:.1f}, {max(times) * 1e3:.1f}"


def of_database(name: str, make: MakePlace, *, quick: bool) -> None:
    """What is asked of each kind."""
    rounds = 50 if quick else 1000
    show(
        f"{name}: a command, from handed over to durable: ms p50, p99, longest",
        percentiles(commit_seconds(make(), rounds)),
    )
    large, small = (5, 2_000) if quick else (50, 50_000)
    show(
        f"{name}: bars a second, in messages of {FRAME_BARS:,}",
        f"{bars_per_second(make(), FRAME_BARS, large):,.0f}",
    )
    show(f"{name}: bars a second, in messages of 1", f"{bars_per_second(make(), 1, small):,.0f}")


def of_sessions(kinds: dict[str, Callable[[], Path | str | None]], minutes: int, rounds: int) -> None:
    """A live session with and without, in turns: what else the machine does falls on all of them."""
    times: dict[str, list[float]] = {name: [] for name in kinds}
    for _ in range(rounds):
        for name, make in kinds.items():
            times[name] += delivery_seconds(make(), minutes)
    for name, found in times.items():
        show(f"one symbol live, {name}: from a frame's bytes to `on_bar`: us", spread(found, 1e6))


def main() -> int:
    """All of it."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.journal", description=__doc__)
    parser.add_argument("--quick", action="store_true", help="fewer rounds: not to be quoted")
    quick = parser.parse_args().quick
    folder = Path(tempfile.mkdtemp(prefix="journal"))
    files = (folder / str(number) / "journal.db" for number in range(1000))
    show("journal", "found")
    show("---", "---")
    try:
        with PostgresServer() as server:
            of_database("SQLite", lambda: next(files), quick=quick)
            of_database("PostgreSQL", server.make_database, quick=quick)
            kinds: dict[str, Callable[[], Path | str | None]] = {
                "no journal": lambda: None, "SQLite": lambda: next(files), "PostgreSQL": server.make_database,
            }  # fmt: skip
            of_sessions(kinds, 20 if quick else 130, 1 if quick else 3)
    finally:
        shutil.rmtree(folder, ignore_errors=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())
