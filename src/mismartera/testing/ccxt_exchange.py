"""A fake exchange, with the few methods of one of ccxt that the feed uses; it needs neither ccxt nor a network.

It shows a scripted market as the clock reaches each candle's release, records what it was asked, and has the
faults that it is told to have. Its errors have the names of ccxt's, which is what the feed goes by.
"""

from __future__ import annotations

import threading
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from mismartera.bars.instants import MINUTE_US
from mismartera.testing.alpaca_market import AlpacaMarket, MarketBar
from mismartera.timing import WallClock


class BaseError(Exception):
    """Base of an exchange's errors."""


class ExchangeError(BaseError):
    """The exchange says no."""


class AuthenticationError(ExchangeError):
    """It wants an account."""


class BadSymbol(ExchangeError):  # noqa: N818 (ccxt's name, as all of these)
    """It has no such market."""


class OperationFailed(BaseError):  # noqa: N818
    """It might work later."""


class NetworkError(OperationFailed):
    """It cannot be reached."""


class ExchangeNotAvailable(NetworkError):  # noqa: N818
    """It is closed for a while."""


class RateLimitExceeded(NetworkError):  # noqa: N818
    """It was asked too often."""


@dataclass(frozen=True, slots=True)
class CandleRequest:
    """A request for candles as it came, and when: ``since_us`` and ``at_us`` in microseconds since the epoch."""

    symbol: str
    timeframe: str
    since_us: int | None
    limit: int | None
    at_us: int


@dataclass(slots=True)
class ExchangeFaults:
    """What goes wrong. Switched on and off while the exchange is used."""

    errors: list[Exception] = field(default_factory=list)
    """Raised by the next requests of any kind, one each."""
    symbol_errors: dict[str, Exception] = field(default_factory=dict)
    """Raised by each request for candles of a symbol."""
    answers: list[object] = field(default_factory=list)
    """Given instead of the next candles."""
    mute_from_us: int | None = None
    """It still answers, and shows no trade after this instant: the candle that was forming then stays as it is."""
    clock_behind_us: int = 0
    """Its own clock: what it shows is the market of so much earlier, and a candle forms for so much longer."""
    hides_forming: bool = False
    """The candle that is forming is not shown."""
    looks_from_since: bool = False
    """An answer covers so many minutes from its start on as it may have candles, with or without trades."""
    repeats: bool = False
    """Each candle comes twice."""


class FakeExchange:
    """An exchange with the symbols of ``market`` (and ``idle`` ones, without any trade), in candles of one minute.

    ``page_limit``: an answer has no more candles. ``pace_ms``: how often it may be asked, in the clock's time;
    twice as often is refused with RateLimitExceeded. Attributes of ``faults`` may be changed at any time, from any
    thread.
    """

    def __init__(
        self, market: AlpacaMarket, clock: WallClock, *, idle: tuple[str, ...] = (), page_limit: int = 500,
        pace_ms: float = 0.0,
    ) -> None:  # fmt: skip
        self.id = "fake"
        self.has: dict[str, Any] = {"fetchOHLCV": True}
        self.timeframes: dict[str, Any] = {"1m": "1", "1M": "month"}
        self.features: dict[str, Any] = {"spot": {"fetchOHLCV": {"limit": page_limit}}}
        self.rateLimit = pace_ms
        self.last_response_headers: dict[str, str] = {}
        self.faults = ExchangeFaults()
        self.requests: list[CandleRequest] = []
        self.loads = 0
        self._market = market
        self._clock = clock
        self._page_limit = page_limit
        self._symbols = (*sorted(market.symbols), *idle)
        self._asked_us: int | None = None
        self._lock = threading.Lock()

    def load_markets(self, reload: bool = False) -> Mapping[str, Any]:  # noqa: ARG002 (as in ccxt)
        """The markets by their names."""
        with self._lock:
            self.loads += 1
            self._admit()
            return {symbol: {"symbol": symbol, "type": "spot"} for symbol in self._symbols}

    def fetch_ohlcv(
        self, symbol: str, timeframe: str = "1m", since: int | None = None, limit: int | None = None
    ) -> Any:
        """Candles that start at ``since`` or later, as known now, or what the script puts in their place."""
        with self._lock:
            since_us = None if since is None else since * 1000
            self.requests.append(CandleRequest(symbol, timeframe, since_us, limit, self._clock.now_us()))
            self._admit()
            if symbol in self.faults.symbol_errors:
                raise self.faults.symbol_errors[symbol]
            if symbol not in self._symbols or timeframe != "1m":
                raise BadSymbol(f"fake does not have market symbol {symbol}")
            if self.faults.answers:
                return self.faults.answers.pop(0)
            return self._candles(symbol, since_us, min(limit or self._page_limit, self._page_limit))

    def _admit(self) -> None:
        now_us, before_us = self._clock.now_us(), self._asked_us
        self._asked_us = now_us
        if self.faults.errors:
            raise self.faults.errors.pop(0)
        if before_us is not None and now_us - before_us < self.rateLimit * 1000 / 2:
            raise RateLimitExceeded("fake was asked too often")

    def _candles(self, symbol: str, since_us: int | None, limit: int) -> list[list[float]]:
        now_us = self._clock.now_us() - self.faults.clock_behind_us
        if self.faults.mute_from_us is not None:
            now_us = min(now_us, self.faults.mute_from_us)
        first_us = 0 if since_us is None else since_us
        bars = self._market.bars(symbol, first_us, now_us, now_us)
        rows = [_row(bar, bar.close, bar.volume) for bar in bars]
        minute_us = now_us - now_us % MINUTE_US
        coming = self._market.bars(symbol, max(minute_us, first_us), minute_us, minute_us + 2 * MINUTE_US)
        if coming and not self.faults.hides_forming:
            # Half of what will have been traded, and another close.
            rows = [row for row in rows if row[0] < minute_us // 1000]
            rows.append(_row(coming[0], coming[0].low, coming[0].volume / 2))
        if self.faults.looks_from_since and since_us is not None:
            rows = [row for row in rows if row[0] < (since_us + limit * MINUTE_US) // 1000]
        rows = rows[-limit:] if since_us is None else rows[:limit]
        return [row for row in rows for _ in range(1 + self.faults.repeats)]


def _row(bar: MarketBar, close: float, volume: float) -> list[float]:
    return [bar.start_us // 1000, bar.open, bar.high, bar.low, close, volume]
