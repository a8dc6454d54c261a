"""Frames of a bridge, as its tests write them."""

from __future__ import annotations

import numpy as np
from tests.listening import OPEN_US

from mismartera.bars.instants import MINUTE_US
from mismartera.feeds import BarsArrived
from mismartera.feeds.nats.framing import to_wire
from mismartera.feeds.nats.wire import BusMessage, Frame, Granted, encode

LATE_US = OPEN_US + 100 * MINUTE_US


def minute(number: int, *symbols: str, price: float = 10.0) -> BarsArrived:
    """A bar of each symbol, ``number`` minutes after the open."""
    count = len(symbols)
    prices = np.array([np.full(count, price + shift) for shift in (0.0, 1.0, -1.0, 0.5, 90.0)])
    start = np.full(count, OPEN_US + number * MINUTE_US, np.int64)
    return BarsArrived("1m", symbols, start, prices, corrections=False, arrived_us=LATE_US)


def bars(number: int, *symbols: str, price: float = 10.0) -> list[BusMessage]:
    """The same, for the bus."""
    return list(to_wire(minute(number, *symbols, price=price)))


def frame(number: int, *messages: BusMessage, bridge: str = "one") -> bytes:
    """What a bridge publishes as its message ``number``."""
    return encode(Frame(bridge, number, list(messages)))


def granted(
    seq: int, *confirmed: str, is_connected: bool = True, bridge: str = "one", has_list: bool = True
) -> Granted:
    """A bridge's answer to a session's request."""
    return Granted(bridge, seq, is_connected, 0, True, list(confirmed) if has_list else None)
