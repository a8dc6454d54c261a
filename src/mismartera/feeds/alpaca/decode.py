"""Frames of Alpaca's stream to messages and columns. Nothing that a server sends raises out of here.

A whole frame is decoded in one call. Where that fails, its messages are decoded one by one, so that one bad
message of two hundred costs itself alone.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Any, TypeVar

import msgspec
import numpy as np

from mismartera.feeds.alpaca.messages import (
    DATA_TYPES,
    KNOWN_TYPES,
    BarMessage,
    Control,
    DailyBarMessage,
    Message,
    MessageHead,
    StatusMessage,
    UpdatedBarMessage,
)
from mismartera.feeds.alpaca.stamps import StampError, parse_json, parse_msgpack
from mismartera.feeds.port import FEW_BARS, NO_START, Rejected
from mismartera.feeds.sift import RawBars

_T = TypeVar("_T")
_UNDECODABLE = (msgspec.MsgspecError, RecursionError, UnicodeError, ValueError)


class Frame(msgspec.Struct, eq=False):
    """What a frame holds, in order within each kind. ``has_data``: some message was about the market.

    ``columns`` gives the columns of bars of this frame, whose timestamps are in its encoding.
    """

    columns: Callable[[Sequence[BarMessage]], RawBars]
    controls: list[Control] = []
    statuses: list[StatusMessage] = []
    bars: list[BarMessage] = []
    updates: list[UpdatedBarMessage] = []
    rejected: list[Rejected] = []
    has_data: bool = False


class Codec:
    """One encoding of the protocol, "msgpack" or "json", both ways."""

    def __init__(self, name: str) -> None:
        library: Any = {"msgpack": msgspec.msgpack, "json": msgspec.json}[name]
        self.name = name
        self._encode: Callable[[object], bytes] = library.Encoder().encode
        self._messages: Callable[[bytes], list[Message]] = library.Decoder(list[Message]).decode
        self._parts: Callable[[bytes], list[msgspec.Raw]] = library.Decoder(list[msgspec.Raw]).decode
        self._one: Callable[[msgspec.Raw], Message] = library.Decoder(Message).decode
        self._head: Callable[[msgspec.Raw], MessageHead] = library.Decoder(MessageHead).decode
        self._stamp = parse_msgpack if name == "msgpack" else parse_json

    def encode(self, message: object) -> str | bytes:
        """A message to the server: text for JSON, bytes for msgpack."""
        encoded = self._encode(message)
        return encoded.decode() if self.name == "json" else encoded

    def decode(self, data: bytes) -> Frame:
        """The messages of a frame; what cannot be decoded is in ``rejected``."""
        frame = Frame(self.columns)
        try:
            messages = self._messages(data)
        except _UNDECODABLE:
            messages = list(self._one_by_one(data, frame))
        _sort(messages, frame)
        return frame

    def columns(self, bars: Sequence[BarMessage]) -> RawBars:
        """The columns of ``bars``."""
        starts, bad_rows = self._starts(bars)
        if len(bars) == 1:
            (b,) = bars
            values = ((b.o,), (b.h,), (b.l,), (b.c,), (b.v,), (-1.0 if b.n is None else b.n,))
            return RawBars([b.S], starts, np.array(values, np.float64), bad_rows)
        rows = [(b.o, b.h, b.l, b.c, b.v, -1.0 if b.n is None else b.n) for b in bars]
        symbols = [bar.S for bar in bars]
        if 0 < len(rows) <= FEW_BARS:
            return RawBars(symbols, starts, np.array(tuple(zip(*rows, strict=True)), np.float64), bad_rows)
        return RawBars(symbols, starts, np.array(rows, np.float64).reshape(-1, 6).T.copy(), bad_rows)

    def start_us(self, stamp: msgspec.Raw) -> int:
        """When the bar of this timestamp began; NO_START where it cannot be read."""
        start = self._parsed(bytes(stamp))
        return NO_START if isinstance(start, StampError) else start

    def _one_by_one(self, data: bytes, frame: Frame) -> Iterator[Message]:
        try:
            parts = self._parts(data)
        except _UNDECODABLE as error:
            text = f"a frame of {len(data)} bytes is no list of messages: {error}"
            frame.rejected.append(Rejected("malformed_frame", 1, text[:200], ("",)))
            return
        for part in parts:
            try:
                yield self._one(part)
            except _UNDECODABLE as error:
                frame.rejected.append(self._reject(part, error, frame))

    def _reject(self, part: msgspec.Raw, error: Exception, frame: Frame) -> Rejected:
        try:
            head = self._head(part)
        except _UNDECODABLE:
            return Rejected("malformed", 1, f"{error}"[:200], ("",))
        frame.has_data |= head.T in DATA_TYPES
        if head.T in KNOWN_TYPES:
            return Rejected("malformed", 1, f"{head.T} {head.S}: {error}"[:200], (head.S,))
        return Rejected("unknown_type", 1, f"a message of type {head.T!r:.40}", (head.S,))

    def _starts(self, bars: Sequence[BarMessage]) -> tuple[np.ndarray[Any, np.dtype[np.int64]], dict[Any, Any]]:
        """Most bars of a frame have one start: each text is parsed once."""
        known: dict[bytes, int | StampError] = {}
        starts = [0] * len(bars)
        bad_rows: dict[int, tuple[str, str]] = {}
        for row, bar in enumerate(bars):
            raw = bytes(bar.t)
            start = known.get(raw)
            if start is None:
                start = known[raw] = self._parsed(raw)
            if isinstance(start, StampError):
                bad_rows[row] = (start.rule, str(start))
            else:
                starts[row] = start
        return np.array(starts, np.int64), bad_rows

    def _parsed(self, raw: bytes) -> int | StampError:
        try:
            return self._stamp(raw)
        except StampError as error:
            return error
        except _UNDECODABLE as error:
            return StampError(f"a timestamp that cannot be read: {error}"[:200])


def _sort(messages: Sequence[Message], frame: Frame) -> None:
    for message in messages:
        if type(message) is BarMessage:
            frame.bars.append(message)
        elif isinstance(message, UpdatedBarMessage):
            frame.updates.append(message)
        elif isinstance(message, StatusMessage):
            frame.statuses.append(message)
        elif isinstance(message, DailyBarMessage):
            frame.rejected.append(Rejected("unknown_type", 1, "a daily bar, still forming", (message.S,)))
            frame.has_data = True
        else:
            frame.controls.append(message)  # type: ignore[arg-type]  # BarMessage itself is gone by `type() is`
    frame.has_data |= bool(frame.bars or frame.updates or frame.statuses)
