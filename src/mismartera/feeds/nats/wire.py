"""What is said on the bus: messages of one version, as msgpack, checked by whoever writes and whoever reads them.

The first byte is the version. Columns of bars are little-endian doubles and integers, bit for bit.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated, Final, TypeVar

import msgspec
import numpy as np
from msgspec import Meta, Struct

from mismartera.bars.symbol import SYMBOL_LENGTH_MAX, SYMBOL_PATTERN
from mismartera.feeds.port import Floats, Ints
from mismartera.feeds.secret import one_line

WIRE_VERSION: Final = 1
ROWS_MAX: Final = 8_000
"""Of bars or symbols in one message: with the longest names it stays below the 1 MiB that a server takes."""
PAYLOAD_BYTES_MAX: Final = 2**20
SYMBOLS_MAX: Final = 20_000
"""That one session may want: the list must fit into one message."""

Name = Annotated[str, Meta(min_length=1, max_length=64)]
SymbolName = Annotated[str, Meta(max_length=SYMBOL_LENGTH_MAX, pattern=rf"^{SYMBOL_PATTERN}\Z")]
Symbols = Annotated[list[SymbolName], Meta(max_length=SYMBOLS_MAX)]
Words = Annotated[str, Meta(max_length=1000)]
Count = Annotated[int, Meta(ge=0)]
Column = Annotated[bytes, Meta(max_length=8 * ROWS_MAX)]


class BadMessageError(Exception):
    """A message that breaks a rule of the bus: which, and how."""


class Columns(Struct):
    """Start, open, high, low, close and volume, 8 bytes a row."""

    start: Column
    open: Column
    high: Column
    low: Column
    close: Column
    volume: Column

    @classmethod
    def of(cls, start_us: Ints, prices: Sequence[Floats]) -> Columns:
        """Of arrays."""
        return cls(start_us.astype("<i8").tobytes(), *(column.astype("<f8").tobytes() for column in prices))

    def arrays(self, rows: int) -> tuple[Ints, tuple[Floats, Floats, Floats, Floats, Floats]]:
        """As arrays of ``rows`` values; BadMessageError if there are more or fewer."""
        raw = (self.open, self.high, self.low, self.close, self.volume)
        if any(len(column) != 8 * rows for column in (self.start, *raw)):
            raise BadMessageError(f"the columns do not have {rows} rows")
        prices = [np.frombuffer(column, "<f8").astype(np.float64) for column in raw]
        return np.frombuffer(self.start, "<i8").astype(np.int64), (
            prices[0], prices[1], prices[2], prices[3], prices[4],
        )  # fmt: skip


class Bars(Struct, tag="bars"):
    """:class:`~mismartera.feeds.port.BarsArrived`; when they arrived at the bridge is nobody else's matter."""

    interval: Annotated[str, Meta(max_length=8)]
    corrections: bool
    symbols: Annotated[list[SymbolName], Meta(max_length=ROWS_MAX)]
    columns: Columns


class Status(Struct, tag="status"):
    """:class:`~mismartera.feeds.port.StatusChanged`."""

    symbol: SymbolName
    halted: bool
    reason: Words


class Up(Struct, tag="up"):
    """The bridge's feed is :class:`~mismartera.feeds.port.Connected`."""


class Down(Struct, tag="down"):
    """The bridge's feed is :class:`~mismartera.feeds.port.Disconnected`, or has failed."""

    reason: Words
    retry_in_seconds: Annotated[float, Meta(ge=0)]


class Taken(Struct, tag="taken"):
    """:class:`~mismartera.feeds.port.Subscribed`."""

    symbols: Symbols


class Refused(Struct, tag="refused"):
    """:class:`~mismartera.feeds.port.SymbolRefused`."""

    symbol: SymbolName
    reason: Words


class Warned(Struct, tag="warned"):
    """:class:`~mismartera.feeds.port.FeedWarning`."""

    text: Words


class Dropped(Struct, tag="dropped"):
    """:class:`~mismartera.feeds.port.Rejected`."""

    reason: Name
    count: Annotated[int, Meta(ge=1)]
    detail: Words
    symbols: Annotated[list[str], Meta(max_length=ROWS_MAX)]
    starts_us: Annotated[list[Annotated[int, Meta(ge=-1, lt=2**62)]], Meta(max_length=ROWS_MAX)] = []


BusMessage = Bars | Status | Up | Down | Taken | Refused | Warned | Dropped


class Frame(Struct):
    """What a bridge publishes at once; its frames are numbered from 1."""

    bridge: Name
    number: Annotated[int, Meta(ge=1)]
    messages: list[BusMessage]


class Want(Struct):
    """A session asks for its lease, or renews it (``symbols`` None: those of its ``revision``).

    ``stalled``: why the session holds the stream to be stalled; ``data_seq`` is the last message with bars that
    it has read. ``leaving``: the lease is given back.
    """

    name: Name
    instance: Name
    revision: Count
    symbols: Symbols | None = None
    stalled: Words | None = None
    data_seq: Count = 0
    leaving: bool = False


class Granted(Struct):
    """The bridge's answer, and its state after message ``seq`` of the stream.

    ``is_known`` False: before this request there was no lease. ``confirmed``: of the symbols that were sent, those
    that the vendor has confirmed. ``refusal``: why there is no lease.
    """

    bridge: Name
    seq: Count
    is_connected: bool
    clock_us: int
    is_known: bool
    confirmed: Symbols | None = None
    refusal: Words | None = None


class Ask(Struct):
    """A request for :meth:`~mismartera.feeds.port.Feed.backfill`."""

    interval: Annotated[str, Meta(max_length=8)]
    symbols: Symbols
    start_us: int
    end_us: int


class Part(Struct, tag="part"):
    """Some rows of an answer, in its order: ``sizes[k]`` rows of ``symbols[k]``."""

    symbols: Annotated[list[SymbolName], Meta(max_length=ROWS_MAX)]
    sizes: Annotated[list[Count], Meta(max_length=ROWS_MAX)]
    columns: Columns


class Working(Struct, tag="working"):
    """The vendor has not answered yet."""


class Done(Struct, tag="done"):
    """The end of an answer: how many parts there were, and what else the vendor said."""

    parts: Count
    refused: dict[SymbolName, Words]
    rejected: list[Dropped]
    duplicates: Count
    conflicts: Count


class Sorry(Struct, tag="sorry"):
    """No answer: for good, or not for a while."""

    reason: Words
    for_good: bool
    retry_after_seconds: Annotated[float, Meta(ge=0)] = 0.0


PastMessage = Part | Working | Done | Sorry

_T = TypeVar("_T")
_ENCODER: Final = msgspec.msgpack.Encoder()


class Codec:
    """Reads messages of each kind; one per thread."""

    def __init__(self) -> None:
        self._frame = msgspec.msgpack.Decoder(Frame)
        self._want = msgspec.msgpack.Decoder(Want)
        self._granted = msgspec.msgpack.Decoder(Granted)
        self._ask = msgspec.msgpack.Decoder(Ask)
        self._past: msgspec.msgpack.Decoder[PastMessage] = msgspec.msgpack.Decoder(PastMessage)

    def frame(self, payload: bytes) -> Frame:
        """All of these raise BadMessageError for what they cannot read."""
        return _decoded(self._frame, payload)

    def want(self, payload: bytes) -> Want:
        """A request for a lease."""
        return _decoded(self._want, payload)

    def granted(self, payload: bytes) -> Granted:
        """Its answer."""
        return _decoded(self._granted, payload)

    def ask(self, payload: bytes) -> Ask:
        """A request for a backfill."""
        return _decoded(self._ask, payload)

    def past(self, payload: bytes) -> PastMessage:
        """A message of its answer."""
        return _decoded(self._past, payload)


def encode(message: Struct) -> bytes:
    """``message`` with the version before it."""
    payload = bytes((WIRE_VERSION,)) + _ENCODER.encode(message)
    assert len(payload) <= PAYLOAD_BYTES_MAX, "messages are made to fit"
    return payload


def _decoded(decoder: msgspec.msgpack.Decoder[_T], payload: bytes) -> _T:
    if len(payload) > PAYLOAD_BYTES_MAX:
        raise BadMessageError(f"{len(payload)} bytes; allowed: {PAYLOAD_BYTES_MAX}")
    if not payload or payload[0] != WIRE_VERSION:
        found = f"version {payload[0]}" if payload else "nothing"
        raise BadMessageError(f"found {found}; allowed: version {WIRE_VERSION}")
    try:
        return decoder.decode(memoryview(payload)[1:])
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError, ValueError) as error:
        raise BadMessageError(one_line(str(error))) from None
