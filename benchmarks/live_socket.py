"""One symbol over a real socket: the shipped fake server on loopback, and Alpaca's feed as it is used."""

from __future__ import annotations

import shutil
import tempfile
import threading
import time
from datetime import UTC, datetime
from pathlib import Path
from random import Random

from benchmarks.data import full_sessions
from benchmarks.live_stage import Market, live_config
from mismartera import Bar, DataManager, Strategy, SystemManager
from mismartera.bars.instants import DAY_US, MINUTE_US, SECOND_US
from mismartera.feeds.alpaca.feed import AlpacaFeed
from mismartera.feeds.secret import Keys, Secret
from mismartera.testing.alpaca_market import AlpacaMarket, MarketBar
from mismartera.testing.alpaca_server import AlpacaServer
from mismartera.timing import RehearsalClock

_SPEED = 600.0
"""A minute in a tenth of a second."""


class _Notes(Strategy):
    def __init__(self) -> None:
        super().__init__()
        self.at: dict[int, float] = {}
        self.has_heard = threading.Event()

    def on_bar(self, bar: Bar) -> None:
        if bar.interval == "1m":
            self.at[bar.start_us] = time.perf_counter()
            self.has_heard.set()


def over_socket(minutes: int) -> list[float]:
    """Seconds from the server's call to send a frame to ``on_bar``, for each minute."""
    session = full_sessions(1)[0]
    market = Market(1, minutes, session.open_us)
    symbol, notes, sent = market.symbols[0], _Notes(), {}
    clock = RehearsalClock(session.open_us - 300 * SECOND_US, _SPEED)
    known = AlpacaMarket([MarketBar(symbol, session.open_us - DAY_US, 10.0, 10.0, 10.0, 10.0, 100.0)])
    folder = Path(tempfile.mkdtemp(prefix="live"))
    with AlpacaServer(known, clock) as server:
        feed = AlpacaFeed(
            server.stream_url, server.data_url, Keys(Secret("test-key"), Secret("test-secret")), clock, Random(1)
        )
        system = SystemManager(
            live_config([symbol]), data_manager=DataManager(folder / "store"), strategies=[notes], feed=feed,
            wall=clock, until=datetime.fromtimestamp(session.close_us / SECOND_US, UTC),
        )  # fmt: skip
        system.start()
        try:
            for minute in range(minutes):
                frame = market.frame("b", minute, [0])
                _sleep_until(clock, session.open_us + (minute + 1) * MINUTE_US + SECOND_US)
                sent[session.open_us + minute * MINUTE_US] = time.perf_counter()
                notes.has_heard.clear()
                server.send_raw(frame)
            notes.has_heard.wait(1.0)
        finally:
            system.stop()
            shutil.rmtree(folder, ignore_errors=True)
    return [notes.at[start] - begun for start, begun in sent.items() if start in notes.at][2:]


def _sleep_until(clock: RehearsalClock, us: int) -> None:
    nobody = threading.Event()  # sets it: the clock alone is waited for
    while (missing_us := us - clock.now_us()) > 0:
        nobody.wait(clock.wall_seconds(missing_us / SECOND_US))
