"""What a replay plays: the recorded day, and a session on another feed turned into a replay of its own store."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date
from typing import Final, NamedTuple

from mismartera.bars.instants import to_datetime
from mismartera.catalog import DataManager
from mismartera.config import FeedConfig, SessionConfig
from mismartera.errors import CalendarError, ConfigError, StoreError
from mismartera.timing import TimeManager, TradingSession

INTERVAL: Final = "1m"
"""Of the bars that are replayed, as vendors stream them."""
_DAYS_SEARCHED_MAX = 10
_NAMES_SHOWN_MAX = 10


class Recording(NamedTuple):
    """``source`` stands on one version of its store: what the run itself writes there is not replayed."""

    source: DataManager
    session: TradingSession


def replayed_session(config: FeedConfig, time: TimeManager) -> TradingSession:
    """The session that a replay plays; ConfigError if its day has none."""
    assert config.date is not None, "a feed of type replay has a date"
    try:
        return time.get_trading_session(config.date)
    except CalendarError as error:
        raise ConfigError([f"feed.date: {error}"], source="feed") from error


def find_recording(config: FeedConfig, data: DataManager, time: TimeManager) -> Recording:
    """The session that a replay plays, from ``feed.data`` or else ``data``, the run's store.

    ConfigError if its day has no session, StoreError if there is no store.
    """
    session = replayed_session(config, time)
    if config.data is None:
        return Recording(DataManager(data.address, version=data.version), session)
    try:
        return Recording(DataManager(config.data, version=DataManager(config.data).version), session)
    except StoreError as error:
        raise ConfigError([f"feed.data: {error}"], source="feed") from error


def require_bars(recording: Recording, symbols: Sequence[str]) -> None:
    """ConfigError if ``symbols`` are some, and none of them has a bar on the replayed day."""
    source, session = recording
    if symbols and not len(source.read_block(INTERVAL, session.open_us, session.close_us, symbols)):
        problem = (
            f"feed.date: the store {source.address} has no {INTERVAL} bars of {_some(symbols)} on {session.date}"
        )
        raise ConfigError([f"{problem}; it has {_contents(source, symbols, session)}"], source="feed")


def as_replay(
    config: SessionConfig, data: DataManager, time: TimeManager, day: date, source: str = "configuration"
) -> SessionConfig:
    """``config`` on a replay of ``day`` from the run's store ``data`` in place of its feed."""
    assert config.feed is not None, "a live session has a feed"
    assert data.exists() and time.is_trading_date(day), "a replay has a store and a session"
    changed = config.to_dict()
    kept = {key: getattr(config.feed, key) for key in ("stall_timeout_seconds", "reconcile_minutes")}
    changed["feed"] = {"type": "replay", "date": day.isoformat(), **kept}
    return SessionConfig.from_dict(changed, source=source)


def last_recorded_day(symbols: Sequence[str], data: DataManager, time: TimeManager) -> date:
    """The last session of which ``data`` has a bar of the first of ``symbols``; ValueError if there is none."""
    if not symbols:
        raise ValueError(
            "the configuration names no symbol whose last day could be replayed; give one with --clock"
        )
    symbol = symbols[0]
    found = data.availability(symbol).get(INTERVAL)
    if found is not None:
        day = time.session_of(found.last_us)
        for _ in range(_DAYS_SEARCHED_MAX):
            if time.is_trading_date(day):
                session = time.get_trading_session(day)
                if len(data.read_block(INTERVAL, session.open_us, session.close_us, [symbol])):
                    return day
            day = time.previous_trading_date(day)
    raise ValueError(
        f"the store {data.address} has no {INTERVAL} bars of {symbol} in trading hours; it has bars of "
        f"{_some(data.symbols()) or 'no symbol'}"
    )


def _contents(source: DataManager, symbols: Sequence[str], session: TradingSession) -> str:
    """What the store has instead, of the first symbol that it knows."""
    for symbol in symbols:
        found = source.availability(symbol).get(INTERVAL)
        if found is not None:
            first, last = (_shown(us, session) for us in (found.first_us, found.last_us))
            return f"{INTERVAL} bars of {symbol} from {first} to {last}"
    return f"bars of {_some(source.symbols()) or 'no symbol'}"


def _shown(us: int, session: TradingSession) -> str:
    return f"{to_datetime(us, session.zone):%Y-%m-%d}"


def _some(names: Sequence[str]) -> str:
    more = f" and {len(names) - _NAMES_SHOWN_MAX} more" if len(names) > _NAMES_SHOWN_MAX else ""
    return ", ".join(names[:_NAMES_SHOWN_MAX]) + more
