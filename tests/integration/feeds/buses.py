"""A server, a recorded day on a clock, bridges and feeds, for the tests of the bus."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from random import Random
from typing import Any

import nats
import pytest
from tests.listening import Listener
from tests.runs import us

from mismartera import DataManager
from mismartera.errors import RunFailedError
from mismartera.feeds import ReplayFeed
from mismartera.feeds.nats import Bridge, BusAddress, Login, NatsFeed, Retention
from mismartera.testing.nats_server import NatsServer
from mismartera.timing import RehearsalClock

TOKEN = {"authorization": {"token": "canary-token"}}
WALL_SECONDS = 10.0


class Bus:
    """A server, a recorded day on a clock, and whatever is connected to them; all of it is stopped in the end."""

    def __init__(self, folder: Path, data: DataManager, speed: float = 300.0) -> None:
        self.folder, self.data = folder, data
        self.clock = RehearsalClock(us("10:00"), speed)
        self.vendor = ReplayFeed
        self._server: NatsServer | None = None
        self._made: list[Bridge | NatsFeed] = []

    def serve(self, config: dict[str, Any] | None = None, *, jetstream: bool = True) -> NatsServer:
        self._server = NatsServer(self.folder / "nats", config, jetstream=jetstream)
        self._server.start()
        return self._server

    @property
    def address(self) -> BusAddress:
        assert self._server is not None
        return BusAddress(self._server.url)

    def bridge(self, *own: str, login: Login | None = None, retention: Retention | None = None) -> Bridge:
        feed = self.vendor(self.data, self.clock, us("09:30"), us("16:00"))
        bridge = Bridge(feed, self.address, login or Login(), self.clock, Random(1), own, retention)
        self._made.append(bridge)
        bridge.start()
        return bridge

    def feed(
        self, *symbols: str, login: Login | None = None, durable: str | None = None
    ) -> tuple[NatsFeed, Listener]:
        feed, listener = NatsFeed(self.address, login or Login(), self.clock, Random(2), durable), Listener()
        self._made.append(feed)
        feed.subscribe(symbols)
        feed.start(listener.queue)
        return feed, listener

    def ask(self, act: Callable[[Any], Awaitable[Any]]) -> Any:
        """What ``act`` finds, or does, with the server's JetStream."""

        async def run() -> Any:
            client = await nats.connect(self.address.url)
            try:
                return await act(client.jetstream())
            finally:
                await client.close()

        return asyncio.run(run())

    def close(self) -> None:
        for one in reversed(self._made):
            one.stop()
        if self._server is not None:
            self._server.stop()


@contextmanager
def made_bus(folder: Path, data: DataManager) -> Iterator[Bus]:
    """A bus that leaves no thread behind."""
    before = set(threading.enumerate())
    made = Bus(folder, data)
    yield made
    made.close()
    assert [thread.name for thread in threading.enumerate() if thread not in before] == []


def ending(bridge: Bridge) -> str:
    with pytest.raises(RunFailedError) as failure:
        bridge.wait(WALL_SECONDS)
    return str(failure.value)
