"""F23: a live session over a bridge and a real NATS server ends with the bars of a backtest, whatever fails."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterator
from pathlib import Path
from typing import Any

import nats
import pytest
from tests.live.bus import BusStage, ProcessStage
from tests.live.markets import DAY, SYMBOLS, corrected, draw
from tests.live.watching import Watcher
from tests.runs import us

from mismartera.bars.instants import SECOND_US
from mismartera.testing.alpaca_market import MarketStatus

MakeStage = Callable[..., BusStage]
LOST_ACKS = {
    "authorization": {
        "users": [{"user": "u", "password": "p", "permissions": {"publish": {"allow": ">", "deny": "$JS.ACK.>"}}}]
    },
    "no_auth_user": "u",
}
"""A server that lets everything through but acknowledgements."""


@pytest.fixture
def make_bus(tmp_path: Path) -> Iterator[MakeStage]:
    made: list[BusStage] = []

    def make(*args: object, kind: type[BusStage] = BusStage, **options: object) -> BusStage:
        stage = kind(tmp_path / str(len(made)), *args, **options)  # type: ignore[arg-type]
        made.append(stage)
        return stage

    yield make
    for stage in made:
        stage.close()


def on_server(stage: BusStage, act: Callable[[Any], Awaitable[object]]) -> None:
    """Let ``act`` have its way with the server's JetStream."""

    async def run() -> None:
        client = await nats.connect(stage.nats.url)
        try:
            await act(client.jetstream())
        finally:
            await client.close()

    asyncio.run(run())


def moves(stage: BusStage) -> list[str]:
    return [line.split(" ", 1)[1] for line in stage.log.told("session_activated", "session_deactivated")]


def test_a_session_on_a_bridge_is_one_on_the_vendor(make_bus: MakeStage) -> None:
    watcher = Watcher()
    stage = make_bus(draw(), start="09:28", until="09:45", strategies=[watcher])
    stage.play()
    assert [watcher.ends(symbol)[-1] for symbol in SYMBOLS] == ["09:45"] * 3
    assert moves(stage) == ["session_activated open", "session_deactivated close"]
    assert stage.bus.figures.frames > 15
    assert (stage.bus.figures.duplicates, stage.bus.figures.gaps, stage.bus.figures.bad) == (0, 0, 0)


def test_f23_a_server_that_is_restarted_in_mid_session_loses_nothing(make_bus: MakeStage) -> None:
    stage = make_bus(draw(), until="10:20")
    stage.at("10:06:30", stage.nats.restart)
    stage.play()
    assert "session_deactivated stale" in moves(stage)
    assert stage.bridge.figures.reconnects >= 1
    assert stage.bus.figures.gaps == 0, "the stream has kept what was not read"


def test_f23_a_consumer_that_is_deleted_in_mid_session_is_made_anew_at_its_place(make_bus: MakeStage) -> None:
    stage = make_bus(draw(), until="10:15")
    stage.at("10:06:30", lambda: on_server(stage, lambda js: js.delete_consumer("mismartera", stage.bus.durable)))
    stage.play()
    assert stage.bus.recreated == 1
    assert stage.bus.figures.gaps == 0
    assert "session_deactivated stale" not in moves(stage)[2:], "nobody has missed anything"


def test_f23_a_consumer_that_sends_nothing_though_there_is_something_is_made_anew(make_bus: MakeStage) -> None:
    stage = make_bus(draw(), until="10:20", speed=100)
    stage.at(
        "10:05:20",
        lambda: on_server(
            stage, lambda js: js.pause_consumer("mismartera", stage.bus.durable, "2100-01-01T00:00:00Z")
        ),
    )
    stage.play()
    assert stage.bus.recreated == 1
    assert stage.bus.figures.gaps == 0


def test_f23_messages_whose_acknowledgement_is_lost_are_not_taken_twice(make_bus: MakeStage) -> None:
    watcher = Watcher()
    stage = make_bus(draw(), until="10:15", nats=LOST_ACKS, ack_seconds=0.5, strategies=[watcher])
    stage.play()
    assert stage.bus.figures.duplicates > 10
    assert stage.bus.figures.gaps == 0
    assert watcher.ends("AAA") == sorted(set(watcher.ends("AAA")))


def test_f23_a_gap_in_the_stream_is_filled_from_the_vendor_s_store(make_bus: MakeStage) -> None:
    stage = make_bus(draw(), until="10:15")

    async def pause(js: Any) -> None:
        await js.pause_consumer("mismartera", stage.bus.durable, "2100-01-01T00:00:00Z")

    async def lose(js: Any) -> None:
        info = await js.stream_info("mismartera")
        await js.delete_msg("mismartera", info.state.last_seq)
        await js.resume_consumer("mismartera", stage.bus.durable)

    stage.at("10:05:30", lambda: on_server(stage, pause))
    stage.at("10:06:08", lambda: on_server(stage, lose))
    stage.play()
    assert stage.bus.figures.gaps == 1
    assert "session_deactivated stale" in moves(stage)
    assert {row["from"][11:16] for row in stage.log.of("backfilled")} >= {"14:05"}


def test_f23_a_bridge_that_is_killed_makes_its_sessions_stale_until_another_one_is_there(
    make_bus: MakeStage,
) -> None:
    stage = make_bus(draw(), until="10:22", speed=60, kind=ProcessStage)
    assert isinstance(stage, ProcessStage)
    stage.at("10:08:30", stage.kill_bridge)
    stage.at("10:10:30", stage.revive_bridge)
    stage.play()
    (gone, *_) = [line for line in stage.log.of("feed_disconnected") if line["now_us"] > us("10:08:30")]
    assert "no bridge publishes" in gone["reason"]
    assert gone["now_us"] < us("10:09:30"), "its missing answer tells, long before the silence would"
    bars = [line["now_us"] for line in stage.log.of("bar") if us("10:08:30") < line["now_us"]]
    assert min(bars) > us("10:10:30"), "nothing is delivered while nobody knows of new bars"


def test_two_sessions_share_one_connection_and_each_ends_as_a_backtest(make_bus: MakeStage) -> None:
    stage = make_bus(draw(["AAA", "BBB", "CCC", "DDD"]), until="10:15", symbols=["AAA", "BBB"])
    second = stage.add_second(["BBB", "CCC"])
    stage.drop("10:05:20")
    stage.play()
    second.check_parity()
    assert {key[1] for key in second.dumps.tables} == {"BBB", "CCC"}
    assert stage.server.handshakes == 2, "one connection, and one more after the drop"
    for log in (stage.log, second.log):
        assert len([line for line in log.of("feed_disconnected") if line["now_us"] > us("10:05")]) == 1


def test_symbols_of_a_session_that_has_gone_leave_the_vendor_and_shared_ones_stay(make_bus: MakeStage) -> None:
    stage = make_bus(draw(), until="10:20", symbols=["AAA", "BBB"])
    second = stage.add_second(["BBB", "CCC"])
    subscribed: list[set[str]] = []

    def look() -> None:
        subscribed.append(set(stage.server.live[0].subscribed["bars"]))

    stage.at("10:04:00", look)
    stage.at("10:05:00", second.system.stop)
    stage.at("10:09:00", look)
    stage.play()
    assert subscribed == [{"AAA", "BBB", "CCC"}, {"AAA", "BBB"}]


def test_a_symbol_that_joins_in_mid_session_comes_over_the_bus_as_if_from_the_open(make_bus: MakeStage) -> None:
    watcher = Watcher()
    stage = make_bus(
        draw(), until="10:15", symbols=["AAA"], strategies=[watcher],
        schedule=[{"at": f"{DAY}T10:05", "add": "BBB"}, {"at": f"{DAY}T10:10", "remove": "AAA"}],
    )  # fmt: skip
    stage.play()
    assert watcher.ends("BBB")[-1] == "10:15"
    assert len(stage.dumps.tables[DAY, "BBB", "1m"]) == 45


def test_halts_corrections_and_refusals_pass_the_bus(make_bus: MakeStage) -> None:
    bars = draw()
    bars = [b for b in bars if not (b.symbol == "BBB" and us("10:04") <= b.start_us < us("10:07"))]
    bars.append(corrected(bars, "AAA", "10:03"))
    halts = [
        MarketStatus("BBB", us("10:03") + SECOND_US, "H", "Halted"),
        MarketStatus("BBB", us("10:07") - SECOND_US, "T", "Resumed"),
    ]
    stage = make_bus(bars, halts, until="10:12", symbols=["AAA", "BBB", "NOPE"])
    stage.faults.bad_symbols = frozenset({"NOPE"})
    stage.play()
    assert [line["symbol"] for line in stage.log.of("halted", "resumed")] == ["BBB", "BBB"]
    assert stage.log.of("revision", symbol="AAA")
    assert [line["symbol"] for line in stage.log.of("symbol_failed")] == ["NOPE"]


def test_messages_that_are_none_are_counted_and_change_nothing(make_bus: MakeStage) -> None:
    stage = make_bus(draw(), until="10:12")

    async def babble(js: Any) -> None:
        for payload in (b"", b"\x01", b"\x02\x93", b"\x01" + b"\xff" * 100, b"{}", b"\x01" + b"\x91" * 5000):
            await js.publish("mismartera.feed", payload)

    stage.at("10:05:20", lambda: on_server(stage, babble))
    stage.play()
    assert stage.bus.figures.bad == 6
    assert "session_deactivated stale" not in moves(stage)[2:]


def test_a_mute_vendor_is_found_through_the_bus_and_replaced(make_bus: MakeStage) -> None:
    stage = make_bus(draw(), until="10:20", feed={"stall_timeout_seconds": 90})
    stage.set("10:04:20", mute=True)
    stage.set("10:08:20", mute=False)
    stage.play()
    assert any("no data for 90 s" in warning for warning in stage.warnings), stage.warnings
    assert stage.server.handshakes >= 2
