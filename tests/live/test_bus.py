"""F23: a live session over a bridge and a real NATS server ends with the bars of a backtest, whatever fails."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterator
from pathlib import Path
from typing import Any

import nats
import pytest
from tests.live.bus import BusStage
from tests.live.markets import SYMBOLS, draw
from tests.live.watching import Watcher

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

    def make(*args: object, **options: object) -> BusStage:
        stage = BusStage(tmp_path / str(len(made)), *args, **options)  # type: ignore[arg-type]
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
