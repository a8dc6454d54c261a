"""A simulated live run that a test lays out by hand: what is traded, and what happens when."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from random import Random
from typing import Any

from mismartera import SessionConfig, Strategy
from mismartera.bars.instants import MINUTE_US, to_us
from mismartera.system.live import LiveSource
from mismartera.system.wiring import make_coordinator, make_time
from mismartera.testing.memory import EventLog, MemoryBars, MemoryDumps
from mismartera.testing.sim_market import SimFeed, SimMarket
from mismartera.testing.sim_world import SimInbox, SimRequests, SimWorld
from mismartera.testing.simulation import Kept
from mismartera.timing import LiveClock

ARRIVES_US = 200_000


def us(moment: str) -> int:
    """Microseconds of an ISO time with a zone."""
    return to_us(datetime.fromisoformat(moment))


def minutes(first: str, last: str) -> range:
    """The starts of the minutes from ``first`` on, before ``last``."""
    return range(us(first), us(last), MINUTE_US)


class Day:
    """``traded`` maps symbols to the starts of minutes; those that end in the run are sent as they end."""

    def __init__(
        self, config: dict[str, Any], start: str, until: str, traded: Mapping[str, Sequence[int]],
        strategies: Sequence[Strategy] = (), make_inbox: Callable[[SimWorld], SimInbox] = SimInbox,
    ) -> None:  # fmt: skip
        session = SessionConfig.from_dict(
            {"mode": "live", "feed": {"type": "replay", "date": "2024-07-03"}, **config}
        )
        self.world = world = SimWorld(us(start))
        self.market = SimMarket()
        for symbol, starts in traded.items():
            self.market.trade(symbol, starts, Random(symbol), 1.0)
        self.feed = SimFeed(world, self.market, Random(1))
        time = make_time(session, LiveClock(world))
        self.log, self.dumps = EventLog(time), MemoryDumps()
        self.requests = SimRequests(world, Random(2))
        source = LiveSource(
            self.feed, world, Kept(), us(until), driver=world, requests=self.requests, inbox=make_inbox(world)
        )
        self.warnings: list[str] = []
        self.coordinator = make_coordinator(
            session, time, MemoryBars({}), strategies, [self.log], [self.dumps], self.warnings.append,
            lambda *_: None, source,
        )  # fmt: skip
        for start_us in sorted({start for starts in traded.values() for start in starts}):
            if start_us + MINUTE_US > world.now_us():
                world.at(start_us + MINUTE_US + ARRIVES_US, lambda at_us=start_us: self._send(at_us))  # type: ignore[misc]

    def _send(self, start_us: int) -> None:
        found = self.market.minutes
        self.feed.send([(s, start_us, mine[start_us].values) for s, mine in found.items() if start_us in mine])

    def at(self, moment: str, event: Callable[[], object]) -> None:
        """Let it happen then."""

        def happen() -> None:
            event()

        self.world.at(us(moment), happen)

    def events(self, *names: str) -> list[tuple[str, str, str]]:
        """Time of day, name, and reason or symbol of each event of these names."""
        return [
            (line["time"][11:19], line["event"], str(line.get("reason", line.get("symbol", ""))))
            for line in self.log.lines
            if line["event"] in names
        ]
