"""A live session behind a bridge and a real NATS server; and a second one that shares them."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from random import Random
from typing import Any

from tests.live.stage import STALL_SECONDS, LiveLog, Stage
from tests.live.truth import backtest, differences, known, store
from tests.sources import ROOT

from mismartera import DataManager, SessionConfig, Strategy, SystemManager
from mismartera.bars.instants import to_datetime
from mismartera.feeds import Feed
from mismartera.feeds.nats import Bridge, BusAddress, Login, NatsFeed
from mismartera.testing.memory import MemoryDumps
from mismartera.testing.nats_server import NatsServer
from mismartera.timing import SystemClock


class BusStage(Stage):
    """As :class:`Stage`; ``nats`` configures the server, ``durable`` and ``ack_seconds`` the session's feed.

    The bridge has the vendor's feed, and no symbols of its own.
    """

    def __init__(
        self, folder: Path, *args: Any, nats: Mapping[str, Any] | None = None, durable: str | None = None,
        ack_seconds: float = 30.0, speed: float = 200.0, **options: Any,
    ) -> None:  # fmt: skip
        self.nats = NatsServer(folder / "nats", nats)
        self.nats.start()
        self.address = BusAddress(self.nats.url)
        self._durable, self._ack_seconds = durable, ack_seconds
        self.warnings: list[str] = []
        self.second: Second | None = None
        try:
            super().__init__(folder, *args, speed=speed, **options)
        except BaseException:
            self.nats.stop()  # nobody else would
            raise

    def make_feed(self, vendor: Feed) -> Feed:
        self.vendor = vendor
        self.bridge = self.make_bridge()
        self.bridge.start()
        self.bus = NatsFeed(
            self.address, Login(), self.clock, Random(2), self._durable, ack_seconds=self._ack_seconds
        )
        return self.bus

    def make_bridge(self) -> Bridge:
        """A bridge on the vendor's feed, which must not run in another one."""
        return Bridge(self.vendor, self.address, Login(), self.clock, Random(3), warn=self.warnings.append)

    def play(self, *, fails: bool = False) -> None:
        if self.second is not None:
            self.second.system.start()
        super().play(fails=fails)
        if self.second is not None:
            assert self.second.system.wait(20.0), "the second session does not end"

    def close(self) -> None:
        if self.second is not None:
            self.second.system.stop()
        self.system.stop()
        self.bridge.stop()
        super().close()
        self.nats.stop()

    def add_second(self, symbols: Sequence[str], strategies: Sequence[Strategy] = ()) -> Second:
        """Another session, with symbols of its own, on the same bridge."""
        self.second = Second(self, symbols, strategies)
        return self.second


class ProcessStage(BusStage):
    """The bridge is a process of its own, on the same clock, which runs from the beginning: it can be killed."""

    def make_wall(self) -> Callable[[], float]:
        return SystemClock().monotonic

    def make_feed(self, vendor: Feed) -> Feed:
        del vendor  # the process has its own
        self._begun = self.clock.monotonic()
        self.clock.begin(self._begun)
        self.process = self.start_bridge()
        self.bus = NatsFeed(self.address, Login(), self.clock, Random(2))
        return self.bus

    def start_bridge(self) -> subprocess.Popen[str]:
        """Another bridge, on the clock of this process."""
        urls = [self.server.stream_url, self.server.data_url, self.nats.url]
        arguments = [*urls, self.start_us, self.clock.speed, self._begun]
        return subprocess.Popen(
            [sys.executable, "-m", "tests.live.bridge_process", *map(str, arguments)], cwd=ROOT,
            stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
        )  # fmt: skip

    def kill_bridge(self) -> None:
        """SIGKILL: it can say nothing any more."""
        self.process.kill()
        self.process.communicate()

    def revive_bridge(self) -> None:
        """A new process in its place."""
        self.process = self.start_bridge()

    def close(self) -> None:
        self.system.stop()
        self.kill_bridge()
        Stage.close(self)
        self.nats.stop()


class Second:
    """A session of its own, with a store of its own, on the bridge of ``stage``."""

    def __init__(self, stage: BusStage, symbols: Sequence[str], strategies: Sequence[Strategy]) -> None:
        self._stage = stage
        self._data = stage.data_config | {"symbols": list(symbols)}
        config = SessionConfig.from_dict({
            "mode": "live", "session_data_config": self._data,
            "feed": {"type": "nats", "url": stage.nats.url, "stall_timeout_seconds": STALL_SECONDS},
        })  # fmt: skip
        self.log = LiveLog(stage.clock.now_us)
        self.dumps = MemoryDumps()
        self.bus = NatsFeed(stage.address, Login(), stage.clock, Random(4))
        self.system = SystemManager(
            config, data_manager=DataManager(stage.folder / "second"), strategies=strategies, sinks=[self.log],
            recorders=[self.dumps], feed=self.bus, wall=stage.clock, until=to_datetime(stage.until_us),
        )  # fmt: skip

    def check_parity(self) -> None:
        """The dump is that of a backtest of what REST knows now."""
        stage, symbols = self._stage, [s for _, s, interval in self.dumps.tables if interval == "1m"]
        bars = known(stage.market, symbols, stage.day, stage.until_us, stage.clock.now_us())
        data = store(stage.folder / "second-truth", bars)
        tested = backtest(data, self._data | {"symbols": symbols, "streaming": {}}, stage.day)
        assert self.dumps.tables
        assert not differences(self.dumps.tables, tested, stage.until_us)
