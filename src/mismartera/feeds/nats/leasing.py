"""Leasing: a session keeps its lease with the bridge: what it wants, and that it is still there.

The answers are what shows that the bridge is alive: a stream on which nothing comes proves nothing.
"""

from __future__ import annotations

import asyncio
from typing import Final

from mismartera.bars.instants import SECOND_US
from mismartera.feeds.desired import Desired
from mismartera.feeds.nats.follower import Follower
from mismartera.feeds.nats.link import BusAddress, Link, LinkEndedError, NobodyAnswersError, wall_seconds
from mismartera.feeds.nats.wire import SYMBOLS_MAX, BadMessageError, Codec, Granted, Want, encode
from mismartera.feeds.waits import wait_at_most
from mismartera.timing import WallClock

PERIOD_SECONDS: Final = 5.0
PERIOD_WALL_SECONDS_MIN: Final = 0.1
_MISSES_MAX: Final = 3


class LeaseKeeper:
    """One session's lease, over all its links. On the feed's event loop.

    ``name`` is the session's on the bus, ``instance`` that of this run of it.
    """

    def __init__(
        self, address: BusAddress, name: str, instance: str, desired: Desired, follower: Follower, clock: WallClock
    ) -> None:
        self._address = address
        self._name = name
        self._instance = instance
        self._desired = desired
        self._follower = follower
        self._clock = clock
        self._codec = Codec()
        self._revision = 0
        self._sent: dict[str, int] | None = None
        self._stalled: str | None = None

    def stalled(self, reason: str) -> None:
        """Tell the bridge with the next request that its stream seems to be stalled."""
        self._stalled = reason

    async def begin(self, link: Link) -> None:
        """Get the lease on ``link``, with the symbols sent; LinkEndedError if there is none."""
        self._sent = None
        try:
            self._follower.note(await self._ask(link))
        except NobodyAnswersError as error:
            raise LinkEndedError(self._why(error) + link.because()) from None

    async def keep(self, link: Link, wake: asyncio.Event, noted: asyncio.Event) -> None:
        """Renew until LinkEndedError; at once when ``wake`` is set. ``noted`` is set with each answer.

        It waits for nobody: a session whose sink is full keeps its lease.
        """
        misses = 0
        while True:
            await wait_at_most(wake, wall_seconds(self._clock, PERIOD_SECONDS, PERIOD_WALL_SECONDS_MIN))
            wake.clear()
            try:
                answer = await self._ask(link)
            except NobodyAnswersError as error:
                misses += 1
                if error.is_absent or misses >= _MISSES_MAX:
                    raise LinkEndedError(self._why(error) + link.because()) from None
                continue
            misses = 0
            self._follower.note(answer)
            noted.set()

    async def leave(self, link: Link) -> None:
        """Give the lease back."""
        await link.send(self._address.lease_subject, encode(self._want(None, leaving=True)))

    async def _ask(self, link: Link) -> Granted:
        wanted, is_first = self._desired.symbols, self._sent is None
        answer = await self._exchange(link, wanted if wanted is not self._sent else None)
        if not answer.is_known and not is_first:  # meanwhile our symbols may not have been subscribed
            raise LinkEndedError("the bridge has let this session's lease go")
        self._stalled = None
        if answer.is_connected:  # a rehearsal's clock follows the bridge's, which runs
            ahead = max((answer.clock_us - self._clock.now_us()) / SECOND_US, 0.0)
            self._clock.begin(self._clock.monotonic() - self._clock.wall_seconds(ahead))
        return answer

    async def _exchange(self, link: Link, symbols: dict[str, int] | None) -> Granted:
        if symbols is not None:
            if len(symbols) > SYMBOLS_MAX:
                text = f"{len(symbols)} symbols are more than one session may have on the bus: {SYMBOLS_MAX}"
                raise LinkEndedError(text, is_fatal=True)
            self._revision += 1
        payload = await link.request(self._address.lease_subject, encode(self._want(symbols)))
        try:
            answer = self._codec.granted(payload)
        except BadMessageError as error:
            raise LinkEndedError(f"the bridge's answer cannot be read: {error}") from None
        if answer.refusal is not None:
            raise LinkEndedError(f"the bridge gives no lease: {answer.refusal}")
        if symbols is not None:
            self._sent = symbols
        return answer

    def _want(self, symbols: dict[str, int] | None, *, leaving: bool = False) -> Want:
        names = None if symbols is None else list(symbols)
        data_seq = self._follower.data_seq
        return Want(self._name, self._instance, self._revision, names, self._stalled, data_seq, leaving)

    def _why(self, error: NobodyAnswersError) -> str:
        where = f"the stream {self._address.stream} at {self._address.url}"
        if error.is_absent:
            return f"no bridge publishes {where}"
        return f"the bridge of {where} does not answer"
