"""Framing: what a feed says, as it is published: in pieces that fit into the messages of the bus."""

from __future__ import annotations

from collections.abc import Iterator

from mismartera.bars.symbol import SYMBOL_LENGTH_MAX
from mismartera.feeds.nats.wire import (
    ROWS_MAX,
    Bars,
    BusMessage,
    Columns,
    Down,
    Dropped,
    Refused,
    Status,
    Taken,
    Up,
    Warned,
)
from mismartera.feeds.port import (
    BarsArrived,
    Connected,
    Disconnected,
    FeedFailed,
    FeedMessage,
    FeedWarning,
    Rejected,
    StatusChanged,
    Subscribed,
    SymbolRefused,
)
from mismartera.feeds.secret import one_line


def to_wire(message: FeedMessage) -> Iterator[BusMessage]:
    """``message`` as it is published, in pieces that fit."""
    match message:
        case BarsArrived():
            for first in range(0, len(message), ROWS_MAX):
                rows = slice(first, first + ROWS_MAX)
                columns = Columns.of(message.start_us[rows], [column[rows] for column in message.prices])
                yield Bars(message.interval, message.corrections, list(message.symbols[rows]), columns)
        case StatusChanged():
            yield Status(message.symbol, message.halted, one_line(message.reason))
        case Connected():
            yield Up()
        case Disconnected():
            yield Down(one_line(message.reason), max(message.retry_in_seconds, 0.0))
        case FeedFailed():
            yield Down(one_line(f"the bridge's feed has failed: {message.reason}"), 0.0)
        case Subscribed():
            for first in range(0, len(message.symbols), ROWS_MAX):
                yield Taken(list(message.symbols[first : first + ROWS_MAX]))
        case SymbolRefused():
            yield Refused(message.symbol, one_line(message.reason))
        case FeedWarning():
            yield Warned(one_line(message.text))
        case Rejected():
            yield dropped(message)


def dropped(message: Rejected) -> Dropped:
    """``message`` for the bus; of very many symbols only the first are named."""
    symbols = [symbol[:SYMBOL_LENGTH_MAX] for symbol in message.symbols[:ROWS_MAX]]
    starts_us = list(message.starts_us[:ROWS_MAX])
    return Dropped(message.reason[:64], message.count, one_line(message.detail), symbols, starts_us)


def weight(message: BusMessage) -> int:
    """How much of the room of a frame ``message`` takes, in rows."""
    return max(len(message.symbols), 1) if isinstance(message, Bars | Taken | Dropped) else 4
