"""An exchange of ccxt: made by its name, asked for one thing at a time, at the pace that it allows."""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping
from difflib import get_close_matches
from functools import partial
from importlib import import_module
from inspect import iscoroutinefunction
from typing import Any, Final, Protocol, TypeVar

from mismartera.bars import Interval, parse_interval
from mismartera.bars.instants import MINUTE_US
from mismartera.errors import ConfigError, FeedRefusedError
from mismartera.feeds.ccxt.candles import Candles, read_candles
from mismartera.feeds.ccxt.troubles import ANSWERS, StoppedError, TroubleError, trouble_of
from mismartera.feeds.ccxt.turns import Turns
from mismartera.timing import WallClock

_REPLY_SECONDS: Final = 10.0
_REPLY_WALL_SECONDS_MIN: Final = 3.0
_T = TypeVar("_T")


class CcxtExchange(Protocol):
    """What is needed of an exchange of ccxt (its blocking form).

    Optional: ``rateLimit`` (milliseconds from one request to the next), ``features`` (how many candles an answer
    has at most), ``last_response_headers``.
    """

    @property
    def id(self) -> str:
        """Its name."""
        ...

    @property
    def has(self) -> Mapping[str, Any]:
        """What it can do: ``fetchOHLCV`` is True if it gives candles."""
        ...

    @property
    def timeframes(self) -> Mapping[str, Any]:
        """The intervals of its candles, by ccxt's names: "1m"."""
        ...

    def load_markets(self, reload: bool = False) -> Mapping[str, Any]:
        """The markets by their names."""
        ...

    def fetch_ohlcv(
        self, symbol: str, timeframe: str = "1m", since: int | None = None, limit: int | None = None
    ) -> Any:
        """Candles that start at ``since`` (milliseconds since 1970) or later, in the order of time."""
        ...


def make_exchange(name: str, clock: WallClock) -> CcxtExchange:
    """The exchange that ccxt knows by ``name``. ConfigError if it knows none, or is not installed."""
    try:
        library: Any = import_module("ccxt")
    except ImportError as error:
        text = f"feed.type: ccxt is needed ({error}); pip install 'mismartera[crypto]' adds it"
        raise ConfigError([text], source="feed") from None
    if name not in library.exchanges:
        near = get_close_matches(name, library.exchanges, 3)
        hint = f"; did you mean {', '.join(near)}?" if near else ", such as binance, coinbase, kraken"
        text = f"feed.exchange: {name!r:.40} is none of the {len(library.exchanges)} exchanges of ccxt{hint}"
        raise ConfigError([text], source="feed")
    wall_seconds = max(clock.wall_seconds(_REPLY_SECONDS), _REPLY_WALL_SECONDS_MIN)
    made: CcxtExchange = getattr(library, name)({"enableRateLimit": True, "timeout": round(wall_seconds * 1000)})
    return made


class Exchange:
    """``exchange`` for any number of threads: they take turns, and keep its pace.

    ConfigError if it has no minute candles. TroubleError from each request that fails, StoppedError when
    ``stopping`` is set meanwhile.
    """

    def __init__(self, exchange: CcxtExchange, clock: WallClock, stopping: threading.Event) -> None:
        self.name = str(exchange.id)
        self._exchange = exchange
        self._clock = clock
        self._stopping = stopping
        self._turns = Turns()
        self._asked: float | None = None
        self._markets: Mapping[str, Any] | None = None
        if iscoroutinefunction(exchange.fetch_ohlcv):
            text = (
                f"feed.exchange: {self.name} answers with coroutines; allowed: its blocking form, ccxt.{self.name}"
            )
            raise ConfigError([text], source="feed")
        if exchange.has.get("fetchOHLCV") is not True or self._label(MINUTE_US) is None:
            text = f"feed.exchange: {self.name} gives no candles of one minute; choose another exchange"
            raise ConfigError([text], source="feed")

    def load_markets(self, *, again: bool = False) -> None:
        """Learn what is traded, unless that is known already."""
        with self._turns:
            if self._markets is None or again:
                again_only = (True,) if again else ()
                self._markets = self._ask(partial(self._exchange.load_markets, *again_only))

    def why_not(self, symbol: str) -> str | None:
        """Why ``symbol`` cannot be had; None if it can. The markets are loaded."""
        assert self._markets is not None, "the markets are loaded first"
        if symbol in self._markets:
            return None
        near = get_close_matches(symbol, [name for name in self._markets if ":" not in name], 3)
        hint = f"; did you mean {', '.join(near)}?" if near else ""
        return f"{self.name} has no market {symbol!r}{hint}"

    def check_interval(self, interval: Interval) -> None:
        """FeedRefusedError unless there are candles of ``interval``."""
        if self._label(interval.length_us) is None:
            allowed = ", ".join(self._exchange.timeframes)
            raise FeedRefusedError(f"{self.name} has no candles of {interval}: it has {allowed}")

    def page_length(self, symbol: str) -> int | None:
        """How many candles of ``symbol`` an answer has at most; None if that is not known."""
        found: Any = getattr(self._exchange, "features", None)
        for key in (((self._markets or {}).get(symbol) or {}).get("type") or "spot", "fetchOHLCV", "limit"):
            found = found.get(key) if isinstance(found, Mapping) else None
        return found if isinstance(found, int) and found > 0 else None

    def candles(self, symbol: str, interval: Interval, since_us: int, count: int | None) -> Candles:
        """The candles that start at ``since_us`` or later, at most ``count``, as the exchange has them now."""
        label, since_ms = self._label(interval.length_us), -(-since_us // 1000)
        assert label is not None, "the interval was checked"
        with self._turns:
            return self._ask(
                lambda: read_candles(symbol, self._exchange.fetch_ohlcv(symbol, label, since_ms, count))
            )

    def _label(self, length_us: int) -> str | None:
        """The exchange's name of the interval of this length; ours, if it does not say what it has."""
        if not self._exchange.timeframes:
            return Interval(length_us, "").canonical
        for label in self._exchange.timeframes:
            try:
                if parse_interval(label).length_us == length_us:
                    return str(label)
            except ValueError:  # months and weeks are no intervals of ours
                continue
        return None

    def _ask(self, request: Callable[[], _T]) -> _T:
        """The answer, after the pause that the exchange's pace asks for."""
        if self._stopping.wait(self._pause_wall_seconds()):
            raise StoppedError
        self._asked = asked = self._clock.monotonic()
        try:
            answer = request()
        except (*ANSWERS, OSError) as error:
            raise trouble_of(error, self.name) from None
        except Exception as error:
            # ccxt's own errors have a base of their own, known by its name: the library may not be here.
            if not any(one.__name__ == "BaseError" for one in type(error).__mro__):
                raise
            headers = getattr(self._exchange, "last_response_headers", None)
            raise trouble_of(error, self.name, headers) from None
        self._clock.begin(asked)
        return answer

    def _pause_wall_seconds(self) -> float:
        pace_ms = getattr(self._exchange, "rateLimit", None)
        if self._asked is None or not isinstance(pace_ms, int | float) or pace_ms <= 0:
            return 0.0
        return max(self._asked + self._clock.wall_seconds(pace_ms / 1000) - self._clock.monotonic(), 0.0)


__all__ = ["CcxtExchange", "Exchange", "StoppedError", "TroubleError", "make_exchange"]
