"""``python -m benchmarks.server``: what 200 clients of the stream, of which 50 never read, cost the engine.

A backtest of 100 symbols and 60 days is run at speed 0, with and without them, in turns; the clients are a
process of their own. The figure is wall time per bar delivered to one strategy.
"""

from __future__ import annotations

import argparse
import asyncio
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path
from statistics import median

from benchmarks.case import symbol_names
from benchmarks.data import make_store
from mismartera import Bar, DataManager, SessionConfig, Strategy, SystemManager
from mismartera.feeds.secret import Secret
from mismartera.server.recent import RecentEvents
from mismartera.server.service import Binding, Server
from mismartera.server.wiring import SessionDesk

TOKEN = "benchmark-token-benchmark-token"
SYMBOLS, DAYS = 100, 60
CLIENTS, SILENT = 200, 50


class Counts(Strategy):
    """Takes every bar."""

    bars = 0

    def on_bar(self, bar: Bar) -> None:
        self.bars += 1


@dataclass(frozen=True)
class Run:
    """One run's bars and seconds."""

    bars: int
    seconds: float

    @property
    def per_bar_us(self) -> float:
        return 1e6 * self.seconds / self.bars


async def listen(url: str, clients: int, silent: int) -> None:
    """Connect; all but ``silent`` clients read. Says so on stdout, and goes on until it is killed."""
    from websockets.asyncio.client import connect

    headers = {"authorization": f"Bearer {TOKEN}"}
    opened = [
        await connect(
            url, additional_headers=headers, compression=None, max_size=None, max_queue=1 if k < silent else 16
        )
        for k in range(clients)
    ]

    async def read(number: int) -> None:
        async for _ in opened[number]:
            pass

    print("connected", flush=True)
    await asyncio.gather(*(read(k) for k in range(silent, clients)), return_exceptions=True)
    await asyncio.Event().wait()


def run_once(data: DataManager, config: SessionConfig, *, clients: int, silent: int) -> Run:
    """One backtest; with ``clients`` of its stream, if any."""
    recent, counts = RecentEvents(20_000), Counts()
    system = SystemManager(config, data_manager=data, strategies=[counts], sinks=[recent])
    server: Server | None = None
    listeners: subprocess.Popen[bytes] | None = None
    if clients:
        server = SessionDesk(system, recent, Secret(TOKEN)).server(Binding())
        server.start()
        url = server.url.replace("http", "ws", 1) + "/api/stream"
        listeners = subprocess.Popen(
            [
                sys.executable,
                "-m",
                "benchmarks.server",
                "--listen",
                url,
                "--clients",
                str(clients),
                "--silent",
                str(silent),
            ],
            stdout=subprocess.PIPE,
        )
        assert listeners.stdout is not None and listeners.stdout.readline() == b"connected\n"
    try:
        began = time.perf_counter()
        system.run()
        return Run(counts.bars, time.perf_counter() - began)
    finally:
        if listeners is not None:
            listeners.kill()
            listeners.wait()
        if server is not None:
            server.stop()


def compare(folder: Path, symbols: int, days: int, rounds: int, clients: int, silent: int) -> tuple[float, float]:
    """Microseconds per bar without and with the clients: medians of ``rounds`` in turns."""
    store = make_store(folder, symbols, days, 0.0)
    data = DataManager(store.path)
    names, dates = symbol_names(symbols), [session.date.isoformat() for session in store.sessions]
    config = SessionConfig.from_dict({
        "backtest_config": {"start_date": dates[0], "end_date": dates[-1], "speed_multiplier": 0},
        "session_data_config": {"symbols": names, "streams": ["1m", "5m"]},
    })  # fmt: skip
    plain, served = [], []
    run_once(data, config, clients=0, silent=0)  # warms the caches
    for _ in range(rounds):
        plain.append(run_once(data, config, clients=0, silent=0).per_bar_us)
        served.append(run_once(data, config, clients=clients, silent=silent).per_bar_us)
    return median(plain), median(served)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--clients", type=int, default=CLIENTS)
    parser.add_argument("--silent", type=int, default=SILENT)
    parser.add_argument("--symbols", type=int, default=SYMBOLS)
    parser.add_argument("--days", type=int, default=DAYS)
    parser.add_argument("--listen", metavar="URL", help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.listen:
        asyncio.run(listen(given.listen, given.clients, given.silent))
        return
    with tempfile.TemporaryDirectory() as folder:
        plain, served = compare(Path(folder), given.symbols, given.days, given.rounds, given.clients, given.silent)
    print(f"alone                                 {plain:.3f} us a bar")
    print(
        f"{given.clients} clients, {given.silent} of them never read    "
        f"{served:.3f} us a bar ({served / plain - 1:+.1%})"
    )


if __name__ == "__main__":
    main()
