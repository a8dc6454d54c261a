"""Watch: one symbol's minute candles, asked for again and again, as new bars and corrections."""

from __future__ import annotations

import struct
from collections.abc import Collection
from typing import Final

from msgspec import Struct

from mismartera.bars import parse_interval
from mismartera.bars.instants import MINUTE_US, SECOND_US
from mismartera.feeds.ccxt.candles import Candles, Values, is_forming, raw_bars
from mismartera.feeds.port import Rejected
from mismartera.feeds.sift import sift

MINUTE: Final = parse_interval("1m")
ASK_AFTER_US: Final = tuple(seconds * SECOND_US for seconds in (2, 5, 10, 25))
"""When after a minute's end its candle is asked for, until it is there."""
_LOOK_BACK_US: Final = 5 * MINUTE_US
"""So long an exchange may change a candle, and we will notice."""
_LOOK_BACK_MAX_US: Final = 60 * MINUTE_US
"""So long after a break we fetch what we missed; more is a matter for the backfill."""


class News(Struct):
    """What an answer brought: finished candles that were not there before, and those with other values."""

    new: dict[int, Values] = {}
    changed: dict[int, Values] = {}
    rejected: list[Rejected] = []
    is_alive: bool = False
    """Something of the answer was not known: trading goes on, and the exchange shows it."""


class Watch:
    """What was seen of ``symbol``. Candles that start before ``first_us`` are the backfill's, and left out."""

    def __init__(self, symbol: str, now_us: int) -> None:
        self.symbol = symbol
        self.next_us = now_us
        self.strikes = 0
        self.has_delivered = False
        # The candle that has just ended is sent too: a backfill at the same time may come too early for it.
        self._first_us = now_us - now_us % MINUTE_US - MINUTE_US
        self._known: dict[int, bytes] = {}
        self._ahead: dict[int, bytes] = {}
        self._told: frozenset[str] = frozenset()
        self._sent_us = self._first_us
        self._newest: tuple[int, bytes] | None = None

    def range_from(self, now_us: int) -> tuple[int, int]:
        """From when on to ask for candles, and how many there can be: with the one that is forming, and the next,
        in which the answer may come.
        """
        minute_us = now_us - now_us % MINUTE_US
        since_us = min(self._sent_us, minute_us - _LOOK_BACK_US)
        since_us = max(since_us, minute_us - _LOOK_BACK_MAX_US)
        return since_us, (minute_us - since_us) // MINUTE_US + 2

    def take(self, candles: Candles, asked_us: int, wanted: Collection[str]) -> News:
        """The news of an answer to a request that was made at ``asked_us``; and when to ask again."""
        news = News(rejected=[one for one in candles.rejected if one.detail not in self._told])
        self._told = frozenset(one.detail for one in candles.rejected)
        self._note_newest(candles, news)
        finished_by_us = candles.finished_by_us(asked_us, MINUTE)
        fresh = {
            start: values
            for start, values in candles.rows.items()
            if start >= self._first_us
            and not self._is_known(start, values, asked_us)
            and not is_forming(start, MINUTE, asked_us, finished_by_us)
        }
        raw = raw_bars(self.symbol, fresh)
        rows, rejected = sift(raw, MINUTE, finished_by_us, wanted)
        news.rejected += rejected
        for start in raw.start_us[rows].tolist():
            (news.changed if start in self._known else news.new)[start] = fresh[start]
            self._sent_us = max(self._sent_us, start)
            self.has_delivered = True
        # What was judged once, and comes again as it was, is no news.
        self._known |= {start: _packed(values) for start, values in fresh.items() if start <= asked_us}
        self._ahead = {start: _packed(values) for start, values in candles.rows.items() if start > asked_us}
        self._forget_before(asked_us - _LOOK_BACK_MAX_US - MINUTE_US)
        self.next_us = self._next_us(asked_us)
        return news

    def _note_newest(self, candles: Candles, news: News) -> None:
        newest_us = candles.newest_us
        if newest_us is not None:
            newest = newest_us, _packed(candles.rows[newest_us])
            news.is_alive, self._newest = newest != self._newest, newest

    def _is_known(self, start_us: int, values: Values, asked_us: int) -> bool:
        """It was judged before. One that is too early is told once, and judged anew when its time has come."""
        known = self._ahead if start_us > asked_us else self._known
        return known.get(start_us) == _packed(values)

    def _next_us(self, asked_us: int) -> int:
        """Soon again if the candle of the last minute is not there yet, else after the end of the present one."""
        minute_us = asked_us - asked_us % MINUTE_US
        if minute_us - MINUTE_US not in self._known:
            for after_us in ASK_AFTER_US:
                if minute_us + after_us > asked_us:
                    return minute_us + after_us
        return minute_us + MINUTE_US + ASK_AFTER_US[0]

    def _forget_before(self, us: int) -> None:
        self._known = {start: packed for start, packed in self._known.items() if start >= us}


def _packed(values: Values) -> bytes:
    """As bytes, because NaN is not equal to itself."""
    return struct.pack("<5d", *values)
