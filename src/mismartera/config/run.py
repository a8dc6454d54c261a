"""What a run does with a session: dates and speed, scheduled changes, strategies, limits, and the live feed."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Annotated, Literal

from pydantic import ConfigDict, Field

from mismartera.config.fields import (
    BUS_STREAM,
    COUNT_MAX,
    DAYS_MAX,
    SECONDS_MAX,
    Bounds,
    BusName,
    ClassPath,
    Day,
    Intervals,
    JsonObject,
    Moment,
    Symbol,
    Text,
    check_url,
    interval_length_us,
)
from mismartera.config.frozen import FrozenDict
from mismartera.config.model import ConfigModel
from mismartera.config.problems import Fault, repeated, shown

SPEED_MAX = 1_000_000
"""Faster than that is 0, as fast as possible."""


class BacktestConfig(ConfigModel):
    """Which sessions a backtest runs through, and how fast."""

    start_date: Day
    """First day, YYYY-MM-DD; days without a session are passed over."""
    end_date: Day
    """Last day, included."""
    speed_multiplier: Annotated[float, Bounds(low=0, high=SPEED_MAX)] = 0.0
    """0: as fast as possible; 1: real time; 60: sixty times as fast."""
    prefetch_days: Annotated[int, Bounds(low=0, high=DAYS_MAX)] = 0
    """Sessions that are read from the store ahead of the one that streams."""

    def find_faults(self) -> Iterator[Fault]:
        """An end before the start."""
        if self.end_date < self.start_date:
            text = f'"{self.end_date}" is before start_date; allowed: "{self.start_date}" or later'
            yield Fault(("end_date",), text)


class ScheduleEntry(ConfigModel):
    """A symbol that is added or removed at a moment of the run."""

    model_config = ConfigDict(json_schema_extra={"oneOf": [{"required": ["add"]}, {"required": ["remove"]}]})

    at: Moment
    """When: YYYY-MM-DDTHH:MM[:SS] in exchange time, or with a zone offset."""
    add: Symbol | None = None
    """The symbol to add."""
    remove: Symbol | None = None
    """The symbol to remove."""
    streams: Intervals | None = None
    """The intervals of the symbol that is added; by default the session's."""

    def find_faults(self) -> Iterator[Fault]:
        """Not exactly one action, or streams where nothing is added."""
        if self.add is not None and self.remove is not None:
            yield Fault((), "both 'add' and 'remove' are given; allowed: one of them in an entry")
        elif self.add is None and self.remove is None:
            text = "neither 'add' nor 'remove' is given; allowed: one of them in an entry"
            yield Fault((), text, because=(("add",), ("remove",)))
        if self.streams is not None:
            yield from repeated(("streams",), ((interval_length_us(label), label) for label in self.streams))
            if self.add is None:
                yield Fault(("streams",), "nothing is added; allowed: together with 'add'", because=(("add",),))


class StrategyConfig(ConfigModel):
    """A strategy by its class."""

    class_: ClassPath = Field(validation_alias="class", serialization_alias="class")
    """"module:Class"; the module is looked up from the configuration's folder, then the current one."""
    params: JsonObject = FrozenDict()
    """Keyword arguments of the class."""


class AnalysisConfig(ConfigModel):
    """The strategies of a run."""

    strategies: tuple[StrategyConfig, ...] = ()
    """In the order in which they are notified."""
    on_strategy_error: Literal["isolate", "stop"] = "isolate"
    """When a strategy raises: "isolate" goes on without it, "stop" ends the run."""


class TradingConfig(ConfigModel):
    """Limits that are handed to strategies; the engine itself sends no orders."""

    max_buying_power: Annotated[float, Bounds(above=0)] | None = None
    """Most money in all positions together."""
    max_per_trade: Annotated[float, Bounds(above=0)] | None = None
    """Most money in one trade."""
    max_per_symbol: Annotated[float, Bounds(above=0)] | None = None
    """Most money in one symbol."""
    max_open_positions: Annotated[int, Bounds(low=1, high=COUNT_MAX)] | None = None
    """Most positions at a time."""


class ApiConfig(ConfigModel):
    """Names of the services for data and trading."""

    data_api: Text | None = None
    """Where data come from, for example "alpaca"."""
    trade_api: Text | None = None
    """Where orders would go."""


_FEED_KEYS: dict[str, tuple[tuple[str, ...], tuple[str, ...]]] = {
    "alpaca": (("stream_url", "data_url"), ()),
    "ccxt": (("exchange",), ("stream_url", "data_url")),
    "replay": (("date",), ("data", "faults")),
    "nats": (("url",), ("stream", "durable")),
}
"""For each type of feed the keys that it requires, and those that it also takes."""
_FEED_OWN_KEYS = tuple(dict.fromkeys(key for keys in _FEED_KEYS.values() for key in (*keys[0], *keys[1])))


class FeedConfig(ConfigModel):
    """Where a live session's bars come from."""

    type: Literal["alpaca", "ccxt", "replay", "nats"]
    """"alpaca": a market-data stream with its REST service; "ccxt": a crypto exchange; "replay": a stored day;
    "nats": a feed that a bridge shares.
    """
    stream_url: Text | None = None
    """alpaca, ccxt: the complete address of the stream, wss:// (ws:// on loopback only)."""
    data_url: Text | None = None
    """alpaca, ccxt: the REST service, https://host without a path (http:// on loopback only)."""
    exchange: Text | None = None
    """ccxt: the exchange's name."""
    data: Text | None = None
    """replay: the folder of the store; by default the run's."""
    date: Day | None = None
    """replay: the day to replay, YYYY-MM-DD."""
    faults: tuple[JsonObject, ...] = ()
    """replay: faults to play, each with its time."""
    url: Text | None = None
    """nats: the server of the bus, tls://host (nats:// on loopback only)."""
    stream: BusName | None = None
    """nats: the bridge's stream, by default "mismartera"."""
    durable: BusName | None = None
    """nats: a name under which the server remembers, over restarts, what this session has read."""
    stall_timeout_seconds: Annotated[float, Bounds(low=1, high=SECONDS_MAX)] = 90.0
    """Time without data, in trading hours, after which the stream counts as stalled."""
    reconcile_minutes: Annotated[float, Bounds(low=1, high=SECONDS_MAX // 60)] = 60.0
    """Time between two comparisons of the session's bars with the REST service."""

    def find_faults(self) -> Iterator[Fault]:
        """Keys that this type lacks or does not take, and unsafe addresses."""
        required, optional = _FEED_KEYS[self.type]
        for key in _FEED_OWN_KEYS:
            is_given = getattr(self, key) not in (None, ())
            if key in required and not is_given:
                text = f"missing; this key is required for a feed of type {shown(self.type)}"
                yield Fault((key,), text, because=(("type",),))
            if is_given and key not in required + optional:
                keys = ", ".join(("type", *required, *optional, "stall_timeout_seconds", "reconcile_minutes"))
                text = f"not a key of a feed of type {shown(self.type)}; allowed: {keys}"
                yield Fault((key,), text, because=(("type",),))
        yield from self._find_bad_urls()

    def _find_bad_urls(self) -> Iterator[Fault]:
        if self.stream_url is not None:
            text = check_url(self.stream_url, secure="wss", plain="ws", path_allowed=True)
            if text is not None:
                yield Fault(("stream_url",), text)
        if self.data_url is not None:
            text = check_url(self.data_url, secure="https", plain="http", path_allowed=False)
            if text is not None:
                yield Fault(("data_url",), text)
        if self.url is not None:
            yield from _bad_bus_url(self.url)


class BridgeConfig(ConfigModel):
    """Where ``mismartera bridge`` publishes the feed, and how much of it the bus keeps."""

    url: Text
    """The server of the bus, tls://host (nats:// on loopback only)."""
    stream: BusName = BUS_STREAM
    """The stream's name on the server; one bridge a stream."""
    max_age_hours: Annotated[float, Bounds(low=1, high=8760)] = 24.0
    """Older messages are removed: a session's day is enough, since what is older is backfilled."""
    max_megabytes: Annotated[int, Bounds(low=1, high=1000 * COUNT_MAX)] = 1024
    """The most that the stream may hold (MiB); the oldest messages make room for new ones."""

    def find_faults(self) -> Iterator[Fault]:
        """An unsafe address."""
        yield from _bad_bus_url(self.url)


def _bad_bus_url(url: str) -> Iterator[Fault]:
    text = check_url(url, secure="tls", plain="nats", path_allowed=False)
    if text is not None:
        yield Fault(("url",), text)
