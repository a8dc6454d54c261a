"""History: the candles of a time range, page by page, asked for patiently but not for ever."""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from functools import partial
from random import Random
from typing import Final, TypeVar

import numpy as np
from msgspec import Struct

from mismartera.bars import BarBlock, Interval, parse_interval
from mismartera.errors import FeedRefusedError, FeedUnavailableError
from mismartera.feeds.backoff import Backoff
from mismartera.feeds.ccxt.candles import Candles, Values, is_forming, raw_bars
from mismartera.feeds.ccxt.exchange import Exchange
from mismartera.feeds.ccxt.troubles import StoppedError, Trouble, TroubleError
from mismartera.feeds.port import BackfillResult, Floats, Ints, Rejected
from mismartera.feeds.sift import merged, sift
from mismartera.timing import WallClock

_ATTEMPTS_MAX: Final = 5
_REFUSALS_MAX: Final = 3
_LATER_SECONDS: Final = 10.0
_PATIENCE_SECONDS: Final = 60.0
"""All waits for one page together are not longer: whoever asked can decide better what to do meanwhile."""
_STEP_CANDLES: Final = 100
"""An answer without candles may be that of an exchange that looks at so many from the start of the range on."""
_PAGES_MAX: Final = 20_000
_T = TypeVar("_T")


class History:
    """Any number of threads may ask at once."""

    def __init__(self, exchange: Exchange, clock: WallClock, rng: Random, stopping: threading.Event) -> None:
        self._exchange = exchange
        self._clock = clock
        self._rng = rng
        self._stopping = stopping

    def backfill(self, symbols: Sequence[str], interval: str, start_us: int, end_us: int) -> BackfillResult:
        """See :meth:`mismartera.feeds.port.Feed.backfill`."""
        names, length = list(dict.fromkeys(symbols)), parse_interval(interval)
        self._exchange.check_interval(length)
        try:
            self._patiently(self._exchange.load_markets)
            pulled = {name: self._pull(name, length, start_us, end_us) for name in names}
        except StoppedError:
            raise FeedUnavailableError("the feed was stopped", 0.0) from None
        except TroubleError as error:
            raise FeedUnavailableError(error.reason, _LATER_SECONDS) from None
        refused = {name: one.refused for name, one in pulled.items() if one.refused is not None}
        if refused and len(refused) == len(names):
            raise FeedRefusedError("; ".join(refused.values())[:400])
        kept = [name for name in names if name not in refused]
        block = _block(kept, [dict(sorted(pulled[name].rows.items())) for name in kept])
        rejected = merged(reject for name in kept for reject in pulled[name].rejected)
        duplicates = sum(pulled[name].duplicates for name in kept)
        conflicts = sum(pulled[name].conflicts for name in kept)
        return BackfillResult(interval, block, refused, tuple(rejected), duplicates, conflicts)

    def _pull(self, symbol: str, interval: Interval, start_us: int, end_us: int) -> _Pulled:
        """All pages of one symbol."""
        pulled = _Pulled(interval, start_us, end_us)
        pulled.refused = self._exchange.why_not(symbol)
        if pulled.refused is not None:
            return pulled
        count, since_us = self._exchange.page_length(symbol), start_us
        for _ in range(_PAGES_MAX):
            asked_us = self._clock.now_us()
            if since_us >= min(end_us, asked_us - interval.length_us + 1):
                return pulled
            try:
                page = self._patiently(partial(self._exchange.candles, symbol, interval, since_us, count))
            except TroubleError as error:
                pulled.refused = error.reason
                return pulled
            pulled.take(page, asked_us)
            reached_us = max((start for start in page.rows if since_us <= start <= asked_us), default=None)
            if reached_us is None:
                since_us += (count or _STEP_CANDLES) * interval.length_us
            else:
                since_us = reached_us + interval.length_us
        raise FeedUnavailableError(f"{self._exchange.name} has more than {_PAGES_MAX} pages of {symbol}", 60.0)

    def _patiently(self, request: Callable[[], _T]) -> _T:
        """The answer, asked for again while it is worth it. TroubleError: the exchange takes no such request."""
        backoff, patience = Backoff(self._rng), _PATIENCE_SECONDS
        for attempt in range(1, _ATTEMPTS_MAX + 1):
            try:
                return request()
            except TroubleError as error:
                if error.trouble is Trouble.FATAL:
                    raise FeedRefusedError(error.reason) from None
                is_refused = error.trouble is Trouble.REQUEST and attempt >= _REFUSALS_MAX
                if is_refused or error.trouble is Trouble.SYMBOL:
                    raise
                seconds = error.wait_seconds(backoff, self._clock.now_us())
                if attempt == _ATTEMPTS_MAX or seconds > patience:
                    raise FeedUnavailableError(f"{error.reason}, {attempt} times", seconds) from None
                patience -= seconds
            if self._stopping.wait(self._clock.wall_seconds(seconds)):
                raise StoppedError
        raise AssertionError("the last attempt returns or raises")


class _Pulled(Struct):
    """What was found of one symbol in ``[start_us, end_us)``."""

    interval: Interval
    start_us: int
    end_us: int
    rows: dict[int, Values] = {}
    rejected: list[Rejected] = []
    duplicates: int = 0
    conflicts: int = 0
    refused: str | None = None

    def take(self, page: Candles, asked_us: int) -> None:
        """The finished candles of a page that was asked for at ``asked_us``."""
        finished_by_us = page.finished_by_us(asked_us, self.interval)
        finished = {
            start: values
            for start, values in page.rows.items()
            if not is_forming(start, self.interval, asked_us, finished_by_us)
        }
        raw = raw_bars(page.symbol, finished)
        rows, rejected = sift(raw, self.interval, finished_by_us)
        self.rejected += page.rejected + rejected
        self.duplicates += page.repeated
        for start in raw.start_us[rows].tolist():
            if self.start_us <= start < self.end_us:
                before, values = self.rows.get(start), finished[start]
                self.duplicates += before is not None
                self.conflicts += before is not None and before != values
                self.rows[start] = values


def _block(symbols: Sequence[str], series: Sequence[dict[int, Values]]) -> BarBlock:
    values: Floats = np.array([row for rows in series for row in rows.values()], np.float64)
    columns = (column.copy() for column in values.reshape(-1, 5).T)
    offsets: Ints = np.cumsum([0, *(len(rows) for rows in series)], dtype=np.int64)
    starts = np.array([start for rows in series for start in rows], np.int64)
    return BarBlock(tuple(symbols), offsets, starts, *columns)
