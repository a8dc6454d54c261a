"""Reading: a durable consumer on the stream, from the session's place on; made anew when it dies.

The consumer is pulled: never more than a batch is on its way, so that a full sink stops the flow on the server.
"""

from __future__ import annotations

import asyncio
import json
from typing import Final

from msgspec import Struct
from nats.aio.msg import Msg
from nats.aio.subscription import Subscription
from nats.errors import Error, NotJSMessageError
from nats.js.api import AckPolicy, ConsumerConfig, ConsumerInfo, DeliverPolicy, StreamInfo
from nats.js.errors import APIError, NotFoundError

from mismartera.feeds.nats.follower import Follower
from mismartera.feeds.nats.link import BusAddress, Link, LinkEndedError, NobodyAnswersError, wall_seconds
from mismartera.feeds.nats.stream import created_of, find_stream
from mismartera.feeds.nats.telling import Teller
from mismartera.timing import WallClock

BATCH: Final = 64
"""Messages on their way at once: at most some 45 MB."""
_HEARTBEAT_SECONDS: Final = 5.0
_HEARTBEAT_WALL_SECONDS_MIN: Final = 0.5
_LOST_MAX: Final = 5
"""A consumer that dies so often without a message in between is the server's trouble."""
_KEPT_SECONDS: Final = {False: 3600.0, True: 7 * 24 * 3600.0}
"""How long the server remembers a consumer that nobody reads, without and with a name of its own."""


class Durable(Struct, frozen=True):
    """The consumer's name on the server. ``is_named``: by the user, so that a later run goes on where it was.

    ``ack_seconds`` of the wall after which the server sends again what was not acknowledged.
    """

    name: str
    is_named: bool
    ack_seconds: float = 30.0


class _ConsumerLostError(Exception):
    """The consumer is gone, or sends nothing though there is something."""


class Reader:
    """Reads the stream of one session, over all its links. On the feed's event loop."""

    def __init__(
        self, address: BusAddress, durable: Durable, follower: Follower, teller: Teller, clock: WallClock
    ) -> None:
        self.recreated = 0
        self._address = address
        self._durable = durable
        self._follower = follower
        self._teller = teller
        self._clock = clock
        self._created: str | None = None
        self._arrived: asyncio.Queue[Msg] = asyncio.Queue()  # bounded by what was pulled
        self._inbox = ""
        self._on_way = 0

    async def run(self, link: Link) -> None:
        """Read until LinkEndedError."""
        lost = 0
        while True:
            read = self._follower.figures.frames
            subscription = await self._open(link)
            try:
                await self._read(link)
            except _ConsumerLostError as error:
                lost = lost + 1 if self._follower.figures.frames == read else 0
                self.recreated += 1
                if lost >= _LOST_MAX:
                    raise LinkEndedError(f"the consumer on the stream is lost again and again: {error}") from None
            finally:
                await link.leave(subscription)

    async def leave(self, link: Link) -> None:
        """The session ends: a consumer without a name of its own is of no use to anybody."""
        if not self._durable.is_named and self._inbox:
            await self._delete(link)

    async def _open(self, link: Link) -> Subscription:
        """A consumer that begins after the session's place, and the place itself if it is not known yet."""
        info = await find_stream(link, self._address)
        if info is None:
            raise LinkEndedError(f"there is no stream {self._address.stream} at {self._address.url}")
        position, is_new = await self._place(link, info)
        self._created = created_of(info)
        await self._delete(link)  # what it has sent and nobody acknowledged would come late, out of order
        try:
            await link.api(link.js.add_consumer(self._address.stream, self._config(position)))
        except (APIError, NobodyAnswersError) as error:
            raise LinkEndedError(f"the consumer {self._durable.name} cannot be made: {error}") from None
        queue: asyncio.Queue[Msg] = asyncio.Queue()

        async def arrived(message: Msg) -> None:
            queue.put_nowait(message)

        self._inbox, self._arrived, self._on_way = link.client.new_inbox(), queue, 0
        subscription = await link.listen(self._inbox, arrived)
        await self._teller.tell(lambda: self._follower.begin(position, is_new=is_new))
        return subscription

    def _config(self, position: int) -> ConsumerConfig:
        return ConsumerConfig(
            name=self._durable.name, durable_name=self._durable.name, ack_policy=AckPolicy.EXPLICIT,
            deliver_policy=DeliverPolicy.BY_START_SEQUENCE, opt_start_seq=position + 1,
            ack_wait=self._durable.ack_seconds, max_ack_pending=16 * BATCH,
            inactive_threshold=_KEPT_SECONDS[self._durable.is_named],
        )  # fmt: skip

    async def _place(self, link: Link, info: StreamInfo) -> tuple[int, bool]:
        """After which message to go on, and whether it is another stream than before."""
        first, last, position = info.state.first_seq, info.state.last_seq, self._follower.position
        if position is None:
            consumer = await self._known(link) if self._durable.is_named else None
            if consumer is not None and consumer.ack_floor is not None:
                return max(consumer.ack_floor.stream_seq, first - 1, 0), False
            # What was published since the bridge has answered is to be read, too, or it would be missed.
            awaited = self._follower.awaited
            return max(last if awaited is None else min(last, awaited), first - 1, 0), False
        if position > last or self._created not in {None, created_of(info)}:
            return max(first - 1, 0), True
        return max(position, first - 1), False

    async def _known(self, link: Link) -> ConsumerInfo | None:
        try:
            found: ConsumerInfo = await link.api(link.js.consumer_info(self._address.stream, self._durable.name))
        except NotFoundError:
            return None
        except (APIError, NobodyAnswersError) as error:
            raise LinkEndedError(f"the consumer {self._durable.name} cannot be asked for: {error}") from None
        return found

    async def _delete(self, link: Link) -> None:
        try:
            await link.api(link.js.delete_consumer(self._address.stream, self._durable.name))
        except NotFoundError:
            return
        except (APIError, NobodyAnswersError) as error:
            raise LinkEndedError(f"the consumer {self._durable.name} cannot be removed: {error}") from None

    async def _read(self, link: Link) -> None:
        silence = 3 * self._heartbeat
        await self._pull(link)
        while True:
            try:
                async with asyncio.timeout(silence):
                    message = await self._arrived.get()
            except TimeoutError:
                link.check()
                raise _ConsumerLostError("neither messages nor heartbeats") from None
            status = (message.headers or {}).get("Status")
            if status is None:
                await self._take(link, message)
            elif status == "100":
                if self._follower.awaited is not None and not self._on_time():
                    raise _ConsumerLostError("it sends nothing, and there is something")
            else:
                self._ended(message, status)
            if self._on_way <= BATCH // 2:
                await self._pull(link)

    def _on_time(self) -> bool:
        """True if a message arrived that was not taken yet."""
        return not self._arrived.empty()

    def _ended(self, message: Msg, status: str) -> None:
        """A request is over: at its time, which is nothing, or since there is no consumer any more."""
        headers = message.headers or {}
        words = headers.get("Description", "")
        if status == "503" or (status == "409" and ("onsumer" in words or "erver" in words or "eader" in words)):
            raise _ConsumerLostError(words or "there is none")
        left = headers.get("Nats-Pending-Messages", "")
        self._on_way = max(self._on_way - (int(left) if left.isdecimal() else BATCH), 0)

    async def _pull(self, link: Link) -> None:
        count, self._on_way = BATCH - self._on_way, BATCH
        nanoseconds = round(self._heartbeat * 1e9)
        request = {"batch": count, "expires": 6 * nanoseconds, "idle_heartbeat": nanoseconds}
        subject = f"$JS.API.CONSUMER.MSG.NEXT.{self._address.stream}.{self._durable.name}"
        await link.send(subject, json.dumps(request).encode(), reply=self._inbox)

    async def _take(self, link: Link, message: Msg) -> None:
        try:
            seq = message.metadata.sequence.stream
        except (NotJSMessageError, Error, ValueError):
            return  # somebody else's, to our inbox
        self._on_way = max(self._on_way - 1, 0)
        await self._teller.tell(lambda: self._follower.take(seq, message.data))
        await link.send(message.reply, b"+ACK")

    @property
    def _heartbeat(self) -> float:
        return wall_seconds(self._clock, _HEARTBEAT_SECONDS, _HEARTBEAT_WALL_SECONDS_MIN)
