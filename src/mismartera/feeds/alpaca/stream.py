"""AlpacaStream: stays connected. One connection after the other, with back-off, until it is told to stop."""

from __future__ import annotations

import asyncio
import threading
from contextlib import suppress
from random import Random
from typing import Final

from mismartera.bars.instants import SECOND_US
from mismartera.feeds.alpaca.address import Address
from mismartera.feeds.alpaca.codes import Verdict
from mismartera.feeds.alpaca.connection import Connection, ConnectionEndedError, open_connection
from mismartera.feeds.alpaca.conversation import Conversation
from mismartera.feeds.backoff import Backoff
from mismartera.feeds.desired import Desired
from mismartera.feeds.outlet import Outlet
from mismartera.feeds.port import Connected, Disconnected, FeedFailed, FeedSink, FeedWarning
from mismartera.feeds.retry_after import retry_after_seconds
from mismartera.feeds.secret import Keys
from mismartera.feeds.waits import pause
from mismartera.timing import WallClock

_CROWDED_SECONDS: Final = 10.0
"""At least half of this while the server still counts a connection of ours: it needs some time to notice."""
_PROVEN_SECONDS: Final = 30.0
"""A connection that lasted as long, or brought data, was a good one: back-off begins again."""


class AlpacaStream:
    """The loop of connections; runs on the event loop of the feed's thread, and is waked from any.

    Every attempt ends in data or in a :class:`Disconnected` that says why. After an error that no attempt can
    mend, :class:`FeedFailed` is the last message.
    """

    def __init__(
        self, address: Address, keys: Keys, clock: WallClock, desired: Desired, rng: Random, skew_seconds: float
    ) -> None:
        self.last_data_us: int | None = None
        self._address = address
        self._keys = keys
        self._clock = clock
        self._desired = desired
        self._skew_seconds = skew_seconds
        self._backoff = Backoff(rng)
        self._channels = address.channels
        self._is_proven = False
        self._lock = threading.Lock()
        self._leave: str | None = None
        self._loop: asyncio.AbstractEventLoop | None = None
        self._wake: asyncio.Event | None = None

    def wake(self, leave: str | None = None) -> None:
        """The wanted symbols changed, or the present connection is to be left for this reason. From any thread."""
        with self._lock:
            self._leave = leave or self._leave
            if self._loop is not None and self._wake is not None:
                with suppress(RuntimeError):  # the loop was closed
                    self._loop.call_soon_threadsafe(self._wake.set)

    async def run(self, sink: FeedSink) -> None:
        """Until cancelled, or until :class:`FeedFailed` was sent."""
        outlet = Outlet(sink)
        with self._lock:
            self._loop, self._wake = asyncio.get_running_loop(), asyncio.Event()
        while True:
            was_connected, ended = await self._connect(outlet, self._wake)
            if ended.verdict is Verdict.FATAL or ended.verdict is Verdict.CHANNEL:
                await outlet.send(FeedFailed(ended.reason))
                return
            if ended.verdict is Verdict.OUR_SLOWNESS:
                await outlet.send(FeedWarning(f"this machine reads too slowly: {ended.reason}"))
            seconds = self._wait_seconds(ended)
            await outlet.send(Disconnected(ended.reason, was_connected, seconds))
            await pause(self._clock.wall_seconds(seconds))

    async def _connect(self, outlet: Outlet, wake: asyncio.Event) -> tuple[bool, ConnectionEndedError]:
        """One connection, from the attempt to its end: whether it was made, and why it ended."""
        self._is_proven = False
        try:
            connection = await open_connection(self._address.stream_url, self._keys, self._clock)
        except ConnectionEndedError as error:
            return False, error
        with self._lock:
            self._leave = None  # whatever stalled, it was not this connection
        since_us = self._clock.now_us()
        try:
            await outlet.send(Connected())
            await self._converse(connection, outlet, wake)
        except ConnectionEndedError as error:
            lasted_us = self._clock.now_us() - since_us
            if self._is_proven or lasted_us >= _PROVEN_SECONDS * SECOND_US:
                self._backoff.reset()
            return True, error
        finally:
            connection.abort()
            await connection.socket.wait_closed()
        raise AssertionError("a conversation ends with its connection")

    async def _converse(self, connection: Connection, outlet: Outlet, wake: asyncio.Event) -> None:
        conversation = Conversation(
            connection, self._channels, self._desired, outlet, self._clock, wake, lambda: self._leave,
            self._skew_seconds,
        )  # fmt: skip
        try:
            await conversation.run(self._note_data)
        finally:
            self._channels = conversation.channels

    def _note_data(self, now_us: int) -> None:
        self.last_data_us = now_us
        self._is_proven = True

    def _wait_seconds(self, ended: ConnectionEndedError) -> float:
        at_least = _CROWDED_SECONDS if ended.verdict is Verdict.WAIT else 0.0
        asked = retry_after_seconds(ended.retry_after, self._clock.now_us()) or 0.0
        return max(self._backoff.next_seconds(at_least), asked)
