"""What a session of the intake is made of."""

from __future__ import annotations

from mismartera.bars import parse_interval
from mismartera.feeds.port import Feed
from mismartera.live.answers import PastSource
from mismartera.live.batch import Processing
from mismartera.live.checks import Checks
from mismartera.live.engine_end import EngineEnd
from mismartera.live.flow import Flow
from mismartera.live.ledger import DayLedger
from mismartera.live.requests import Requests
from mismartera.live.settings import IntakeSettings
from mismartera.live.splices import Splices
from mismartera.live.timers import Timers
from mismartera.live.today import Today
from mismartera.timing import TradingSession, WallClock


def make_today(
    session: TradingSession, settings: IntakeSettings, feed: Feed, past: PastSource, requests: Requests,
    timers: Timers, clock: WallClock, engine: EngineEnd, flow: Flow,
) -> Today:  # fmt: skip
    """``session``, of which nothing is known yet."""
    processing = Processing(session, parse_interval("1m"), settings.specs, settings.complete_only)
    ledger = DayLedger(processing, settings.until_us)
    checks = Checks(settings.checks, ledger, feed, requests, timers, clock, engine, lambda: flow.is_good)
    splices = Splices(
        ledger, feed, past, flow, checks, requests, timers, clock, engine,
        grace_us=settings.checks.grace_us, load_timeout_us=settings.load_timeout_us,
    )  # fmt: skip
    return Today(
        ledger, splices, checks, flow, clock, timers, engine, settings.checks.grace_us, settings.flow.threshold_us
    )
