"""Where Alpaca's services are: what the two configured URLs say, and the REST requests that follow from them."""

from __future__ import annotations

from urllib.parse import urlsplit

from msgspec import Struct

from mismartera.bars import parse_interval
from mismartera.bars.instants import DAY_US, HOUR_US, MINUTE_US
from mismartera.config.fields import check_url
from mismartera.errors import ConfigError, FeedRefusedError

PAGE_LIMIT = 10_000
_STORES = {
    "iex": "iex",
    "sip": "sip",
    "delayed_sip": "sip",
    "boats": "boats",
    "otc": "otc",
    "overnight": "overnight",
}
"""What the REST service calls the source of a stream of stocks; a stream of another name has its default."""


class Address(Struct, frozen=True):
    """The stream's complete URL, the REST service's without a path, and what the stream's path tells.

    ``source``: the last part of the path: "iex", "sip" for stocks, a place such as "us" for crypto.
    """

    stream_url: str
    data_url: str
    source: str
    is_crypto: bool

    @classmethod
    def of(cls, stream_url: str, data_url: str) -> Address:
        """Of the configured URLs; ConfigError unless they are encrypted, or on loopback."""
        found = {
            "feed.stream_url": check_url(stream_url, secure="wss", plain="ws", path_allowed=True),
            "feed.data_url": check_url(data_url, secure="https", plain="http", path_allowed=False),
        }
        problems = [f"{key}: {text}" for key, text in found.items() if text is not None]
        if problems:
            raise ConfigError(problems, source="feed")
        parts = [part for part in urlsplit(stream_url).path.split("/") if part]
        return cls(stream_url, data_url.rstrip("/"), parts[-1] if parts else "", "crypto" in parts)

    @property
    def bars_url(self) -> str:
        """The address of historical bars."""
        if self.is_crypto:
            place = "us" if self.source in {"", "crypto"} else self.source
            return f"{self.data_url}/v1beta3/crypto/{place}/bars"
        return f"{self.data_url}/v2/stocks/bars"

    @property
    def channels(self) -> tuple[str, ...]:
        """The stream's channels that we subscribe; crypto knows no trading status."""
        return ("bars", "updatedBars") if self.is_crypto else ("bars", "updatedBars", "statuses")

    def params(self, symbols: list[str], interval: str, start: str, end: str) -> dict[str, str]:
        """The query of a request for bars from ``start`` to ``end``, both included."""
        query = {
            "symbols": ",".join(symbols), "timeframe": timeframe(interval), "start": start, "end": end,
            "limit": str(PAGE_LIMIT), "sort": "asc",
        }  # fmt: skip
        if not self.is_crypto:
            query["adjustment"] = "raw"  # prices are taken as traded, like the stream's
            if self.source in _STORES:
                query["feed"] = _STORES[self.source]
        return query


def timeframe(interval: str) -> str:
    """Alpaca's name of ``interval``; FeedRefusedError for those that it does not have."""
    length = parse_interval(interval).length_us
    if length == DAY_US:
        return "1Day"
    if length % HOUR_US == 0:
        return f"{length // HOUR_US}Hour"
    if length % MINUTE_US == 0 and length < HOUR_US:
        return f"{length // MINUTE_US}Min"
    raise FeedRefusedError(f"Alpaca has no bars of {interval}: it has whole minutes below an hour, hours and 1d")
