"""Feeds of a live session: what a configuration's ``feed`` section asks for, made. Nothing is started here."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial
from importlib.util import find_spec
from random import Random
from types import MappingProxyType
from typing import TYPE_CHECKING, Final

from msgspec import Struct

from mismartera.catalog import DataManager
from mismartera.config import FeedConfig, SessionConfig
from mismartera.config.fields import BUS_STREAM
from mismartera.errors import ConfigError
from mismartera.feeds import Feed, Keys, ReplayFault, ReplayFeed, Secret, read_faults
from mismartera.system.rehearsal import PRE_OPEN_US, moment_on
from mismartera.system.replaying import find_recording, replayed_session
from mismartera.timing import SystemClock, TimeManager, TradingSession, WallClock

if TYPE_CHECKING:
    from mismartera.feeds.nats import Bridge

KEY_ID: Final = "APCA_API_KEY_ID"
SECRET_KEY: Final = "APCA_API_SECRET_KEY"  # noqa: S105  # the variable's name


class FeedParts(Struct, frozen=True):
    """What feeds are made of: the run's clock, store, exchange time and environment; ``rng`` jitters back-off."""

    clock: WallClock
    data: DataManager
    time: TimeManager
    environ: Mapping[str, str]
    rng: Random


FeedMaker = Callable[[FeedConfig, FeedParts], Feed]


def make_feed(
    config: FeedConfig, *, clock: WallClock, data: DataManager, time: TimeManager, environ: Mapping[str, str],
    rng: Random | None = None, makers: Mapping[str, FeedMaker] | None = None,
) -> Feed:  # fmt: skip
    """The feed that ``config`` describes, not yet started.

    ``data``: the run's store. ``time`` reads exchange time and knows the sessions. ``makers``: one per type of
    feed, by default :data:`MAKERS`. ConfigError for what keeps a feed from being made: missing keys, a day
    without recording, faults that are none.
    """
    jitter = rng or Random()  # noqa: S311  # spreads reconnects, no secret
    maker = (MAKERS if makers is None else makers)[config.type]
    return maker(config, FeedParts(clock, data, time, environ, jitter))


def check_feed(config: FeedConfig, time: TimeManager) -> None:
    """ConfigError for what :func:`make_feed` would refuse, as far as neither store nor keys are needed to tell."""
    if config.type == "replay":
        _read_script(config, replayed_session(config, time), time)
    elif config.type == "ccxt":
        _make_ccxt(config, FeedParts(SystemClock(), DataManager("data"), time, {}, Random())).stop()  # noqa: S311  # not started
    elif config.type == "nats":
        require_bus("feed.type: 'nats'", "or another type")


def _make_alpaca(config: FeedConfig, parts: FeedParts) -> Feed:
    from mismartera.feeds.alpaca import AlpacaFeed  # heavy: its network libraries

    assert config.stream_url is not None and config.data_url is not None, "a feed of type alpaca has its URLs"
    return AlpacaFeed(config.stream_url, config.data_url, _keys(parts.environ), parts.clock, parts.rng)


def _keys(environ: Mapping[str, str]) -> Keys:
    found = {name: environ.get(name, "") for name in (KEY_ID, SECRET_KEY)}
    problems = [
        # A header cannot hold it, and the HTTP library would say so with the key in its message.
        f"feed: the environment's {name} holds spaces or other characters that no key has; allowed: the key alone"
        if value
        else f"feed: the environment has no {name}; allowed: your key in {KEY_ID} and its secret in {SECRET_KEY}"
        for name, value in found.items()
        if not (value.isascii() and value.isprintable() and value and " " not in value)
    ]
    if problems:
        raise ConfigError(problems, source="feed")
    return Keys(Secret(found[KEY_ID]), Secret(found[SECRET_KEY]))


def _make_ccxt(config: FeedConfig, parts: FeedParts) -> Feed:
    assert config.exchange is not None, "a feed of type ccxt has an exchange"
    try:
        from mismartera.feeds.ccxt import CcxtFeed  # heavy, and an extra
    except ImportError as error:
        text = "feed.type: 'ccxt' needs the package ccxt; allowed: install mismartera[crypto], or another type"
        raise ConfigError([text], source="feed") from error
    feed: Feed = CcxtFeed(config.exchange, parts.clock, parts.rng)
    return feed


def _make_replay(config: FeedConfig, parts: FeedParts) -> Feed:
    recording = find_recording(config, parts.data, parts.time)
    session = recording.session
    faults = _read_script(config, session, parts.time)
    return ReplayFeed(recording.source, parts.clock, session.open_us, session.close_us, faults)


def _read_script(config: FeedConfig, session: TradingSession, time: TimeManager) -> tuple[ReplayFault, ...]:
    """The faults that a replay of ``session`` plays; ConfigError for what is none, or would never be played."""
    faults = read_faults(config.faults, partial(moment_on, day=session.date, time=time))
    outside = [
        f"feed.faults[{k}]: it would never be played; allowed: a time in the replayed session, from "
        f"{session.open:%Y-%m-%dT%H:%M} to {session.close:%Y-%m-%dT%H:%M} ({session.zone})"
        for k, fault in enumerate(faults)
        if fault.end_us <= session.open_us - PRE_OPEN_US or fault.start_us > session.close_us
    ]
    if outside:
        raise ConfigError(outside, source="feed")
    return faults


def _make_nats(config: FeedConfig, parts: FeedParts) -> Feed:
    assert config.url is not None, "a feed of type nats has a URL"
    require_bus("feed.type: 'nats'", "or another type")
    from mismartera.feeds.nats import BusAddress, Login, NatsFeed  # heavy, and an extra

    address = BusAddress(config.url, config.stream or BUS_STREAM)
    feed: Feed = NatsFeed(address, Login.of(parts.environ), parts.clock, parts.rng, config.durable)
    return feed


def require_bus(who: str, otherwise: str) -> None:
    """ConfigError unless the extra that the bus needs is installed."""
    if find_spec("nats") is None:
        text = f"{who} needs the package nats-py; allowed: install mismartera[bus], {otherwise}"
        raise ConfigError([text], source="feed")


def make_bridge(
    config: SessionConfig, feed: Feed, clock: WallClock, environ: Mapping[str, str], warn: Callable[[str], None],
    inform: Callable[[str], None],
) -> Bridge:  # fmt: skip
    """The bridge that ``config`` describes, which publishes ``feed``, not yet started; or ConfigError."""
    assert config.bridge is not None, "a bridge has its section"
    require_bus("a bridge", "or run the session on the vendor's feed itself")
    from mismartera.feeds.nats import Bridge, BusAddress, Login, Retention  # heavy, and an extra

    section = config.bridge
    retention = Retention(section.max_age_hours * 3600.0, section.max_megabytes * 2**20)
    return Bridge(
        feed, BusAddress(section.url, section.stream), Login.of(environ), clock, Random(),  # noqa: S311  # spreads reconnects
        config.session_data_config.symbols, retention, warn, inform,
    )  # fmt: skip


MAKERS: Final[Mapping[str, FeedMaker]] = MappingProxyType(
    {"alpaca": _make_alpaca, "ccxt": _make_ccxt, "replay": _make_replay, "nats": _make_nats}
)
