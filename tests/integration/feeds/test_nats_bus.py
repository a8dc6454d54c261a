"""A bridge and feeds on a real NATS server: what they tell, what they keep, and what they fetch."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from nats.js.errors import NotFoundError
from tests.integration.feeds.buses import WALL_SECONDS, Bus, made_bus
from tests.runs import minute_bars, us

from mismartera import DataManager
from mismartera.errors import FeedRefusedError, FeedUnavailableError
from mismartera.feeds import BarsArrived, Connected, Disconnected, ReplayFeed, Subscribed
from mismartera.feeds.nats.wire import Want, encode
from mismartera.timing import RehearsalClock


@pytest.fixture
def bus(tmp_path: Path, market: DataManager) -> Iterator[Bus]:
    with made_bus(tmp_path, market) as made:
        yield made


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

    def told() -> list[Disconnected]:  # before the bridge was up, it may have been told that none publishes
        return [one for one in listener.of(Disconnected) if one.reason == "the bridge was stopped"]

    listener.wait_until(lambda: bool(told()))
    assert told()[0].was_connected


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
