"""AlpacaFeed: Alpaca's stream and REST service behind the port of all feeds."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Sequence
from random import Random

from mismartera.errors import ConfigError
from mismartera.feeds.alpaca.address import Address
from mismartera.feeds.alpaca.rest import AlpacaRest
from mismartera.feeds.alpaca.stream import AlpacaStream
from mismartera.feeds.desired import Desired
from mismartera.feeds.outlet import Outlet
from mismartera.feeds.port import BackfillResult, FeedFailed, FeedSink
from mismartera.feeds.secret import Keys
from mismartera.timing import WallClock

_JOIN_WALL_SECONDS = 0.5


class AlpacaFeed:
    """A :class:`~mismartera.feeds.port.Feed` on Alpaca's market data, protocol v2: stocks and crypto.

    ``stream_url`` is complete, ``data_url`` has no path; ConfigError unless both are encrypted or on loopback,
    and for keys that are empty.
    ``rng`` gives the jitter of back-off. ``skew_seconds``: how far the vendor's clock may be ahead of ours. All
    waits are measured on ``clock``, which begins with the first contact. Left or stopped, it may be started again.
    """

    def __init__(
        self, stream_url: str, data_url: str, keys: Keys, clock: WallClock, rng: Random, skew_seconds: float = 5.0
    ) -> None:
        if not keys.key_id or not keys.secret_key:
            raise ConfigError(["the keys are missing: APCA_API_KEY_ID and APCA_API_SECRET_KEY"], source="feed")
        self._address = Address.of(stream_url, data_url)
        self._keys = keys
        self._clock = clock
        self._rng = rng
        self._desired = Desired()
        self._stopping = threading.Event()
        self._stream = AlpacaStream(self._address, keys, clock, self._desired, rng, skew_seconds)
        self._rest = AlpacaRest(self._address, keys, clock, rng, self._stopping)
        self._thread: threading.Thread | None = None
        self._loop: asyncio.AbstractEventLoop | None = None
        self._task: asyncio.Task[None] | None = None

    @property
    def last_data_us(self) -> int | None:
        """When the last frame with data came; control frames and keep-alive do not count."""
        return self._stream.last_data_us

    def start(self, sink: FeedSink) -> None:
        """Connect in the background, and stay connected."""
        assert self._thread is None, "the feed runs already"
        if self._stopping.is_set():
            self._stopping.clear()
            self._rest = AlpacaRest(self._address, self._keys, self._clock, self._rng, self._stopping)
        started = threading.Event()
        self._thread = threading.Thread(
            target=self._run, args=(sink, started), name="mismartera-feed", daemon=True
        )
        self._thread.start()
        started.wait()

    def subscribe(self, symbols: Sequence[str]) -> None:
        """Want these symbols; SymbolError for what is no symbol."""
        self._desired.add(symbols)
        self._stream.wake()

    def unsubscribe(self, symbols: Sequence[str]) -> None:
        """Want these symbols no more."""
        self._desired.discard(symbols)
        self._stream.wake()

    def backfill(self, symbols: Sequence[str], interval: str, start_us: int, end_us: int) -> BackfillResult:
        """The finished bars of a time range, from the REST service."""
        assert threading.current_thread() is not self._thread, "a backfill blocks: not on the feed's thread"
        return self._rest.backfill(symbols, interval, start_us, end_us)

    def reconnect(self, reason: str) -> None:
        """Leave the present connection for a new one; during back-off there is none, and nothing happens."""
        self._stream.wake(leave=reason)

    def leave(self) -> None:
        """Close the stream and join the thread; REST goes on."""
        thread = self._thread
        if thread is not None:
            assert threading.current_thread() is not thread, "the feed's thread cannot wait for itself"
            while thread.is_alive():
                if self._loop is not None and self._task is not None and not self._loop.is_closed():
                    self._loop.call_soon_threadsafe(self._task.cancel)
                thread.join(_JOIN_WALL_SECONDS)
            self._thread = None

    def stop(self) -> None:
        """Close everything and join the thread."""
        self._stopping.set()
        self.leave()
        self._rest.close()

    def _run(self, sink: FeedSink, started: threading.Event) -> None:
        try:
            asyncio.run(self._main(sink, started))
        except asyncio.CancelledError:
            return

    async def _main(self, sink: FeedSink, started: threading.Event) -> None:
        self._loop, self._task = asyncio.get_running_loop(), asyncio.current_task()
        started.set()
        try:
            await self._stream.run(sink)
        except Exception as error:  # noqa: BLE001  # the thread's one handler: a fault of ours must be told, too
            text = self._keys.scrub(f"{type(error).__name__}: {error}")
            await Outlet(sink).send(FeedFailed(f"a fault of the feed itself: {text}"))
