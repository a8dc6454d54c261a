"""``python -m benchmarks.live``: what a live session costs, from a frame's bytes to the callback.

Each part runs in a process of its own, on a stage with the real parts: the decoder of Alpaca's feed, the intake on
its thread, the engine on its own, the store and its flusher. The clock is set by hand; what the vendor does,
encoding frames and answering requests, is not counted.
"""

from __future__ import annotations

import argparse
import shutil
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from statistics import median

import numpy as np

from benchmarks.live_socket import over_socket
from benchmarks.live_stage import Stage
from benchmarks.live_steps import STEPS, timed_steps
from benchmarks.measure import memory_bytes
from mismartera import Bar, Slice, Strategy
from mismartera.bars.instants import MINUTE_US, SECOND_US

FRAME_BARS = 8_000
MARKET = 10_000
CORRECTED = 0.05
ARRIVES_US = 50_000
"""So long after a minute's end its frame comes."""


class Reader(Strategy):
    """Takes what comes and reads the market as a strategy would: notes when it could."""

    def __init__(self) -> None:
        super().__init__()
        self.bars = self.revisions = 0
        self.read_at = self.active_at = 0.0
        self.has_read, self.is_active = threading.Event(), threading.Event()

    def on_slice(self, slice: Slice) -> None:
        self.bars += slice.size
        found = self.session.bars(slice.columns("1m").symbols[-1], "1m")
        assert found is not None, "what is shown is readable"
        assert len(found), "and is there"
        self.read_at = time.perf_counter()
        self.has_read.set()

    def on_revision(self, bar: Bar) -> None:
        self.revisions += 1

    def on_session_active(self, active: bool, reason: str) -> None:
        self.active_at = time.perf_counter()
        (self.is_active.set if active else self.is_active.clear)()


class BarReader(Reader):
    """The same, bar by bar."""

    def on_bar(self, bar: Bar) -> None:
        self.bars += 1
        self.read_at = time.perf_counter()
        self.has_read.set()

    on_slice = Strategy.on_slice


@contextmanager
def staged(symbols: int, minutes: int, strategy: Strategy, journal: Path | str | None = None) -> Iterator[Stage]:
    """A session that has just opened."""
    folder = Path(tempfile.mkdtemp(prefix="live"))
    try:
        with Stage(symbols, minutes, strategy, folder / "store", journal) as stage:
            yield stage
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def show(what: str, *figures: str) -> None:
    print("| " + " | ".join((what, *figures)) + " |", flush=True)


def spread(values: list[float], factor: float = 1e3, digits: int = 0) -> str:
    """Median, and the range."""
    low, mid, high = (round(v * factor, digits) for v in (min(values), median(values), max(values)))
    return f"{mid:.{digits}f} ({low:.{digits}f} to {high:.{digits}f})"


def frames(rounds: int) -> None:
    """The open: one frame with a bar of each of 8,000 symbols."""
    steps: dict[str, list[float]] = {name: [] for name in STEPS}
    whole: dict[str, list[float]] = {"slice": [], "bar": [], "fifth": [], "put": [], "commit": []}
    for _ in range(rounds):
        for name, strategy in (("slice", Reader()), ("bar", BarReader())):
            with staged(FRAME_BARS, 6, strategy) as stage:
                with timed_steps() as spent:
                    whole[name].append(frame_seconds(stage, 0, strategy))
                if name == "bar":
                    continue
                for step, seconds in spent.items():
                    steps[step].append(seconds)
                for minute in range(1, 5):
                    took = frame_seconds(stage, minute, strategy)
                whole["fifth"].append(took)
                with timed_steps() as spent:
                    stage.reach(stage.clock.now_us() + MINUTE_US)
                whole["put"].append(spent["handed to the flusher"])
            whole["commit"].append(stage.store.commits[-1][1])
    show("a frame of 8,000 bars at the open, to a slice that reads them: ms", spread(whole["slice"]))
    for step in STEPS[:-1]:
        show(f"- {step}", spread(steps[step], digits=1))
    show("the same, to the last of 8,000 `on_bar`: ms", spread(whole["bar"]))
    show("the fifth frame, with 8,000 5m bars and their SMA: ms", spread(whole["fifth"]))
    show("- bars of 5 minutes handed to the flusher", spread(whole["put"], digits=1))
    show("- the flusher's commit of them", spread(whole["commit"]))


def frame_seconds(stage: Stage, minute: int, strategy: Reader) -> float:
    """From the bytes of a minute's frame until the strategy has read it."""
    frame = stage.market.frame("b", minute, range(len(stage.market.symbols)))
    stage.reach(stage.open_us + (minute + 1) * MINUTE_US + ARRIVES_US)
    strategy.has_read.clear()
    begun = time.perf_counter()
    stage.feed.send(frame)
    strategy.has_read.wait()  # nothing else is done meanwhile
    stage.settle()
    assert strategy.read_at > begun, "the frame was shown"
    return strategy.read_at - begun


def market(minutes: int, *, trading: float) -> None:
    """10,000 symbols, minute after minute, some of the bars corrected half a minute later."""
    rng, strategy = np.random.default_rng(3), Reader()
    seconds: list[float] = []
    with staged(MARKET, minutes, strategy) as stage:
        opened = memory_bytes()[0]
        for minute in range(minutes):
            of_vendor, begun = -time.thread_time(), time.process_time()
            stage.market.trades[minute] = rng.random(MARKET) < trading
            places = np.flatnonzero(stage.market.trades[minute]).tolist()
            frame = stage.market.frame("b", minute, places)
            corrected = rng.choice(places, round(len(places) * CORRECTED), replace=False).tolist()
            end_us = stage.open_us + (minute + 1) * MINUTE_US
            of_vendor += time.thread_time()
            stage.reach(end_us + ARRIVES_US)
            stage.feed.send(frame)
            stage.settle()
            stage.reach(end_us + 11 * SECOND_US)  # the grace is over
            of_vendor -= time.thread_time()
            stage.market.correct(minute, corrected)
            frame = stage.market.frame("u", minute, corrected)
            of_vendor += time.thread_time()
            stage.reach(end_us + 30 * SECOND_US)
            stage.feed.send(frame)
            stage.settle()
            seconds.append(time.process_time() - begun - of_vendor)
        peak = memory_bytes()[1]
    what = f"10,000 symbols, {trading:.0%} of them trading each minute, {minutes} minutes"
    show(f"{what}: CPU s per minute", spread(seconds, 1.0, 2))
    show("- resident at the open, and at most: MiB", f"{opened / 2**20:.0f}, {peak / 2**20:.0f}")


def latency(minutes: int) -> None:
    """One symbol: from the bytes of its frame to ``on_bar``, on the wall."""
    strategy = BarReader()
    with staged(1, minutes, strategy) as stage:
        times = [frame_seconds(stage, minute, strategy) for minute in range(minutes)]
    show("one symbol, from a frame's bytes to `on_bar`: us", spread(times, 1e6))
    show("- the same over a socket, from the server's `send`: us", spread(over_socket(minutes // 4), 1e6))


def reconnects(rounds: int) -> None:
    """Away for five minutes: from the last answer of REST until the session is active again."""
    for symbols in (500, FRAME_BARS):
        strategy = Reader()
        times: list[float] = []
        with staged(symbols, 6 * rounds, strategy) as stage:
            for turn in range(rounds):
                frame_seconds(stage, 6 * turn, strategy)
                times.append(seconds_to_come_back(stage, 6 * turn + 5, strategy))
        show(f"{symbols:,} symbols back after 5 minutes, from REST's last page to active: ms", spread(times))


def seconds_to_come_back(stage: Stage, minute: int, strategy: Reader) -> float:
    """The connection drops, and is back with the bars of ``minute``: from REST's answer to active."""
    stage.feed.drop()
    stage.reach(stage.open_us + (minute + 1) * MINUTE_US + ARRIVES_US)
    stage.feed.connect()
    stage.settle()
    assert not strategy.is_active.is_set(), "a connection proves nothing"
    stage.feed.send(stage.market.frame("b", minute, range(len(stage.market.symbols))))
    strategy.is_active.wait()
    return strategy.active_at - stage.feed.answered_at


PARTS: dict[str, Callable[[bool], None]] = {
    "frames": lambda quick: frames(2 if quick else 7),
    "market": lambda quick: market(10 if quick else 120, trading=1.0),
    "quiet": lambda quick: market(10 if quick else 60, trading=0.5),
    "latency": lambda quick: latency(100 if quick else 390),
    "reconnects": lambda quick: reconnects(2 if quick else 7),
}


def main() -> int:
    """All parts, each in a process of its own, or the one that is named."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.live", description=__doc__)
    parser.add_argument("part", nargs="?", choices=tuple(PARTS), help="one of them, in this process")
    parser.add_argument("--quick", action="store_true", help="fewer rounds and minutes: not to be quoted")
    options = parser.parse_args()
    if options.part:
        PARTS[options.part](options.quick)
        return 0
    show("live", "median (range)")
    show("---", "---")
    command = [sys.executable, "-m", "benchmarks.live", *(["--quick"] if options.quick else [])]
    return max(subprocess.run([*command, part], check=False).returncode for part in PARTS)


if __name__ == "__main__":
    sys.exit(main())
