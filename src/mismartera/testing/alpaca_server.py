"""A scriptable Alpaca: market data stream and REST service on one port of the loopback interface.

It shows a scripted market as the clock reaches each bar's release, records what it was asked, and has the faults
that it is told to have. The same script, seed and clock give the same frames.
"""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable, Coroutine, Sequence
from contextlib import suppress
from random import Random
from types import TracebackType
from typing import Any

from websockets.asyncio.server import ServerConnection, serve
from websockets.datastructures import Headers
from websockets.exceptions import ConnectionClosed
from websockets.http11 import Request, Response

from mismartera.bars.instants import SECOND_US
from mismartera.feeds.waits import pause, wait_at_most
from mismartera.testing.alpaca_market import AlpacaFaults, AlpacaMarket, JsonDict
from mismartera.testing.alpaca_rest import RestRequest, answer, request_of
from mismartera.testing.alpaca_socket import AlpacaSocket, closed
from mismartera.timing import WallClock


class AlpacaServer:
    """Use it as a context manager, or call :meth:`start` and :meth:`stop`.

    ``clock`` should be the client's; it begins with the first contact. ``keys``: what a client must have.
    ``connections`` and ``rest_requests`` are in the order in which they came. Attributes of ``faults`` may be
    changed at any time, from any thread.
    """

    def __init__(
        self, market: AlpacaMarket, clock: WallClock, *, keys: tuple[str, str] = ("test-key", "test-secret"),
        path: str = "/v2/iex", seed: int = 0,
    ) -> None:  # fmt: skip
        self.faults = AlpacaFaults()
        self.connections: list[AlpacaSocket] = []
        self.rest_requests: list[RestRequest] = []
        self.handshakes = 0
        self._market = market
        self._clock = clock
        self._keys = keys
        self._path = path
        self._rng = Random(seed)  # noqa: S311 (a script, no secret)
        self._changed = threading.Condition()
        self._port = 0
        self._sent = 0
        self._loop: asyncio.AbstractEventLoop | None = None
        self._thread: threading.Thread | None = None
        self._stop: asyncio.Event | None = None
        self._poke: asyncio.Event | None = None

    @property
    def stream_url(self) -> str:
        """The complete address of the stream."""
        return f"ws://127.0.0.1:{self._port}{self._path}"

    @property
    def data_url(self) -> str:
        """The address of the REST service."""
        return f"http://127.0.0.1:{self._port}"

    @property
    def live(self) -> list[AlpacaSocket]:
        """The connections that are open."""
        return [connection for connection in self.connections if connection.is_open]

    def __enter__(self) -> AlpacaServer:
        self.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    def start(self, port: int = 0) -> None:
        """Listen, on any free port by default."""
        ready = threading.Event()
        self._port = port
        self._thread = threading.Thread(
            target=lambda: asyncio.run(self._main(ready)), name="fake-alpaca", daemon=True
        )
        self._thread.start()
        ready.wait()
        assert self._port, "the fake server could not listen: its thread has said why"

    def stop(self) -> None:
        """Cut all connections, and join the server's thread. Idempotent."""
        if self._thread is None or self._loop is None or self._stop is None:
            return
        self._loop.call_soon_threadsafe(self._stop.set)
        self._thread.join()
        self._thread = None

    def drop_all(self) -> None:
        """Cut all connections."""
        self._do(closed, self.live)

    def forget_all(self) -> None:
        """Forget all subscriptions; the connections stay."""
        self._do(_forget, self.live)

    def send(self, messages: Sequence[JsonDict]) -> None:
        """Send a frame to all clients, whatever they asked for."""
        for connection in self.live:
            self._do(connection.send, messages)

    def send_raw(self, data: str | bytes) -> None:
        """Send anything to all clients."""
        for connection in self.live:
            self._do(connection.send_raw, data)

    def wait_until(self, condition: Callable[[], bool], wall_seconds: float = 10.0) -> bool:
        """Wait until ``condition`` holds, which is asked whenever the server was asked something."""
        with self._changed:
            return self._changed.wait_for(condition, wall_seconds)

    def _do(self, function: Callable[..., Coroutine[Any, Any, None]], *args: object) -> None:
        assert self._loop is not None, "the server runs"
        with suppress(ConnectionClosed):
            asyncio.run_coroutine_threadsafe(function(*args), self._loop).result(10)

    async def _main(self, ready: threading.Event) -> None:
        self._loop, self._stop, self._poke = asyncio.get_running_loop(), asyncio.Event(), asyncio.Event()
        try:
            async with serve(
                self._talk, "127.0.0.1", self._port, process_request=self._answer, compression=None,
                max_size=None, close_timeout=0.2,
            ) as server:  # fmt: skip
                self._port = next(iter(server.sockets)).getsockname()[1]
                ready.set()
                pump = asyncio.create_task(self._pump(self._poke))
                await self._stop.wait()
                pump.cancel()
                await closed(self.live)
        finally:
            ready.set()

    async def _answer(self, connection: ServerConnection, request: Request) -> Response | None:
        """None lets the WebSocket handshake go on; anything else is the answer to a plain request."""
        self._clock.begin(self._clock.monotonic())
        if request.headers.get("Upgrade", "").lower() != "websocket":
            return await self._rest(request)
        self.handshakes += 1
        self._tell()
        if self.faults.take("drop_in_handshake"):
            connection.transport.abort()
            return None
        code = self.faults.code("handshake_status")
        if code is None:
            return None
        headers = {"Retry-After": self.faults.retry_after} if self.faults.retry_after else {}
        return Response(code, "scripted", Headers({**headers, "Content-Length": "0"}))

    async def _rest(self, request: Request) -> Response:
        keys = (request.headers.get("APCA-API-KEY-ID", ""), request.headers.get("APCA-API-SECRET-KEY", ""))
        asked = request_of(request.path, keys)
        self.rest_requests.append(asked)
        self._tell()
        if self.faults.take("rest_hang"):
            assert self._stop is not None, "the server runs"
            await self._stop.wait()
        said = answer(asked, self._market, self.faults, self._clock.now_us(), self._keys)
        await pause(self._clock.wall_seconds(self.faults.rest_delay_seconds))
        headers = Headers([
            *said.headers, ("Content-Type", "application/json"), ("Content-Length", str(len(said.body))),
            ("Connection", "close"),  # it is, and a client that does not know sends its next request into it
        ])  # fmt: skip
        return Response(said.status, "scripted", headers, said.body)

    async def _talk(self, socket: ServerConnection) -> None:
        connection = AlpacaSocket(socket, self.faults, self._keys, self._rng, self._tell)
        self.connections.append(connection)
        if self._poke is not None:
            self._poke.set()
        try:
            await connection.serve()
        except ConnectionClosed:
            return
        finally:
            connection.is_open = False
            self._tell()

    async def _pump(self, poke: asyncio.Event) -> None:
        """Send each event when its time has come. What nobody hears is gone, but for the REST service."""
        events = self._market.events
        while self._sent < len(events):
            now_us = self._clock.now_us() - round(self.faults.delay_seconds * SECOND_US)
            first = self._sent
            while self._sent < len(events) and events[self._sent].release_us <= now_us:
                self._sent += 1
            due = [event.message() for event in events[first : self._sent]]
            for connection in self.live if due else ():
                with suppress(ConnectionClosed):
                    await connection.deliver(due)
            if due or self._sent == len(events):
                continue
            missing_us = events[self._sent].release_us - now_us
            await wait_at_most(poke, self._clock.wall_seconds(missing_us / SECOND_US))
            poke.clear()

    def _tell(self) -> None:
        with self._changed:
            self._changed.notify_all()


async def _forget(sockets: Sequence[AlpacaSocket]) -> None:
    for socket in sockets:
        socket.forget()
