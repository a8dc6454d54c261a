"""Messages of the bus: bit for bit what was said, of one version, and nothing else is read."""

from __future__ import annotations

from contextlib import suppress

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.unit.feeds.bus import minute

from mismartera.feeds import BarsArrived, Disconnected, FeedFailed, FeedMessage, Rejected, Subscribed
from mismartera.feeds.nats.framing import to_wire, weight
from mismartera.feeds.nats.wire import (
    PAYLOAD_BYTES_MAX,
    ROWS_MAX,
    WIRE_VERSION,
    BadMessageError,
    Bars,
    Codec,
    Down,
    Frame,
    Taken,
    Want,
    encode,
)

CODEC = Codec()
DOUBLES = st.lists(st.floats(width=64), min_size=6, max_size=6)


@given(st.lists(DOUBLES, min_size=1, max_size=20), st.booleans())
def test_bars_come_over_the_bus_bit_for_bit(rows: list[list[float]], corrections: bool) -> None:
    table = np.array(rows).T
    start = table[0].view(np.int64).copy()
    sent = BarsArrived("1m", ("BRK.B",) * len(rows), start, table[1:].copy(), corrections, 0)
    (piece,) = to_wire(sent)
    (read,) = CODEC.frame(encode(Frame("b", 1, [piece]))).messages
    assert isinstance(read, Bars)
    got_start, prices = read.columns.arrays(len(rows))
    assert (got_start.tobytes(), read.corrections) == (sent.start_us.tobytes(), corrections)
    assert [column.tobytes() for column in prices] == [column.tobytes() for column in sent.prices]


@given(st.binary(max_size=200))
def test_any_bytes_are_read_or_refused_and_nothing_else(payload: bytes) -> None:
    for read in (CODEC.frame, CODEC.want, CODEC.granted, CODEC.ask, CODEC.past):
        for start in (b"", bytes((WIRE_VERSION,))):
            with suppress(BadMessageError):
                assert read(start + payload) is not None


def test_another_version_is_named() -> None:
    payload = encode(Want("n", "i", 1))
    with pytest.raises(BadMessageError, match="found version 9; allowed: version 1"):
        CODEC.want(b"\x09" + payload[1:])


def test_a_message_that_is_too_large_is_not_decoded() -> None:
    with pytest.raises(BadMessageError, match="bytes; allowed"):
        CODEC.frame(bytes((WIRE_VERSION,)) * (PAYLOAD_BYTES_MAX + 1))


@pytest.mark.parametrize("symbol", ["", "../x", "A B", "A\n", "x" * 33, "-A"])
def test_a_name_that_is_no_symbol_is_refused(symbol: str) -> None:
    with pytest.raises(BadMessageError):
        CODEC.frame(encode(Frame("b", 1, [Taken([symbol])])))


def test_a_burst_is_split_into_messages_that_a_server_takes() -> None:
    names = tuple(f"{k:032d}" for k in range(ROWS_MAX * 2 + 1))
    pieces = list(to_wire(minute(1, *names)))
    assert [weight(piece) for piece in pieces] == [ROWS_MAX, ROWS_MAX, 1]
    assert max(len(encode(Frame("b", 1, [piece]))) for piece in pieces) < PAYLOAD_BYTES_MAX
    assert [weight(piece) for piece in to_wire(Subscribed(names))] == [ROWS_MAX, ROWS_MAX, 1]


@pytest.mark.parametrize(
    ("message", "reason"),
    [
        (FeedFailed("no plan"), "the bridge's feed has failed: no plan"),
        (Disconnected("bye\n\x00" + "x" * 999, was_connected=True, retry_in_seconds=1.0), None),
    ],
)
def test_what_a_vendor_says_is_cut_to_a_line(message: FeedMessage, reason: str | None) -> None:
    (piece,) = to_wire(message)
    assert isinstance(piece, Down)
    assert piece.reason == reason or (len(piece.reason) <= 200 and piece.reason.isprintable())


def test_of_very_many_rejected_messages_the_number_is_kept() -> None:
    (piece,) = to_wire(Rejected("late", 50_000, "x", ("AAA",) * 50_000))
    assert CODEC.frame(encode(Frame("b", 1, [piece]))).messages[0] == piece
    assert weight(piece) == ROWS_MAX
