"""Publishing: what the bridge's feed says, put into frames, and into the stream one after the other.

A frame is published until the server has acknowledged it; published twice, it has the same id and number, by which
the server, and who reads, know it again.
"""

from __future__ import annotations

import json
from collections import deque
from collections.abc import Iterable
from typing import Final

import nats.errors
import nats.js.errors
import numpy as np
from msgspec import Struct
from nats.js.api import PubAck

from mismartera.bars import parse_interval
from mismartera.feeds.nats.framing import dropped, to_wire, weight
from mismartera.feeds.nats.link import ANSWER_SECONDS, BusAddress, Link, LinkEndedError, wall_seconds
from mismartera.feeds.nats.wire import (
    ROWS_MAX,
    Bars,
    BusMessage,
    Down,
    Frame,
    Refused,
    Taken,
    Up,
    encode,
)
from mismartera.feeds.port import BarsArrived, FeedMessage
from mismartera.feeds.sift import RawBars, merged, sift
from mismartera.timing import WallClock

_TRIES_MAX: Final = 5
_FOREVER_US: Final = 2**62


class BridgeState(Struct):
    """What the stream says by message ``seq``. ``data_seq``: its last message with bars."""

    seq: int = 0
    data_seq: int = 0
    is_connected: bool = False
    frames: int = 0
    bars: int = 0
    republished: int = 0
    confirmed: set[str] = set()

    def apply(self, messages: Iterable[BusMessage], seq: int) -> None:
        """``messages`` are in the stream, as message ``seq``."""
        self.seq = max(self.seq, seq)  # one that is published again has its first number
        self.frames += 1
        for message in messages:
            match message:
                case Bars():
                    self.data_seq = seq
                    self.bars += len(message.symbols)
                case Up():
                    self.is_connected = True
                    self.confirmed.clear()
                case Down():
                    self.is_connected = False
                    self.confirmed.clear()
                case Taken():
                    self.confirmed.update(message.symbols)
                case Refused():
                    self.confirmed.discard(message.symbol)


class Publisher:
    """The frames of one bridge, over all its links. On the bridge's event loop."""

    def __init__(self, address: BusAddress, bridge: str, clock: WallClock) -> None:
        self.state = BridgeState()
        self._address = address
        self._bridge = bridge
        self._clock = clock
        self._number = 0
        self._waiting: deque[Frame] = deque()
        self._minute = parse_interval("1m")

    @property
    def is_idle(self) -> bool:
        """True if all that was given to it is in the stream."""
        return not self._waiting

    def add(self, messages: Iterable[FeedMessage]) -> list[BusMessage]:
        """Put ``messages`` into frames, to be published; what breaks a rule is rejected, and that is told."""
        told = [piece for message in messages for piece in self._checked(message)]
        room = 0
        for piece in told:
            if room < weight(piece):
                self._number += 1
                self._waiting.append(Frame(self._bridge, self._number, []))
                room = ROWS_MAX
            self._waiting[-1].messages.append(piece)
            room -= weight(piece)
        return told

    def _checked(self, message: FeedMessage) -> Iterable[BusMessage]:
        if not isinstance(message, BarsArrived):
            return to_wire(message)
        raw = RawBars(message.symbols, message.start_us, np.vstack((message.prices, np.full(len(message), -1.0))))
        rows, rejected = sift(raw, self._minute, _FOREVER_US)
        if not rejected:
            return to_wire(message)
        good = raw.arrived(rows, message.interval, message.arrived_us, corrections=message.corrections)
        return [*to_wire(good), *(dropped(one) for one in merged(rejected))]

    async def publish(self, link: Link) -> None:
        """Everything that waits. LinkEndedError: what was not acknowledged waits for the next link."""
        while self._waiting:
            frame = self._waiting[0]
            payload = encode(frame)
            ack = await self._put(link, payload, f"{self._bridge}.{frame.number}")
            self.state.apply(frame.messages, ack.seq)
            self._waiting.popleft()

    async def _put(self, link: Link, payload: bytes, message_id: str) -> PubAck:
        for _ in range(_TRIES_MAX):
            try:
                return await link.js.publish(
                    self._address.feed_subject, payload, timeout=wall_seconds(self._clock, ANSWER_SECONDS),
                    stream=self._address.stream, headers={"Nats-Msg-Id": message_id},
                )  # fmt: skip
            except (nats.errors.TimeoutError, TimeoutError):
                link.check()
                self.state.republished += 1
            except nats.js.errors.NoStreamResponseError:
                raise LinkEndedError(f"the stream {self._address.stream} is gone") from None
            except (nats.js.errors.APIError, json.JSONDecodeError) as error:
                text = f"the NATS server does not take what is published: {error}"
                raise LinkEndedError(link.login.scrub(text)) from None
            except nats.errors.Error as error:
                raise link.error(error) from None
        raise LinkEndedError("the NATS server does not acknowledge what is published")
