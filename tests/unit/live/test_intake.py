"""A step of the intake: what it tells the engine goes out in time."""

from __future__ import annotations

from datetime import date
from typing import Any, cast

from mismartera.bars.instants import MINUTE_US, SECOND_US
from mismartera.live.door import IntakeDoor
from mismartera.live.flow import FlowSettings
from mismartera.live.intake import Intake
from mismartera.timing import TimeManager


class _Clock:
    """Stands until it is set."""

    now = 0

    def now_us(self) -> int:
        return self.now


class _Engine:
    """Takes down what it is told, and how much of that was sent."""

    def __init__(self) -> None:
        self.told: list[str] = []
        self.sent = 0

    def send(self) -> None:
        self.sent = len(self.told)

    def __getattr__(self, name: str) -> Any:
        return lambda *_, **__: self.told.append(name)


class _Settings:
    flow = FlowSettings(threshold_us=MINUTE_US, stall_us=90 * SECOND_US)


class _Feed:
    last_data_us = None


def test_a_stream_that_is_doubted_after_a_sleep_is_said_before_an_order_is_begun() -> None:
    session = TimeManager("XNYS").get_trading_session(date(2024, 7, 2))
    clock, engine, door = _Clock(), _Engine(), IntakeDoor(lambda: None)
    clock.now = session.open_us
    parts = cast("Any", None)
    intake = Intake(
        cast("Any", _Settings),
        cast("Any", _Feed),
        parts,
        parts,
        cast("Any", clock),
        cast("Any", engine),
        parts,
        parts,
        door,
    )
    intake.flow.begin(session)
    intake.flow.on_connected()
    intake.flow.on_data()
    assert engine.told[-1] == "lift"
    clock.now += 10 * MINUTE_US
    sent: list[list[str]] = []

    def order() -> None:
        sent.append(engine.told[: engine.sent])
        engine.event("of an order")

    intake.do(order)
    intake.do(order)
    intake.step()
    assert [told[-1] for told in sent] == ["hold", "event"], "neither waits for what comes after it"
    assert engine.sent == len(engine.told)
