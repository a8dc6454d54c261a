"""Asking for bars of the past: a session's requests to the bridge, and the answers in parts."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import Final

import numpy as np
from msgspec import Struct
from nats.aio.msg import Msg

from mismartera.bars import BarBlock, parse_interval
from mismartera.bars.instants import DAY_US
from mismartera.bars.interval import Interval
from mismartera.errors import FeedRefusedError, FeedUnavailableError
from mismartera.feeds.nats.link import ANSWER_SECONDS, BusAddress, Link, wall_seconds
from mismartera.feeds.nats.wire import Ask, BadMessageError, Codec, Done, Part, Sorry, Working, encode
from mismartera.feeds.port import BackfillResult, Floats, Ints, Rejected
from mismartera.feeds.sift import RawBars, sift
from mismartera.timing import WallClock

ASK_ROWS_MAX: Final = 400_000
"""Rows that one request may have: what bridge and session hold at once."""
ASK_SYMBOLS_MAX: Final = 1_000
_RETRY_SECONDS: Final = 2.0
_WALL_SECONDS_MIN: Final = 3.0
"""Longer than two signs of life of the bridge."""


class _Answer(Struct):
    """What has come of one request."""

    parts: list[Part] = []
    done: Done | None = None
    sorry: Sorry | None = None


class PastAsker:
    """Asks the bridge on a link. On the feed's event loop; requests may run side by side."""

    def __init__(self, address: BusAddress, clock: WallClock) -> None:
        self._address = address
        self._clock = clock
        self._codec = Codec()

    async def ask(
        self, link: Link, symbols: Sequence[str], interval: str, start_us: int, end_us: int
    ) -> BackfillResult:
        """As :meth:`~mismartera.feeds.port.Feed.backfill`, in requests of a bounded size."""
        length = parse_interval(interval)
        names = list(dict.fromkeys(symbols))
        rows = max((end_us - start_us) // length.length_us, 1)
        step = max(min(ASK_SYMBOLS_MAX, ASK_ROWS_MAX // rows), 1)
        results: list[BackfillResult] = []
        refused: dict[str, str] = {}
        for first in range(0, len(names), step):
            batch = names[first : first + step]
            answer = await self._one(link, Ask(interval, batch, start_us, end_us))
            if answer.sorry is not None:
                refused |= dict.fromkeys(batch, self._sorry(answer.sorry))
            else:
                results.append(_result(answer, batch, length, self._clock.now_us()))
        if refused and len(refused) == len(names):
            raise FeedRefusedError(next(iter(refused.values())))
        return _joined(interval, results, refused)

    def _sorry(self, sorry: Sorry) -> str:
        """Why these cannot be had, for good; FeedUnavailableError if it is for a while."""
        if not sorry.for_good:
            raise FeedUnavailableError(f"the bridge: {sorry.reason}", sorry.retry_after_seconds)
        return sorry.reason

    async def _one(self, link: Link, ask: Ask) -> _Answer:
        queue: asyncio.Queue[Msg] = asyncio.Queue()  # bounded by the request's size
        inbox = link.client.new_inbox()

        async def arrived(message: Msg) -> None:
            queue.put_nowait(message)

        subscription = await link.listen(inbox, arrived)
        try:
            await link.send(self._address.past_subject, encode(ask), reply=inbox)
            return await self._collect(link, queue)
        finally:
            await link.leave(subscription)

    async def _collect(self, link: Link, queue: asyncio.Queue[Msg]) -> _Answer:
        patience = wall_seconds(self._clock, ANSWER_SECONDS, _WALL_SECONDS_MIN)
        answer = _Answer()
        while answer.done is None and answer.sorry is None:
            try:
                async with asyncio.timeout(patience):
                    message = await queue.get()
            except TimeoutError:
                link.check()
                raise FeedUnavailableError("the bridge does not answer", _RETRY_SECONDS) from None
            if (message.headers or {}).get("Status") == "503":
                raise FeedUnavailableError("no bridge is there to answer", _RETRY_SECONDS)
            try:
                said = self._codec.past(message.data)
            except BadMessageError as error:
                raise FeedUnavailableError(
                    f"the bridge's answer cannot be read: {error}", _RETRY_SECONDS
                ) from None
            match said:
                case Part():
                    answer.parts.append(said)
                case Done():
                    answer.done = said
                case Sorry():
                    answer.sorry = said
                case Working():
                    pass
        return answer


def _result(answer: _Answer, asked: Sequence[str], interval: Interval, now_us: int) -> BackfillResult:
    """The parts as one, checked as if they came from a vendor; FeedUnavailableError if they are not whole."""
    done = answer.done
    assert done is not None, "it is complete"
    if done.parts != len(answer.parts):
        raise FeedUnavailableError("parts of the bridge's answer were lost on the way", _RETRY_SECONDS)
    kept = [symbol for symbol in asked if symbol not in done.refused]
    place = {symbol: k for k, symbol in enumerate(kept)}
    try:
        owner, start, columns = _columns(answer.parts, place)
    except (BadMessageError, KeyError) as error:
        raise FeedUnavailableError(f"the bridge's answer cannot be used: {error}", _RETRY_SECONDS) from None
    order = np.diff(owner) * 2 + np.sign(np.diff(start))
    if np.any(order <= 0):
        raise FeedUnavailableError("the bridge's answer is not in order", _RETRY_SECONDS)
    names = [kept[k] for k in owner.tolist()]
    # The bridge's clock may be ahead of ours. Of a day's end it is the judge: sessions are shorter than days.
    ended = (start + interval.length_us <= now_us) | (interval.length_us >= DAY_US)
    raw = RawBars(names, start, np.vstack((*columns, np.full(len(names), -1.0))))
    good, rejected = sift(raw, interval, int(start.max(initial=0)) + interval.length_us)
    keep = np.zeros(len(names), np.bool_)
    keep[good] = True
    keep &= ended
    offsets = np.concatenate(([0], np.cumsum(np.bincount(owner[keep], minlength=len(kept)))))
    block = BarBlock(tuple(kept), offsets.astype(np.int64), start[keep], *(column[keep] for column in columns))
    told = tuple(
        Rejected(one.reason, one.count, one.detail, tuple(one.symbols), tuple(one.starts_us))
        for one in done.rejected
    )
    return BackfillResult(
        interval.label, block, dict(done.refused), (*told, *rejected), done.duplicates, done.conflicts
    )


def _columns(parts: Sequence[Part], place: dict[str, int]) -> tuple[Ints, Ints, list[Floats]]:
    """For each row the place of its symbol, its start, and the prices."""
    owners: list[Ints] = [np.empty(0, np.int64)]
    starts: list[Ints] = [np.empty(0, np.int64)]
    prices: list[list[Floats]] = [[np.empty(0)] for _ in range(5)]
    for part in parts:
        if len(part.sizes) != len(part.symbols):
            raise BadMessageError("symbols and sizes differ in number")
        start, columns = part.columns.arrays(sum(part.sizes))
        owners.append(np.repeat(np.array([place[s] for s in part.symbols], np.int64), part.sizes))
        starts.append(start)
        for kept, column in zip(prices, columns, strict=True):
            kept.append(column)
    return np.concatenate(owners), np.concatenate(starts), [np.concatenate(column) for column in prices]


def _joined(interval: str, results: Sequence[BackfillResult], refused: dict[str, str]) -> BackfillResult:
    if len(results) == 1 and not refused:
        return results[0]
    blocks = [result.block for result in results]
    symbols = tuple(symbol for block in blocks for symbol in block.symbols)
    sizes = np.concatenate([np.empty(0, np.int64), *(block.rows_per_symbol for block in blocks)])
    start = np.concatenate([np.empty(0, np.int64), *(block.start for block in blocks)])
    columns = [np.concatenate([np.empty(0), *(block.columns[k] for block in blocks)]) for k in range(5)]
    block = BarBlock(symbols, np.concatenate(([0], np.cumsum(sizes))).astype(np.int64), start, *columns)
    for result in results:
        refused |= result.refused
    return BackfillResult(
        interval, block, refused, tuple(one for result in results for one in result.rejected),
        sum(result.duplicates for result in results), sum(result.conflicts for result in results),
    )  # fmt: skip
