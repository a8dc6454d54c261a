"""The live side of a run: a feed in place of the store, and the thread that takes what it sends."""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from datetime import date, timedelta
from typing import Protocol

from msgspec import Struct

from mismartera.bars import Bar, parse_interval
from mismartera.bars.instants import MINUTE_US, SECOND_US
from mismartera.config import SessionConfig
from mismartera.errors import CalendarError, ConfigError
from mismartera.feeds.port import Feed
from mismartera.indicators import IndicatorSpec
from mismartera.live.desk import EngineDesk
from mismartera.live.door import IntakeDoor, Order
from mismartera.live.flow import FlowSettings
from mismartera.live.intake import Intake
from mismartera.live.keeping import Keeper
from mismartera.live.past import VendorPast
from mismartera.live.quality import LiveQuality
from mismartera.live.questions import CheckSettings
from mismartera.live.requests import PooledRequests, Requests
from mismartera.live.settings import IntakeSettings
from mismartera.live.supply import Driver, LiveSupply
from mismartera.live.watchdog import Watchdog
from mismartera.session.command_log import CommandLog
from mismartera.session.coordinator import SessionCoordinator
from mismartera.session.history import HistoryLoader
from mismartera.session.inbox import Inbox
from mismartera.session.parts import SessionParts
from mismartera.session.sights import Sights
from mismartera.session.slice_desk import SliceDesk
from mismartera.session.turns import Turns
from mismartera.timing import TimeManager, WallClock

_DAYS_AHEAD = 370


class LiveEnds(Protocol):
    """What stands between the world and a session that is recorded, or that is played again.

    ``intake_wall`` is the intake's clock, and ``inbox``, ``commands`` and ``sights`` are the engine's.
    """

    @property
    def inbox(self) -> Inbox: ...  # noqa: D102  # see above
    @property
    def commands(self) -> CommandLog: ...  # noqa: D102
    @property
    def sights(self) -> Sights: ...  # noqa: D102
    @property
    def intake_wall(self) -> WallClock: ...  # noqa: D102

    def bind(self, is_engine: Callable[[], bool]) -> None:
        """Know the engine's thread."""
        ...

    def make_turns(self, is_engine: Callable[[], bool], changed: threading.Condition) -> Turns:
        """When strategies on threads of their own act; ``changed`` is the registry's lock. Before :meth:`bind`."""
        ...

    def order(self, order: Order) -> Order:
        """What the engine's order for its intake goes through."""
        ...

    def requests(self, requests: Requests) -> Requests:
        """What the intake's requests go through."""
        ...

    def door(self, on_work: Callable[[], None]) -> IntakeDoor:
        """What reaches the intake."""
        ...


class LiveSource(Struct, frozen=True, eq=False):
    """A feed, its clock, and where its bars are kept. ``until_us``: when the run ends.

    ``driver``, ``requests`` and ``inbox`` take the place of threads where a run is simulated. ``ends``: the run is
    recorded, or is a recorded one.
    """

    feed: Feed
    wall: WallClock
    keeper: Keeper
    until_us: int | None = None
    driver: Driver | None = None
    requests: Requests | None = None
    inbox: Inbox | None = None
    ends: LiveEnds | None = None


def check_live(config: SessionConfig) -> None:
    """ConfigError for what a feed of minute bars cannot give."""
    minute = parse_interval("1m")
    labels = config.session_data_config.streams
    bad = [label for label in labels if not parse_interval(label).derives_from(minute)]
    if bad:
        raise ConfigError(
            [f"session_data_config.streams: {', '.join(bad)}: a feed sends 1m bars; allowed: 1m or longer"]
        )


def live_dates(time: TimeManager, now_us: int, until_us: int | None) -> tuple[date, ...]:
    """The sessions from the present or next one on, as far as the calendar or the run's end."""
    first = time.session_of(now_us)
    last = time.session_of(until_us) if until_us is not None else first + timedelta(days=_DAYS_AHEAD)
    dates: tuple[date, ...] = ()
    for days in (0, 30, 90, 200, 300):  # the calendar may end before
        try:
            dates = time.trading_dates(first, max(first, last - timedelta(days=days)))
            break
        except CalendarError:
            continue
    return tuple(day for day in dates if time.get_trading_session(day).close_us > now_us)


def opens_in_time(time: TimeManager, dates: Sequence[date], until_us: int | None) -> bool:
    """True if the first of ``dates`` opens before the run's end."""
    return bool(dates) and (until_us is None or time.get_trading_session(dates[0]).open_us < until_us)


def live_settings(
    config: SessionConfig, specs: Sequence[IndicatorSpec], until_us: int | None = None
) -> IntakeSettings:
    """What ``config`` says of a live session that ends at ``until_us``."""
    data, feed = config.session_data_config, config.feed
    assert feed is not None, "a live session has a feed"
    streaming, gaps = data.streaming, data.gap_filler
    threshold_us = round(streaming.catchup_threshold_seconds * SECOND_US)
    grace_us = min(round(streaming.bar_grace_seconds * SECOND_US), threshold_us)
    return IntakeSettings(
        flow=FlowSettings(threshold_us, round(feed.stall_timeout_seconds * SECOND_US)),
        checks=CheckSettings(
            gaps.max_retries, round(gaps.retry_interval_seconds * SECOND_US),
            round(feed.reconcile_minutes * MINUTE_US), grace_us,
        ),
        streams=tuple(parse_interval(label) for label in data.streams), specs=specs,
        complete_only=data.derived_bars == "complete",
        load_timeout_us=round(streaming.load_timeout_seconds * SECOND_US), until_us=until_us,
    )  # fmt: skip


def bind_live(
    config: SessionConfig, parts: SessionParts, coordinator: SessionCoordinator, source: LiveSource,
    specs: Sequence[IndicatorSpec], history: HistoryLoader | None, supply: LiveSupply,
) -> None:  # fmt: skip
    """Put an intake together with the parts of a run that wait for it."""
    assert isinstance(parts.quality, LiveQuality), "a live session measures live"
    slices = parts.streamer.handover.slices = SliceDesk()
    settings = live_settings(config, specs, source.until_us)
    watchdog = Watchdog(
        parts.analysis,
        parts.state,
        parts.streamer,
        parts.time.clock,
        settings.flow.threshold_us,
        parts.warn,
        parts.desks,
    )
    desk = EngineDesk(parts, coordinator, slices, watchdog)
    trailing = max((w.trailing_days for w in config.session_data_config.historical.data), default=0)
    past = VendorPast(source.feed, parts.time, history, trailing, source.keeper.write)
    requests = source.requests or PooledRequests(lambda call: intake.do(call), desk.broke)  # noqa: PLW0108  # made below
    wall, door, ends = source.wall, IntakeDoor(supply.driver.wake), source.ends
    if ends is not None:
        ends.bind(parts.delivery.on_engine_thread)
        supply.order = ends.order
        wall, door, requests = ends.intake_wall, ends.door(supply.driver.wake), ends.requests(requests)
        parts.analysis.record_bars(_no_notice)  # whoever listens besides, the clock is read as often
    intake = Intake(settings, source.feed, past, requests, wall, desk, parts.quality, source.keeper, door)
    supply.bind(parts, intake, desk)


def _no_notice(bar: Bar) -> None:
    """A listener that does nothing."""
