"""A minute of which nothing is known is asked for ``max_retries`` times more, in turn, and then no more (R8)."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date
from random import Random
from typing import Any

import numpy as np
import pytest

from mismartera import TimeManager
from mismartera.bars import SeriesInfo, parse_interval
from mismartera.bars.instants import MINUTE_US, SECOND_US
from mismartera.errors import FeedUnavailableError
from mismartera.feeds.port import BackfillResult
from mismartera.live.batch import Processing
from mismartera.live.checks import Checks
from mismartera.live.entry import Entry, Rows
from mismartera.live.ledger import DayLedger
from mismartera.live.questions import CheckSettings
from mismartera.live.timers import Timers
from mismartera.session.symbols import Member
from mismartera.testing.sim_market import SimFeed, SimMarket
from mismartera.testing.sim_world import SimWorld

SESSION = TimeManager("XNYS").get_trading_session(date(2024, 7, 3))
RETRIES, RETRY_US, GRACE_US = 3, 60 * SECOND_US, 10 * SECOND_US


class Asked(SimFeed):
    """Notes when it is asked for bars."""

    def backfill(self, symbols: Sequence[str], interval: str, start_us: int, end_us: int) -> BackfillResult:
        self.at.append(self._world.now_us())
        return super().backfill(symbols, interval, start_us, end_us)

    at: list[int]


class Stage:
    """Checks of one symbol, which traded in the first minute and of which nothing has come."""

    def __init__(self, *, can_fill: bool) -> None:
        self.world = SimWorld(SESSION.open_us)
        market = SimMarket()
        market.trade("A", [SESSION.open_us], Random(1), 1.0)
        self.feed = Asked(self.world, market, Random(2))
        self.feed.at = []
        self.told: list[str] = []
        self.timers = Timers()
        minute = parse_interval("1m")
        self.ledger = DayLedger(Processing(SESSION, minute, (), complete_only=False))
        member = Member("A", 1, 0, None)
        self.entry = self.ledger.enter(member, Entry(member, (minute,), SeriesInfo(1, SESSION.zone), -1))
        none = Rows(np.empty(0, dtype=np.int64), np.empty((5, 0)), np.empty(0, dtype=np.uint8))
        self.ledger.put({self.entry: none}, as_backlog=True)
        self.entry.held = None
        settings = CheckSettings(RETRIES, RETRY_US, 600 * MINUTE_US, GRACE_US)
        self.checks = Checks(
            settings, self.ledger, self.feed, self, self.timers, self.world, self, lambda: can_fill  # type: ignore[arg-type]
        )  # fmt: skip

    def ask(self, call: Any, done: Any) -> None:
        """Requests: answered after a second."""
        try:
            answer = call()
        except FeedUnavailableError as error:
            answer = error
        self.timers.at(self.world.now_us() + SECOND_US, lambda: done(answer))

    def event_of(self, entry: Entry, name: str, /, **_: object) -> None:
        self.told.append(f"{entry.symbol} {name}")

    def replaced(self, _: object) -> None: ...

    def grew(self, _: object) -> None: ...

    def play(self, minutes: int) -> None:
        """Second by second, as the intake does: what is over and unknown is wanted at each step."""
        for second in range(60, 60 * minutes):
            self.world.jump(SESSION.open_us / SECOND_US + second - self.world.now_us() / SECOND_US)
            self.timers.run_due(self.world.now_us())
            if second >= 70:
                self.checks.want(self.ledger.unknown(0, 1))


@pytest.mark.parametrize("is_down", [True, False], ids=["the service is down", "the stream is away"])
def test_what_nobody_can_tell_is_asked_for_again_in_turn_and_then_no_more(is_down: bool) -> None:
    stage = Stage(can_fill=is_down)
    stage.feed.state.rest_down = is_down
    stage.play(minutes=15)
    assert len(stage.feed.at) == 1 + RETRIES
    assert all(b - a >= RETRY_US for a, b in zip(stage.feed.at, stage.feed.at[1:], strict=False))
    assert stage.told == []


def test_what_the_vendor_has_is_filled_in_with_one_request() -> None:
    stage = Stage(can_fill=True)
    stage.play(minutes=5)
    assert len(stage.feed.at) == 1
    assert stage.told == ["A backfilled"]
    assert stage.ledger.has_bar(stage.entry, 0)
