"""The WebSocket half of the fake Alpaca server: one connection, what it was asked, and what it is sent."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from random import Random

import msgspec
from websockets.asyncio.server import ServerConnection
from websockets.frames import Frame, Opcode

from mismartera.testing.alpaca_market import AlpacaFaults, JsonDict

CHANNELS = ("bars", "updatedBars", "statuses")
_CHANNEL_OF = {"b": "bars", "u": "updatedBars", "s": "statuses"}


class AlpacaSocket:
    """One client's connection. ``requests`` are its messages in order, without the keys."""

    def __init__(
        self, socket: ServerConnection, faults: AlpacaFaults, keys: tuple[str, str], rng: Random,
        on_change: Callable[[], None],
    ) -> None:  # fmt: skip
        self.requests: list[JsonDict] = []
        self.subscribed: dict[str, list[str]] = {channel: [] for channel in CHANNELS}
        self.is_authenticated = False
        self.is_open = True
        assert socket.request is not None, "the handshake is over"
        self.is_msgpack = "msgpack" in socket.request.headers.get("Content-Type", "") and not faults.text_frames
        self._socket = socket
        self._faults = faults
        self._keys = keys
        self._rng = rng
        self._on_change = on_change

    async def serve(self) -> None:
        """Until the client leaves."""
        await self.send([{"T": "success", "msg": "connected"}])
        async for data in self._socket:
            request = msgspec.msgpack.decode(data) if isinstance(data, bytes) else msgspec.json.decode(data)
            action = request.get("action")
            if action == "auth":
                await self._authenticate(request)
            else:
                self.requests.append(request)
                await self._change(action, request)
            self._on_change()

    async def send(self, messages: Sequence[JsonDict]) -> None:
        """Send a frame in the client's encoding."""
        await self._socket.send(self._encode(messages))

    async def send_raw(self, data: str | bytes) -> None:
        """Send anything."""
        await self._socket.send(data)

    def drop(self) -> None:
        """Cut the connection, without a word."""
        self._socket.transport.abort()

    async def wait_closed(self) -> None:
        """Until the connection is closed on both sides."""
        await self._socket.wait_closed()

    async def deliver(self, messages: Sequence[JsonDict]) -> None:
        """Send those of ``messages`` that are subscribed, with the faults of the moment."""
        faults = self._faults
        wanted = [one for one in messages if one["S"] in self.subscribed[_CHANNEL_OF[one["T"]]]]
        if faults.mute or not self.is_authenticated or not wanted:
            return
        frame = list(wanted)
        if faults.strangers:
            frame += [{**one, "S": "STRANGER"} for one in wanted]
        if faults.unknown_types:
            frame.append({"T": "zz", "S": wanted[0]["S"], "deep": [[[{}]]]})
        if faults.duplicate:
            frame += wanted
        if faults.bad_message:
            broken = {key: value for key, value in wanted[0].items() if key != "S"}
            frame.insert(self._rng.randrange(len(frame) + 1), broken)
        while faults.take("garbage_frames"):
            await self._socket.send(b"\xc1\x00garbage" if self.is_msgpack else "{]")
        for _ in range(faults.burst):
            if faults.take("drop_in_frame"):
                self._cut(frame)
                return
            await self.send(frame)

    def forget(self) -> None:
        """Subscribe to nothing, and tell nobody."""
        self.subscribed = {channel: [] for channel in CHANNELS}

    async def _authenticate(self, request: JsonDict) -> None:
        faults = self._faults
        if faults.take("drop_before_auth"):
            self.drop()
            return
        if faults.take("silent_auth"):
            return
        code = faults.code("auth_error")
        if code is None and (request.get("key"), request.get("secret")) != self._keys:
            code = 402
        if code is not None:
            # A careless server that repeats what it was sent: a client must not pass that on.
            await self.send([{"T": "error", "code": code, "msg": f"auth failed for {request.get('secret')}"}])
            await self._socket.close()
            return
        self.is_authenticated = True
        await self.send([{"T": "success", "msg": "authenticated"}])

    async def _change(self, action: object, request: JsonDict) -> None:
        faults = self._faults
        if not self.is_authenticated:
            await self._error(401, "not authenticated")
        elif action not in {"subscribe", "unsubscribe"}:
            await self._error(400, "invalid syntax")
        elif faults.take("silent_confirm"):
            return
        elif action == "subscribe" and faults.bad_symbols.intersection(request.get("bars", [])):
            await self._error(400, "invalid syntax")
        elif faults.no_channels & request.keys():
            await self._error(410, "invalid subscribe action for this feed")
        elif faults.symbol_limit is not None and len(self._after(action, request, "bars")) > faults.symbol_limit:
            await self._error(405, "symbol limit exceeded")
        else:
            self.subscribed = {channel: self._after(action, request, channel) for channel in CHANNELS}
            await self.send([{"T": "subscription", "trades": [], "quotes": [], **self.subscribed}])
            code = faults.code("session_error")
            if code is not None:
                await self._error(code, "scripted")

    def _after(self, action: object, request: JsonDict, channel: str) -> list[str]:
        named = request.get(channel, [])
        if action == "unsubscribe":
            return [symbol for symbol in self.subscribed[channel] if symbol not in named]
        if channel in self._faults.silent_channels:
            return []
        granted = [symbol for symbol in named if symbol not in self._faults.never_confirm]
        return list(dict.fromkeys([*self.subscribed[channel], *granted]))[: self._faults.confirm_at_most]

    async def _error(self, code: int, text: str) -> None:
        await self.send([{"T": "error", "code": code, "msg": text}])

    def _cut(self, messages: Sequence[JsonDict]) -> None:
        """Send half of a frame, and close."""
        data = self._encode(messages)
        opcode = Opcode.BINARY if isinstance(data, bytes) else Opcode.TEXT
        whole = Frame(opcode, data if isinstance(data, bytes) else data.encode()).serialize(mask=False)
        self._socket.transport.write(whole[: max(len(whole) // 2, 1)])
        self._socket.transport.close()

    def _encode(self, messages: Sequence[JsonDict]) -> str | bytes:
        if self.is_msgpack:
            return msgspec.msgpack.encode(messages)
        return msgspec.json.encode(messages).decode()


async def closed(sockets: Sequence[AlpacaSocket]) -> None:
    """Cut all connections and let their handlers end."""
    for socket in sockets:
        socket.drop()
    await asyncio.gather(*(socket.wait_closed() for socket in sockets))
