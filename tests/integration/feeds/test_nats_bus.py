"""A bridge and feeds on a real NATS server: what they refuse, what they keep, and what they fetch."""

from __future__ import annotations

import asyncio
import socket
import threading
from collections.abc import Awaitable, Callable, Iterator
from pathlib import Path
from random import Random
from typing import Any

import nats
import numpy as np
import pytest
from nats.js.errors import NotFoundError
from tests.listening import Listener
from tests.runs import minute_bars, us

from mismartera import DataManager
from mismartera.errors import ConfigError, FeedRefusedError, FeedUnavailableError, RunFailedError
from mismartera.feeds import BarsArrived, Connected, Disconnected, FeedFailed, ReplayFeed, Secret, Subscribed
from mismartera.feeds.nats import Bridge, BusAddress, Login, NatsFeed, Retention
from mismartera.feeds.nats.wire import Want, encode
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


@pytest.fixture
def bus(tmp_path: Path, market: DataManager) -> Iterator[Bus]:
    before = set(threading.enumerate())
    made = Bus(tmp_path, market)
    yield made
    made.close()
    assert [thread.name for thread in threading.enumerate() if thread not in before] == []


def ending(bridge: Bridge) -> str:
    with pytest.raises(RunFailedError) as failure:
        bridge.wait(WALL_SECONDS)
    return str(failure.value)


def test_a_server_that_is_not_there_ends_a_bridge_with_its_address(bus: Bus) -> None:
    server = bus.serve()
    server.stop()
    assert ending(bus.bridge("AAA")).startswith(f"no NATS server can be reached at {server.url}: ")


def test_a_server_without_jetstream_is_told_how_to_have_it(bus: Bus) -> None:
    server = bus.serve(jetstream=False)
    assert ending(bus.bridge("AAA")) == f"the NATS server at {server.url} has no JetStream: start it with -js"


@pytest.mark.parametrize("login", [Login(), Login(token=Secret("canary-wrong"))], ids=["none", "wrong"])
def test_refused_credentials_are_told_and_not_shown(bus: Bus, login: Login) -> None:
    bus.serve(TOKEN)
    reason = ending(bus.bridge("AAA", login=login))
    _, listener = bus.feed("AAA", login=login)
    failed = listener.wait_for(FeedFailed)
    for text in (reason, failed.reason):
        assert "does not take our credentials" in text
        assert "MISMARTERA_NATS_" in text
        assert "canary" not in text


def test_the_right_token_is_taken(bus: Bus) -> None:
    bus.serve(TOKEN)
    login = Login(token=Secret("canary-token"))
    bus.bridge("AAA", login=login)
    _, listener = bus.feed("AAA", login=login)
    assert listener.wait_for(Subscribed).symbols == ("AAA",)


@pytest.mark.parametrize(
    ("metadata", "what"), [({}, "is no stream of a bridge"), ({"mismartera_bus": "9"}, "has version 9")]
)
def test_a_stream_of_another_kind_or_version_is_left_alone(bus: Bus, metadata: dict[str, str], what: str) -> None:
    bus.serve()
    bus.ask(lambda js: js.add_stream(name="mismartera", subjects=["mine"], metadata=metadata))
    bridge = bus.bridge("AAA")
    _, listener = bus.feed("AAA")
    for reason in (ending(bridge), listener.wait_for(FeedFailed).reason):
        assert reason.startswith(f"the stream mismartera at {bus.address.url} {what}; allowed: version 1")
    assert bus.ask(lambda js: js.stream_info("mismartera")).config.subjects == ["mine"]


def test_the_stream_is_bounded_and_the_bounds_follow_the_configuration(bus: Bus) -> None:
    bus.serve()
    bridge = bus.bridge("AAA", retention=Retention(3600.0, 2**20))
    bus.feed("AAA")[1].wait_for(Connected)
    config = bus.ask(lambda js: js.stream_info("mismartera")).config
    assert (config.max_age, config.max_bytes, config.discard) == (3600.0, 2**20, "old")
    bridge.stop()
    bus.bridge("AAA", retention=Retention(7200.0, 2**21))
    bus.feed("AAA")[1].wait_for(Connected)
    assert bus.ask(lambda js: js.stream_info("mismartera")).config.max_age == 7200.0


def test_a_second_bridge_of_a_stream_is_refused(bus: Bus) -> None:
    bus.serve()
    first = bus.bridge("AAA")
    bus.feed("AAA")[1].wait_for(Connected)
    assert ending(bus.bridge("AAA")).startswith(f"another bridge ({first.name}) publishes the stream mismartera")
    assert not first.wait(0.0)


def test_a_large_backfill_comes_in_parts_bit_for_bit(tmp_path: Path, bus: Bus) -> None:
    names = [f"S{k:02}" for k in range(25)]
    bus.data = DataManager(tmp_path / "large")
    bus.data.write_many([(name, "1m", minute_bars(name, price=k + 1.5)) for k, name in enumerate(names)])
    bus.serve()
    bus.clock = RehearsalClock(us("15:59"), 1.0)
    bus.bridge()
    feed, listener = bus.feed("S00")
    listener.wait_for(Subscribed)
    asked = [*names[::-1], "NOPE"]
    result = feed.backfill(asked, "1m", us("09:30"), us("15:59"))
    expected = bus.data.read_block("1m", us("09:30"), us("15:59") - 1, names[::-1])
    assert result.block.symbols == tuple(names[::-1])
    assert len(result.block) == len(expected) > 8_000
    for got, wanted in zip(
        (result.block.start, *result.block.columns), (expected.start, *expected.columns), strict=True
    ):
        assert np.array_equal(got, wanted)
    assert result.refused == {"NOPE": "the recording does not know it"}


def test_what_the_vendor_refuses_or_cannot_tell_passes_as_its_error(bus: Bus) -> None:
    bus.serve()
    bridge = bus.bridge("AAA")
    feed, listener = bus.feed("AAA")
    listener.wait_for(Subscribed)
    with pytest.raises(FeedRefusedError, match="does not know"):
        feed.backfill(["NOPE"], "1m", us("09:30"), us("10:00"))
    bridge.stop()
    listener.wait_for(Disconnected, 2)
    with pytest.raises(FeedUnavailableError):
        feed.backfill(["AAA"], "1m", us("09:30"), us("10:00"))
    feed.stop()
    with pytest.raises(FeedUnavailableError, match="stopped"):
        feed.backfill(["AAA"], "1m", us("09:30"), us("10:00"))


class Slow(ReplayFeed):
    """A vendor whose answers about the past wait to be let go."""

    asked, let_go = threading.Event(), threading.Event()

    def backfill(self, *args: Any) -> Any:
        self.asked.set()
        self.let_go.wait(WALL_SECONDS)
        return super().backfill(*args)


def test_a_backfill_that_waits_is_unavailable_once_the_feed_is_stopped(bus: Bus) -> None:
    bus.serve()
    bus.vendor = Slow
    bus.bridge("AAA")
    feed, listener = bus.feed("AAA")
    listener.wait_for(Subscribed)
    errors: list[str] = []

    def ask() -> None:
        with pytest.raises(FeedUnavailableError) as error:
            feed.backfill(["AAA"], "1m", us("09:30"), us("10:00"))
        errors.append(str(error.value))

    asking = threading.Thread(target=ask)
    asking.start()
    assert Slow.asked.wait(WALL_SECONDS)
    feed.stop()
    asking.join()
    Slow.let_go.set()
    assert errors == ["the bus is not connected"]


def test_a_session_that_dies_without_a_word_takes_its_symbols_along(bus: Bus) -> None:
    bus.serve()
    bridge = bus.bridge()
    _, listener = bus.feed("AAA")
    listener.wait_for(Subscribed)

    async def ask_once(js: Any) -> None:
        await js._nc.request("mismartera.lease", encode(Want("dead", "i", 1, ["BBB"])), timeout=5)

    bus.ask(ask_once)
    assert (bridge.figures.sessions, bridge.figures.symbols) == (2, 2)
    listener.wait_until(lambda: bridge.figures.symbols == 1)
    assert bridge.figures.sessions == 1


def test_a_bridge_that_stops_says_so(bus: Bus) -> None:
    bus.serve()
    bridge = bus.bridge("AAA")
    _, listener = bus.feed("AAA")
    listener.wait_for(BarsArrived)
    bridge.stop()
    listener.wait_for(Disconnected)
    assert "the bridge was stopped" in [message.reason for message in listener.of(Disconnected)][:2]


def test_a_named_consumer_goes_on_where_the_last_run_has_read(bus: Bus) -> None:
    bus.serve()
    bridge = bus.bridge("AAA")
    feed, listener = bus.feed("AAA", durable="me")
    listener.wait_for(BarsArrived, 2)
    feed.stop()
    read = listener.bars()
    _, other = bus.feed("AAA")
    other.wait_for(BarsArrived, 3)  # so many were published meanwhile
    _, again = bus.feed("AAA", durable="me")
    again.wait_for(BarsArrived, 3)
    first = again.bars()[0]
    assert first == ("AAA", read[-1][1] + 1)
    assert first not in other.bars()[1:] or bridge.figures.bars > 5


def test_a_run_without_a_name_leaves_no_consumer_and_no_lease_behind(bus: Bus) -> None:
    bus.serve()
    bridge = bus.bridge()
    feed, listener = bus.feed("AAA")
    listener.wait_for(BarsArrived)
    assert bridge.figures.sessions == 1
    feed.stop()
    listener.wait_until(lambda: bridge.figures.sessions == 0)

    async def known(js: Any) -> bool:
        try:
            await js.consumer_info("mismartera", feed.durable)
        except NotFoundError:
            return False
        return True

    assert not bus.ask(known)


def test_two_runs_of_one_name_do_not_share_its_messages(bus: Bus) -> None:
    bus.serve()
    bus.bridge("AAA")
    bus.feed("AAA", durable="me")[1].wait_for(Connected)
    _, second = bus.feed("AAA", durable="me")
    assert "the name me is another session's" in second.wait_for(Disconnected).reason


def test_f23_a_stream_that_is_deleted_is_made_anew_and_the_loss_is_known(bus: Bus) -> None:
    bus.serve()
    bridge = bus.bridge("AAA")
    feed, listener = bus.feed("AAA")
    listener.wait_for(BarsArrived, 2)
    bus.ask(lambda js: js.delete_stream("mismartera"))
    connected = len(listener.of(Connected))
    listener.wait_until(lambda: len(listener.of(Connected)) > connected)
    bars = len(listener.of(BarsArrived))
    listener.wait_for(BarsArrived, bars + 2)
    minutes = [minute for _, minute in listener.bars()]
    assert minutes == sorted(set(minutes))
    assert feed.figures.gaps >= 1
    assert bridge.figures.reconnects >= 1


def test_credentials_are_not_sent_to_a_server_that_says_it_has_no_tls() -> None:
    received: list[bytes] = []
    with socket.create_server(("127.0.0.1", 0)) as listening:

        def answer() -> None:
            connection, _ = listening.accept()
            with connection:
                connection.sendall(
                    b'INFO {"server_id":"x","version":"2.12.0","proto":1,"max_payload":1048576,"headers":true}\r\n'
                )
                while data := connection.recv(4096):
                    received.append(data)

        thread = threading.Thread(target=answer)
        thread.start()
        address = BusAddress(f"tls://127.0.0.1:{listening.getsockname()[1]}")
        clock, listener = RehearsalClock(0), Listener()
        feed = NatsFeed(address, Login(token=Secret("canary-token")), clock, Random(1))
        feed.start(listener.queue)
        reason = listener.wait_for(Disconnected).reason
        feed.stop()
        thread.join()
    assert "offers no TLS" in reason
    assert received == []


@pytest.mark.parametrize("stream", ["", "a.b", "a b", "x" * 33, ">"])
def test_a_stream_s_name_is_one_word(stream: str) -> None:
    with pytest.raises(ConfigError, match="stream: found"):
        BusAddress("nats://localhost", stream)


@pytest.mark.parametrize("url", ["nats://example.com:4222", "http://localhost", "tls://u:p@h", "tls://h/path"])
def test_an_address_is_encrypted_or_on_loopback(url: str) -> None:
    with pytest.raises(ConfigError):
        BusAddress(url)
