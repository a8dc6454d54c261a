"""Alpaca's REST service: historical bars, asked for patiently, and never for longer than is useful."""

from __future__ import annotations

import threading
from collections.abc import Generator, Sequence
from random import Random
from typing import Final

import httpx

from mismartera.bars import parse_interval
from mismartera.bars.instants import SECOND_US
from mismartera.errors import FeedRefusedError, FeedUnavailableError
from mismartera.feeds.alpaca.address import Address
from mismartera.feeds.alpaca.connection import socket_seconds
from mismartera.feeds.alpaca.pages import PageError, PageMerger
from mismartera.feeds.alpaca.stamps import format_us
from mismartera.feeds.backoff import Backoff
from mismartera.feeds.port import BackfillResult
from mismartera.feeds.retry_after import retry_after_seconds
from mismartera.feeds.secret import Keys
from mismartera.feeds.sift import merged
from mismartera.timing import WallClock

SYMBOLS_PER_REQUEST: Final = 100
_ATTEMPTS_MAX: Final = 5
_PATIENCE_SECONDS: Final = 60.0
"""All waits for one page together are not longer: whoever asked can decide better what to do meanwhile."""
_REPLY_SECONDS: Final = 30.0
_REPLY_WALL_SECONDS_MIN: Final = 3.0
"""A page of 10,000 bars is work for a server, which is no faster in a rehearsal."""
_PAGES_MAX: Final = 10_000


class _KeyHeaders(httpx.Auth):
    """Adds the keys when a request leaves, so that no object of ours holds them in the open."""

    def __init__(self, keys: Keys) -> None:
        self._keys = keys

    def auth_flow(self, request: httpx.Request) -> Generator[httpx.Request, httpx.Response, None]:
        request.headers["APCA-API-KEY-ID"] = self._keys.key_id.reveal()
        request.headers["APCA-API-SECRET-KEY"] = self._keys.secret_key.reveal()
        yield request


class AlpacaRest:
    """A client for any number of threads. When the service asks one of them to wait, all wait.

    ``stopping`` ends every wait.
    """

    def __init__(
        self, address: Address, keys: Keys, clock: WallClock, rng: Random, stopping: threading.Event
    ) -> None:
        self._address = address
        self._keys = keys
        self._clock = clock
        self._rng = rng
        self._stopping = stopping
        self._not_before_us = 0
        # The environment's proxies and .netrc are not ours to read.
        self._client = httpx.Client(
            timeout=max(socket_seconds(clock, _REPLY_SECONDS), _REPLY_WALL_SECONDS_MIN),
            trust_env=False,
            auth=_KeyHeaders(keys),
        )

    def close(self) -> None:
        """Close the connections."""
        self._client.close()

    def backfill(self, symbols: Sequence[str], interval: str, start_us: int, end_us: int) -> BackfillResult:
        """See :meth:`mismartera.feeds.port.Feed.backfill`."""
        names = list(dict.fromkeys(symbols))
        merger = PageMerger(names, parse_interval(interval), start_us, end_us)
        refused: dict[str, str] = {}
        if start_us < end_us:
            for at in range(0, len(names), SYMBOLS_PER_REQUEST):
                self._fetch(names[at : at + SYMBOLS_PER_REQUEST], interval, merger, refused)
        if refused and len(refused) == len(names):
            reason = next(iter(refused.values()))
            raise FeedRefusedError(f"no bars of {', '.join(names)[:200]}: {reason}")
        merger.symbols = [name for name in names if name not in refused]
        return BackfillResult(
            interval, merger.block(), refused, tuple(merged(merger.rejected)), merger.duplicates, merger.conflicts
        )

    def _fetch(self, symbols: list[str], interval: str, merger: PageMerger, refused: dict[str, str]) -> None:
        """All pages of ``symbols``. A request that is refused is halved, until it is known for which symbol."""
        try:
            self._fetch_pages(symbols, interval, merger)
        except _RequestRefusedError as error:
            if len(symbols) == 1:
                refused[symbols[0]] = str(error)
                return
            middle = len(symbols) // 2
            self._fetch(symbols[:middle], interval, merger, refused)
            self._fetch(symbols[middle:], interval, merger, refused)

    def _fetch_pages(self, symbols: list[str], interval: str, merger: PageMerger) -> None:
        # The service includes both ends of a range.
        first, last = format_us(merger.start_us), format_us(merger.end_us - 1)
        params = self._address.params(symbols, interval, first, last)
        tokens: set[str] = set()
        while len(tokens) < _PAGES_MAX:
            token = self._page(params, merger)
            if token is None:
                return
            if token in tokens:
                raise FeedUnavailableError("the service's pages go in a circle: a page token came twice", 60.0)
            tokens.add(token)
            params["page_token"] = token
        raise FeedUnavailableError(f"the service has more than {_PAGES_MAX} pages for one request", 60.0)

    def _page(self, params: dict[str, str], merger: PageMerger) -> str | None:
        """One page, tried again while it is worth it; its token."""
        backoff, patience = Backoff(self._rng), _PATIENCE_SECONDS
        for attempt in range(1, _ATTEMPTS_MAX + 1):
            patience -= self._wait(
                (self._not_before_us - self._clock.now_us()) / SECOND_US, patience, "too many requests"
            )
            # Taken before asking: what is still forming then must not count as finished when the answer is here.
            asked_us = self._clock.now_us()
            try:
                return merger.add(self._get(params), asked_us)
            except (_RetryError, PageError) as error:
                seconds = backoff.next_seconds()
                if isinstance(error, _RetryError) and error.retry_after_seconds is not None:
                    seconds = error.retry_after_seconds
                    self._not_before_us = self._clock.now_us() + round(seconds * SECOND_US)
                if attempt == _ATTEMPTS_MAX:
                    raise FeedUnavailableError(f"{error}, {attempt} times", max(seconds, 1.0)) from None
                patience -= self._wait(seconds, patience, str(error))
        raise AssertionError("the last attempt returns or raises")

    def _get(self, params: dict[str, str]) -> bytes:
        """The body of an answer 200. Or _RetryError, _RequestRefusedError; FeedRefusedError for refused keys."""
        asked = self._clock.monotonic()
        try:
            response = self._client.get(self._address.bars_url, params=params)
        except httpx.ConnectError as error:
            raise _RetryError(f"cannot be reached: {self._keys.scrub(str(error))}") from None
        except (httpx.HTTPError, RuntimeError) as error:  # RuntimeError: the client was closed meanwhile
            self._clock.begin(asked)
            raise _RetryError(f"no answer: {self._keys.scrub(str(error) or type(error).__name__)}") from None
        self._clock.begin(asked)
        status = response.status_code
        if status == 200:
            return response.content
        text = f"the service answers HTTP {status}: {self._keys.scrub(response.text)}"
        if status in {401, 403}:
            raise FeedRefusedError(f"{text} (are the keys right, and does the plan include these data?)")
        if status in {408, 425, 429} or status >= 500:
            wait = retry_after_seconds(response.headers.get("Retry-After"), self._clock.now_us())
            raise _RetryError(text, wait)
        if status in {400, 422}:
            raise _RequestRefusedError(text)
        raise FeedRefusedError(f"{text} (is data_url right?)")

    def _wait(self, seconds: float, patience: float, reason: str) -> float:
        """Wait ``seconds`` and say so; FeedUnavailableError if that is too long, or the feed is stopped.

        A duration, not until an instant: before the service was ever reached, a rehearsal's clock stands still.
        """
        if seconds > patience:
            raise FeedUnavailableError(f"not before {seconds:.0f} s from now: {reason}", seconds)
        waited = max(seconds, 0.0)
        if self._stopping.wait(self._clock.wall_seconds(waited)):
            raise FeedUnavailableError("the feed was stopped", 0.0)
        return waited


class _RetryError(Exception):
    """An attempt that may succeed later, perhaps at a time that the service names."""

    def __init__(self, text: str, retry_after_seconds: float | None = None) -> None:
        self.retry_after_seconds = retry_after_seconds
        super().__init__(text)


class _RequestRefusedError(Exception):
    """The service does not take this request: something in it is wrong, such as one of its symbols."""
