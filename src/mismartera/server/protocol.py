"""The WebSocket side of uvicorn, with an end for clients that do not read: they are cut off, not drained."""

from __future__ import annotations

import asyncio
import socket
from asyncio.transports import BaseTransport
from typing import TYPE_CHECKING, Final, cast

from uvicorn.protocols.websockets.websockets_sansio_impl import WebSocketsSansIOProtocol

if TYPE_CHECKING:
    from uvicorn._types import ASGISendEvent

WIRE: Final = "mismartera.wire"
_SEND_BUFFER_BYTES = 256 * 1024
_PINGS_MAX = 200
"""Of one client between two pings of ours: a flood of them costs the event loop."""


class StreamProtocol(WebSocketsSansIOProtocol):
    """uvicorn's own, but that it holds no memory for whoever stands still, and ends a flood of pings."""

    pings = 0

    def connection_made(self, transport: BaseTransport) -> None:
        """Keep the system's buffer small: a client that does not read is found early."""
        super().connection_made(transport)
        found = transport.get_extra_info("socket")
        if isinstance(found, socket.socket) or hasattr(found, "setsockopt"):
            found.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, _SEND_BUFFER_BYTES)

    async def run_asgi(self) -> None:
        """Give the application this connection besides the usual channels: frames for all are made once."""
        cast("dict[str, object]", self.scope)[WIRE] = self
        await super().run_asgi()

    async def send(self, message: ASGISendEvent) -> None:
        """Send; whoever was refused was answered, which uvicorn would otherwise report as forgotten."""
        await super().send(message)
        if self.initial_response is not None and self.close_sent:
            self.handshake_complete = True

    @property
    def waiting_bytes(self) -> int:
        """What the client has not taken yet."""
        return self.transport.get_write_buffer_size()

    def write_frames(self, frames: bytes) -> None:
        """Send frames that are made already; nothing happens once the connection is ending."""
        if not (self.close_sent or self.disconnected or self.transport.is_closing()):
            self.transport.write(frames)

    def on_task_complete(self, task: asyncio.Task[None]) -> None:
        """The application is done with this client: what it has not read by now it will not get."""
        super().on_task_complete(task)
        if self.transport.get_write_buffer_size():
            self.transport.abort()

    def keepalive_timeout(self) -> None:
        """No answer to a ping: half-open."""
        super().keepalive_timeout()
        self.transport.abort()

    def send_keepalive_ping(self) -> None:
        """A new stretch of time."""
        self.pings = 0
        super().send_keepalive_ping()

    def handle_ping(self) -> None:
        """Answer, up to a limit."""
        self.pings += 1
        if self.pings > _PINGS_MAX:
            self.transport.abort()
        else:
            super().handle_ping()
