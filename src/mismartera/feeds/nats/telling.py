"""Telling: what follows from the stream and from the leases, handed over in one order."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable

from mismartera.bars.instants import MINUTE_US, SECOND_US
from mismartera.feeds.outlet import Outlet
from mismartera.feeds.port import BarsArrived, Connected, FeedMessage
from mismartera.feeds.waits import pause
from mismartera.timing import WallClock


class Teller:
    """The feed's way to its sink. On the feed's event loop."""

    def __init__(self, outlet: Outlet, clock: WallClock, on_connected: Callable[[], object]) -> None:
        self._outlet = outlet
        self._clock = clock
        self._on_connected = on_connected
        self._lock = asyncio.Lock()

    async def tell(self, call: Callable[[], list[FeedMessage]]) -> None:
        """Call, and hand over what it gives, before anybody else does; wait while the sink has no room.

        Bars whose end our clock has not reached are kept back until it has.
        """
        async with self._lock:
            messages = call()
            while (missing_us := _reach_us(messages) - self._clock.now_us()) > 0:
                await pause(self._clock.wall_seconds(missing_us / SECOND_US))
            for message in messages:
                await self._outlet.send(message)
                if isinstance(message, Connected):
                    self._on_connected()


def _reach_us(messages: Iterable[FeedMessage]) -> int:
    """The latest end of the bars in ``messages``; 0 if there are none."""
    ends = [int(m.start_us.max()) + MINUTE_US for m in messages if isinstance(m, BarsArrived)]
    return max(ends, default=0)
