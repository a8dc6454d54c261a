"""What came from a feed, as bytes and back: messages of its stream, and answers of the vendor's store."""

from __future__ import annotations

import zlib
from collections.abc import Mapping
from typing import Any

import msgspec
import numpy as np

from mismartera.bars import BarBlock
from mismartera.errors import (
    FeedRefusedError,
    FeedUnavailableError,
    JournalError,
    KeysRefusedError,
    MismarteraError,
)
from mismartera.feeds.port import (
    BackfillResult,
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

PLAIN: Mapping[str, Any] = {
    kind.__name__: kind
    for kind in (
        StatusChanged,
        Connected,
        Disconnected,
        Subscribed,
        SymbolRefused,
        FeedFailed,
        FeedWarning,
        Rejected,
    )
}
"""Messages without columns."""
BARS, ANSWER = "BarsArrived", "Answer"
Answered = BackfillResult | MismarteraError


def kind_of(message: FeedMessage) -> str:
    """The name of a message's kind."""
    return type(message).__name__


def encode_message(message: FeedMessage) -> bytes:
    """A message as bytes."""
    if isinstance(message, BarsArrived):
        columns = np.vstack((message.start_us, np.ascontiguousarray(message.prices).view(np.int64)))
        return _packed(
            (message.interval, message.symbols, columns.tobytes(), message.corrections, message.arrived_us)
        )
    return _packed({name: getattr(message, name) for name in type(message).__struct_fields__})


def decode_message(kind: str, payload: bytes) -> FeedMessage:
    """And back. JournalError for a kind that this version does not know."""
    values = _unpacked(payload)
    if kind == BARS:
        interval, symbols, columns, corrections, arrived_us = values
        rows = np.frombuffer(columns, dtype=np.int64).reshape(6, len(symbols)).copy()
        return BarsArrived(interval, tuple(symbols), rows[0], rows[1:].view(np.float64), corrections, arrived_us)
    if kind not in PLAIN:
        raise JournalError(f"the journal has a message of the kind {kind!r}, which this version does not know")
    found: FeedMessage = PLAIN[kind](**{k: tuple(v) if isinstance(v, list) else v for k, v in values.items()})
    return found


def encode_answer(request: int, answer: Answered) -> bytes:
    """The answer to one call of the request of this number."""
    if isinstance(answer, MismarteraError):
        seconds = answer.retry_after_seconds if isinstance(answer, FeedUnavailableError) else 0.0
        return _packed((request, type(answer).__name__, str(answer), seconds))
    block = answer.block
    columns = np.stack([column.view(np.int64) for column in (block.start, *block.columns)]).tobytes()
    rejected = [(r.reason, r.count, r.detail, r.symbols, r.starts_us) for r in answer.rejected]
    body = (
        answer.interval, block.symbols, block.offsets.astype(np.int64).tobytes(), columns, dict(answer.refused),
        rejected, answer.duplicates, answer.conflicts,
    )  # fmt: skip
    return _packed((request, "", body, 0.0))


def decode_answer(payload: bytes) -> tuple[int, Answered]:
    """The number of the request, and the answer."""
    request, error, body, seconds = _unpacked(payload)
    if error:
        return request, _error(error, body, seconds)
    interval, symbols, offsets, columns, refused, rejected, duplicates, conflicts = body
    start, *prices = np.frombuffer(columns, dtype=np.int64).reshape(6, -1).copy()
    block = BarBlock(
        tuple(symbols),
        np.frombuffer(offsets, dtype=np.int64).copy(),
        start,
        *(p.view(np.float64) for p in prices),
    )
    bad = tuple(
        Rejected(reason, count, detail, *map(tuple, of_each))  # an older journal has the symbols, and no starts
        for reason, count, detail, *of_each in rejected
    )
    return request, BackfillResult(interval, block, refused, bad, duplicates, conflicts)


def _error(name: str, text: str, seconds: float) -> MismarteraError:
    if name == "FeedUnavailableError":
        return FeedUnavailableError(text, seconds)
    return {"KeysRefusedError": KeysRefusedError, "FeedRefusedError": FeedRefusedError}.get(name, MismarteraError)(
        text
    )


def _packed(values: object) -> bytes:
    return zlib.compress(msgspec.msgpack.encode(values), 1)


def _unpacked(payload: bytes) -> Any:
    return msgspec.msgpack.decode(zlib.decompress(payload))
