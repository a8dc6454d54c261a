"""The stream: what is new, ten times a second at most, to every client that listens. Nobody is waited for.

Frames are JSON, encoded once for all clients:
  {"type": "hello", "run", "seq"}         the first one
  {"type": "reset", "seq", "reason"}      events between are no longer kept: read everything anew
  {"type": "events", "events": [...]}     in order, without a hole
  {"type": "session", ...}                as GET /api/session
  {"type": "rows", "rows", "gone"}        symbols that have changed, as GET /api/symbols
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from contextlib import suppress
from typing import Any, Protocol

import msgspec
from websockets.frames import Frame, Opcode

from mismartera.server.guard import Receive, Send
from mismartera.server.limits import Limits
from mismartera.server.metrics import Metrics
from mismartera.server.rates import Rates
from mismartera.server.rows import ChangedRows
from mismartera.server.views import SessionView

TICK_SECONDS = 0.1
_REST, _REST_SECONDS_MAX = 10, 1.0
"""After telling, the stream rests so many times as long as that took, up to a second."""
_ROWS_EVERY = 3
"""Turns until the symbols are looked at again: each costs some ten microseconds."""
_EVENTS_A_FRAME = 500
_CLOSE_SECONDS = 1.0

GOING, TOO_MUCH, TRY_LATER = 1001, 1008, 1013
_encode = msgspec.json.Encoder().encode


class Wire(Protocol):
    """The connection of one client: what is written goes out as soon as it can, and nobody waits for it."""

    @property
    def waiting_bytes(self) -> int:
        """What the client has not taken yet."""
        ...

    def write_frames(self, frames: bytes) -> None:
        """Send frames that are made already; nothing happens once the connection is ending."""
        ...


class Client:
    """One listener: what waits for it is bounded. ``over`` is set once nothing more is to be sent."""

    def __init__(self, wire: Wire, limits: Limits) -> None:
        self._wire = wire
        self._bytes_max = limits.client_bytes_max
        self.over = asyncio.Event()
        self.is_slow = False

    def put(self, frames: bytes) -> None:
        """Send ``frames``; a client that does not keep up is marked as slow, and gets no more."""
        if self.over.is_set():
            return
        if self._wire.waiting_bytes + len(frames) > self._bytes_max:
            self.is_slow = True
            self.over.set()
        else:
            self._wire.write_frames(frames)


class Stream:
    """Makes the frames and hands them to the clients. Lives on the server's event loop."""

    def __init__(
        self, view: SessionView, metrics: Metrics, limits: Limits, monotonic: Callable[[], float],
        scrub: Callable[[bytes], bytes],
    ) -> None:  # fmt: skip
        self._view = view
        self._metrics = metrics
        self._limits = limits
        self._monotonic = monotonic
        self._scrub = scrub
        self._clients: dict[Client, None] = {}
        self._seq = 0
        self._rows = ChangedRows(view)
        self._session = b""
        self._turns = 0
        self._stopping = asyncio.Event()

    # The clock of the stream

    async def run(self) -> None:
        """Tell what is new until :meth:`stop`."""
        before, wait = self._monotonic(), TICK_SECONDS
        while not self._stopping.is_set():
            with suppress(TimeoutError):
                async with asyncio.timeout(wait):
                    await self._stopping.wait()
            now = self._monotonic()
            for name in self._view.system.coordinator.busy_strategies():
                self._metrics.busy_seconds[name] += now - before
            before = now
            if self._clients:
                self._tell(is_full=wait > TICK_SECONDS)
            # An engine at full speed needs the interpreter for itself: then the stream gives way.
            wait = min(max(TICK_SECONDS, _REST * (self._monotonic() - now)), _REST_SECONDS_MAX)

    def stop(self) -> None:
        """End the stream, and all clients'."""
        self._stopping.set()
        for client in self._clients:
            client.over.set()

    def _tell(self, *, is_full: bool = False) -> None:
        self._turns += 1
        news = b"".join(self._news(is_full=is_full or self._turns % _ROWS_EVERY == 0))
        if news:
            for client in self._clients:
                client.put(news)

    def _news(self, *, is_full: bool) -> list[bytes]:
        frames = list(self._event_frames())
        if is_full:
            rows, gone = self._rows.take()
            if rows or gone:
                frames.append(self._frame({"type": "rows", "rows": rows, "gone": gone}))
        elif not frames:
            return []
        session = self._frame({"type": "session", **self._view.session()})
        if session != self._session:
            self._session = session
            frames.append(session)
        return frames

    def _event_frames(self) -> list[bytes]:
        frames = []
        while self._seq < self._view.recent.seq:
            events, missed = self._view.recent.after(self._seq, _EVENTS_A_FRAME)
            if missed:
                frames.append(self._reset())
            if not events:
                break
            self._seq = events[-1].seq
            frames.append(self._frame({"type": "events", "events": [event.as_json() for event in events]}))
        return frames

    def _reset(self) -> bytes:
        reason = "events that were asked for are no longer kept"
        return self._frame({"type": "reset", "seq": self._view.recent.seq, "reason": reason})

    def _frame(self, message: dict[str, Any]) -> bytes:
        """The message as a frame of the WebSocket protocol, the same for all clients."""
        return Frame(Opcode.TEXT, self._scrub(_encode(message))).serialize(mask=False)

    # One client

    async def serve(self, wire: Wire, receive: Receive, send: Send, after: int | None) -> None:
        """Talk to one client until it goes, is too slow, or the server stops. ``after``: the last event it has."""
        await send({"type": "websocket.accept"})
        client = Client(wire, self._limits)
        self._greet(client, after)
        self._clients[client] = None
        self._metrics.streams = len(self._clients)
        reader = asyncio.create_task(self._listen(receive))
        tasks = (reader, asyncio.create_task(client.over.wait()))
        try:
            await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
            has_gone = reader.done() and reader.result()
        finally:
            self._clients.pop(client, None)
            self._metrics.streams = len(self._clients)
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
        self._metrics.slow_clients += client.is_slow
        if not has_gone:
            await self._close(send, TRY_LATER if client.is_slow else GOING if client.over.is_set() else TOO_MUCH)

    @property
    def is_full(self) -> bool:
        """True if no more clients are taken."""
        return len(self._clients) >= self._limits.clients_max

    def _greet(self, client: Client, after: int | None) -> None:
        """Hello, the events that the client has missed, and how everything stands."""
        self._tell(is_full=True)  # so that all clients stand at the same event
        client.put(self._frame({"type": "hello", "run": self._view.run, "seq": self._seq}))
        if after is not None and after != self._seq:
            self._send_missed(client, after)
        client.put(self._frame({"type": "session", **self._view.session()}))
        client.put(self._frame({"type": "rows", "rows": self._rows.all(), "gone": []}))

    def _send_missed(self, client: Client, after: int) -> None:
        while after < self._seq:
            events, missed = self._view.recent.after(after, _EVENTS_A_FRAME)
            events = [event for event in events if event.seq <= self._seq]
            if missed:
                client.put(self._reset())
            if not events:
                return
            after = events[-1].seq
            client.put(self._frame({"type": "events", "events": [event.as_json() for event in events]}))
        if after > self._seq:
            client.put(self._reset())

    async def _listen(self, receive: Receive) -> bool:
        """True once the client has gone; False if it says too much. What it says means nothing."""
        said = Rates(self._limits.client_says_max / 10, self._limits.client_says_max, self._monotonic)
        while True:
            message = await receive()
            if message["type"] == "websocket.disconnect":
                return True
            if not said.take("client"):
                return False

    async def _close(self, send: Send, code: int) -> None:
        reasons = {TRY_LATER: "too slow: come back with after=", TOO_MUCH: "too many messages", GOING: "the end"}
        with suppress(TimeoutError, OSError):  # whoever does not read does not hear of it either
            async with asyncio.timeout(_CLOSE_SECONDS):
                await send({"type": "websocket.close", "code": code, "reason": reasons[code]})
