"""Following a server's stream: connected again and again, resumed by the number of the last event."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator
from contextlib import suppress
from typing import Any

import msgspec
from websockets.asyncio.client import connect
from websockets.exceptions import InvalidHandshake, WebSocketException

Frame = dict[str, Any]
_FIRST_WAIT_SECONDS, _LONGEST_WAIT_SECONDS = 0.3, 10.0


class Follower:
    """Frames of ``/api/stream`` below ``url``; ``{"type": "lost", "why"}`` whenever the connection is lost."""

    def __init__(self, url: str, token: str) -> None:
        self._url = url.replace("http", "ws", 1) + "/api/stream"
        self._headers = {"authorization": f"Bearer {token}"}
        self._stopping = asyncio.Event()
        self.seq = 0

    def stop(self) -> None:
        """No more frames."""
        self._stopping.set()

    async def frames(self) -> AsyncGenerator[Frame, None]:
        """All frames, as they come. What was missed comes first; a ``reset`` where it cannot."""
        wait = _FIRST_WAIT_SECONDS
        while not self._stopping.is_set():
            why = "the server has ended it"
            try:
                address = f"{self._url}?after={self.seq}"
                async with connect(
                    address, additional_headers=self._headers, compression=None, max_size=None, proxy=None
                ) as socket:
                    wait = _FIRST_WAIT_SECONDS
                    try:
                        async for text in socket:
                            yield self._noted(msgspec.json.decode(text))
                    except (asyncio.CancelledError, GeneratorExit):  # nobody waits for a farewell
                        socket.transport.abort()
                        raise
            except InvalidHandshake as error:
                why = str(error)
            except (OSError, WebSocketException) as error:
                why = type(error).__name__
            yield {"type": "lost", "why": why}
            with suppress(TimeoutError):
                async with asyncio.timeout(wait):
                    await self._stopping.wait()
            wait = min(wait * 1.7, _LONGEST_WAIT_SECONDS)

    def _noted(self, frame: Frame) -> Frame:
        if frame["type"] == "events":
            self.seq = frame["events"][-1]["seq"]
        elif frame["type"] == "reset":
            self.seq = frame["seq"]
        return frame
