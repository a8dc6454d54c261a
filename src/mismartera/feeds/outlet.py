"""Outlet: from an event loop to the bounded sink, waiting for room without blocking the loop."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from contextlib import suppress

from mismartera.feeds.port import FeedMessage, FeedSink


class Outlet:
    """Hands messages to ``sink`` in order. While it is full, whoever sends waits, and so reads no more frames."""

    def __init__(self, sink: FeedSink) -> None:
        self._sink = sink

    async def send(self, message: FeedMessage) -> None:
        """Return when the sink has taken ``message``."""
        loop = asyncio.get_running_loop()
        while not self._sink.put(message):
            room = asyncio.Event()
            self._sink.when_room(_on(loop, room.set))
            await room.wait()


def _on(loop: asyncio.AbstractEventLoop, call: Callable[[], object]) -> Callable[[], None]:
    """``call`` on the loop's thread, from any thread; nothing if the loop is closed by then."""

    def hand_over() -> None:
        with suppress(RuntimeError):
            loop.call_soon_threadsafe(call)

    return hand_over
