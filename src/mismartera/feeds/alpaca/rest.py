"""Alpaca's REST service: historical bars, asked for patiently, and never for longer than is useful."""

from __future__ import annotations

import re
import socket
import threading
from collections.abc import Generator, Mapping, Sequence
from contextlib import suppress
from functools import partial
from random import Random
from typing import Any, Final
from weakref import WeakSet

from mismartera.bars import parse_interval
from mismartera.bars.instants import SECOND_US
from mismartera.errors import FeedRefusedError, FeedUnavailableError, KeysRefusedError
from mismartera.feeds.alpaca.address import Address
from mismartera.feeds.alpaca.connection import socket_seconds
from mismartera.feeds.alpaca.pages import PageError, PageMerger
from mismartera.feeds.alpaca.stamps import format_us
from mismartera.feeds.backoff import Backoff
from mismartera.feeds.httpx_only import httpx
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
_ANSWER_REPLIES: Final = 2
"""A whole answer may take as long as two silences."""
_BODY_BYTES_MAX: Final = 64 * 2**20
_PAGES_MAX: Final = 10_000
_NAMED: Final = re.compile(r"invalid symbols?\b[:\s\\\"']*([A-Za-z0-9./_-]*[A-Za-z0-9])")
"""How the service names the symbol for which it refuses a request."""


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
        self._lock = threading.Lock()
        self._sockets: WeakSet[socket.socket] = WeakSet()
        reply_wall_seconds = max(socket_seconds(clock, _REPLY_SECONDS), _REPLY_WALL_SECONDS_MIN)
        self._answer_wall_seconds = _ANSWER_REPLIES * reply_wall_seconds
        # The environment's proxies and .netrc are not ours to read.
        self._client = httpx.Client(timeout=reply_wall_seconds, trust_env=False, auth=_KeyHeaders(keys))

    def close(self) -> None:
        """Close the connections; who waits for an answer on one waits no more."""
        with self._lock:
            open_sockets = list(self._sockets)
        for one in open_sockets:
            with suppress(OSError):  # it was closed already
                one.shutdown(socket.SHUT_RDWR)
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
            named = _NAMED.search(error.said)
            if len(symbols) == 1 or (named and named[1] in symbols):
                bad = named[1] if named and named[1] in symbols else symbols[0]
                refused[bad] = str(error)
                rest = [[symbol for symbol in symbols if symbol != bad]]
            else:
                rest = [symbols[: len(symbols) // 2], symbols[len(symbols) // 2 :]]
            for part in rest:
                if part:
                    self._fetch(part, interval, merger, refused)

    def _fetch_pages(self, symbols: list[str], interval: str, merger: PageMerger) -> None:
        # The service includes both ends of a range. Bars start at whole seconds, and any server reads those.
        first = format_us(-(-merger.start_us // SECOND_US) * SECOND_US)
        last = format_us((merger.end_us - 1) // SECOND_US * SECOND_US)
        params = self._address.params(symbols, interval, first, last)
        tokens: set[str] = set()
        while len(tokens) < _PAGES_MAX:
            try:
                token = self._page(params, merger)
            except _RequestRefusedError as error:
                if not tokens:
                    raise
                raise FeedUnavailableError(f"a page that the service named itself: {error}", 1.0) from None
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
            with self._client.stream(
                "GET", self._address.bars_url, params=params, extensions={"trace": partial(self._trace, asked)}
            ) as response:
                body = self._body(response, asked + self._answer_wall_seconds)
        except (httpx.ConnectError, httpx.ConnectTimeout) as error:
            raise _RetryError(f"cannot be reached: {self._keys.scrub(str(error))}") from None
        except (httpx.HTTPError, RuntimeError) as error:  # RuntimeError: the client was closed meanwhile
            raise _RetryError(f"no answer: {self._keys.scrub(str(error) or type(error).__name__)}") from None
        status = response.status_code
        if status == 200:
            return body
        said = self._keys.scrub(body[:1000].decode("utf-8", "replace"))
        text = f"the service answers HTTP {status}: {said}"
        if status in {401, 403}:
            raise KeysRefusedError(f"{text} (are the keys right, and does the plan include these data?)")
        if status in {408, 425, 429} or status >= 500:
            wait = retry_after_seconds(response.headers.get("Retry-After"), self._clock.now_us())
            raise _RetryError(text, wait)
        if status in {400, 422}:
            raise _RequestRefusedError(text, said)
        raise FeedRefusedError(f"{text} (is data_url right?)")

    def _trace(self, asked: float, event: str, info: Mapping[str, Any]) -> None:
        """The service is reached, for the clock. Remember the socket: closing a client wakes nobody who waits."""
        if event == "connection.connect_tcp.complete":
            self._clock.begin(asked)
        if event in {"connection.connect_tcp.complete", "connection.start_tls.complete"}:
            with self._lock:
                self._sockets.add(info["return_value"].get_extra_info("socket"))

    def _body(self, response: httpx.Response, until: float) -> bytes:
        """The body, if it is all here by ``until``: time-outs of the socket begin again with every byte."""
        body = bytearray()
        for part in response.iter_bytes():
            body += part
            if self._stopping.is_set():
                raise FeedUnavailableError("the feed was stopped", 0.0)
            if self._clock.monotonic() > until or len(body) > _BODY_BYTES_MAX:
                raise _RetryError(f"the answer was not whole after {len(body)} bytes")
        return bytes(body)

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
    """The service does not take this request: something in it is wrong, such as one of its symbols.

    ``said`` is what the service itself says.
    """

    def __init__(self, text: str, said: str) -> None:
        self.said = said
        super().__init__(text)
