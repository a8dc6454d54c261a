"""``python -m benchmarks.page``: whether the page stutters: 500 symbols at 60x speed, in a real browser.

A backtest of one day is served by a process of its own, with a strategy that signals, and its page is opened in
headless Chromium. While it shows the candles of one symbol, and while its list is scrolled as well, the page is
asked for the intervals between animation frames, its long tasks, what its threads did, and its memory after a
collection of garbage. On a phone's screen the browser's processor is made four times slower.
"""

from __future__ import annotations

import argparse
import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.case import symbol_names
from benchmarks.data import make_store

SYMBOLS, SPEED, SECONDS = 500, 60, 60
MEBI = 1 << 20
STRATEGY = '''
from mismartera import Strategy


class Signals(Strategy):
    """Signals at every fiftieth bar."""

    bars = 0

    def on_bar(self, bar):
        self.bars += 1
        if self.bars % 50 == 0:
            self.session.emit("fiftieth", bar.close)
'''
PROBE = """
  const found = window.probe = { frames: [], tasks: [], rows: 0, moves: false };
  let before = null, turn = 0;
  const look = (now) => {
    if (before !== null) found.frames.push(now - before);
    before = now;
    turn += 1;
    const box = document.getElementById("symbols");
    if (box && turn % 30 === 0) found.rows = Math.max(found.rows, box.querySelectorAll(".row").length);
    if (box && found.moves) {
      const room = box.scrollHeight - box.clientHeight, at = (turn * 14) % (2 * room || 1);
      box.scrollTop = at < room ? at : 2 * room - at;
    }
    requestAnimationFrame(look);
  };
  requestAnimationFrame(look);
  new PerformanceObserver((list) => found.tasks.push(...list.getEntries().map((task) => task.duration)))
    .observe({ type: "longtask", buffered: true });
"""
"""Runs before the page's own scripts. It scrolls by 14 pixels a frame: some eighteen rows a second."""


@dataclass(frozen=True)
class Case:
    """What is looked at: a screen, how much slower its processor is, and whether the list is scrolled."""

    name: str
    size: tuple[int, int]
    slowdown: int
    scrolls: bool


CASES = (
    Case("1280 x 800", (1280, 800), 1, scrolls=False),
    Case("1280 x 800, scrolling", (1280, 800), 1, scrolls=True),
    Case("390 x 844, processor 4x slower", (390, 844), 4, scrolls=False),
    Case("390 x 844, 4x slower, scrolling", (390, 844), 4, scrolls=True),
)


@dataclass(frozen=True)
class Figures:
    """What came of a case. Times in milliseconds, memory in bytes; ``busy`` of the main thread, from 0 to 1."""

    case: Case
    intervals: Sequence[float]
    long_tasks: Sequence[float]
    messages: int
    busy: float
    heap: tuple[int, int]
    nodes: tuple[int, int]
    list_rows: int

    def row(self) -> list[str]:
        """The case as cells of the table."""
        intervals = np.asarray(self.intervals)
        p50, p99 = np.percentile(intervals, [50, 99])
        tasks = sorted(self.long_tasks)
        return [
            self.case.name, f"{len(intervals):,}", f"{p50:.1f}", f"{p99:.1f}", f"{intervals.max():.0f}",
            f"{100 * np.mean(intervals > 34):.2f} %", f"{len(tasks)}", f"{tasks[-1]:.0f}" if tasks else "-",
            f"{100 * self.busy:.0f} %", f"{self.messages:,}",
            f"{self.heap[0] / MEBI:.1f} to {self.heap[1] / MEBI:.1f}", f"{self.nodes[0]:,} to {self.nodes[1]:,}",
            f"{self.list_rows}",
        ]  # fmt: skip


HEADER = (
    "", "frames", "p50 ms", "p99 ms", "max ms", "over 34 ms", "long tasks", "longest ms", "main thread busy",
    "messages", "heap MiB", "DOM nodes", "rows of the list",
)  # fmt: skip


def table(figures: Sequence[Figures]) -> str:
    """All cases as a Markdown table."""
    lines = [HEADER, ["---"] * len(HEADER), *(one.row() for one in figures)]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


@contextmanager
def served(folder: Path, symbols: int, speed: int) -> Iterator[str]:
    """A served backtest of one day; the address that signs one browser in."""
    store = make_store(folder, symbols, 1)
    day = store.sessions[0].date.isoformat()
    (folder / "signals.py").write_text(STRATEGY)
    config = folder / "session.json"
    config.write_text(json.dumps({
        "session_name": "Many symbols",
        "backtest_config": {"start_date": day, "end_date": day, "speed_multiplier": speed},
        "session_data_config": {
            "symbols": symbol_names(symbols), "streams": ["1m", "5m"],
            "indicators": [{"name": "SMA", "interval": "1m", "params": {"timeperiod": 20}}],
        },
        "analysis": {"strategies": [{"class": "signals:Signals"}]},
    }))  # fmt: skip
    command = [sys.executable, "-m", "mismartera", "serve", str(config), "--data", str(store.path), "--port", "0"]
    environ = os.environ | {"XDG_RUNTIME_DIR": str(folder / "run")}
    with subprocess.Popen(command, stderr=subprocess.PIPE, text=True, env=environ) as process:
        assert process.stderr is not None
        try:
            found = re.search(r"http://\S+", process.stderr.readline())
            assert found, "it prints its address first"
            yield found[0]
        finally:
            process.kill()


@contextmanager
def browser() -> Iterator[Any]:
    """Headless Chromium: that of MISMARTERA_CHROMIUM, the system's, or Playwright's own."""
    from playwright.sync_api import sync_playwright

    names = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
    path = os.environ.get("MISMARTERA_CHROMIUM") or next(filter(None, map(shutil.which, names)), None)
    with sync_playwright() as playwright:
        sandbox = [] if os.getuid() else ["--no-sandbox"]  # Chromium's own sandbox refuses to run as root
        chromium = playwright.chromium.launch(executable_path=path, args=sandbox)
        yield chromium
        chromium.close()


def look(chromium: Any, url: str, case: Case, seconds: float) -> Figures:
    """Open the page at ``url`` and look at it for ``seconds``."""
    width, height = case.size
    context = chromium.new_context(viewport={"width": width, "height": height})
    page = context.new_page()
    messages: list[int] = []
    page.on("websocket", lambda socket: socket.on("framereceived", lambda data: messages.append(len(data))))
    page.add_init_script(PROBE)
    page.goto(url)
    page.wait_for_selector(".row")
    page.wait_for_selector("#chart canvas")
    tools = context.new_cdp_session(page)
    tools.send("Performance.enable")
    tools.send("Emulation.setCPUThrottlingRate", {"rate": case.slowdown})
    page.wait_for_timeout(3_000)  # what opening costs is not stutter
    before = _memory(tools)
    page.evaluate("(moves) => Object.assign(window.probe, { frames: [], tasks: [], moves })", case.scrolls)
    first, spent = len(messages), _spent(tools)
    page.wait_for_timeout(1e3 * seconds)
    probe, busy = page.evaluate("window.probe"), _spent(tools) - spent
    figures = Figures(
        case, probe["frames"], probe["tasks"], len(messages) - first, busy / seconds,
        *_pairs(before, _memory(tools)), probe["rows"],
    )  # fmt: skip
    context.close()
    return figures


def _metrics(tools: Any) -> dict[str, float]:
    found = tools.send("Performance.getMetrics")["metrics"]
    return {metric["name"]: metric["value"] for metric in found}


def _spent(tools: Any) -> float:
    """Seconds of work of the page's main thread so far."""
    return _metrics(tools)["TaskDuration"]


def _memory(tools: Any) -> tuple[int, int]:
    """The heap in bytes and the nodes of the document, without garbage."""
    tools.send("HeapProfiler.collectGarbage")
    found = _metrics(tools)
    return int(found["JSHeapUsedSize"]), int(found["Nodes"])


def _pairs(before: tuple[int, int], after: tuple[int, int]) -> tuple[tuple[int, int], tuple[int, int]]:
    return (before[0], after[0]), (before[1], after[1])


def main() -> None:
    """Measure all cases, one after the other, and print the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--symbols", type=int, default=SYMBOLS)
    parser.add_argument("--speed", type=int, default=SPEED)
    parser.add_argument("--seconds", type=float, default=SECONDS, help="for each case")
    parser.add_argument("--case", type=int, choices=range(len(CASES)), help="only this one")
    given = parser.parse_args()
    cases = CASES if given.case is None else CASES[given.case : given.case + 1]
    figures = []
    with tempfile.TemporaryDirectory() as folder, browser() as chromium:
        for case in cases:  # each on a session of its own, from its open
            with served(Path(folder), given.symbols, given.speed) as url:
                figures.append(look(chromium, url, case, given.seconds))
    print(f"{given.symbols} symbols at {given.speed}x, {given.seconds:g} s each\n\n{table(figures)}")


if __name__ == "__main__":
    main()
