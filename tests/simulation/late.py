"""A live session that is joined late, laid out by hand, and what is told of its symbols."""

from __future__ import annotations

from collections.abc import Sequence

from tests.simulation.day import Day, minutes

from mismartera import Strategy

YESTERDAY = minutes("2024-07-02T15:50-04:00", "2024-07-02T16:00-04:00")
MORNING = minutes("2024-07-03T09:30-04:00", "2024-07-03T11:00-04:00")
SYMBOLS = ("symbol_pending", "symbol_failed", "symbol_loaded", "symbol_removed")


def late_day(*symbols: str, start: str = "10:00:00.5", strategies: Sequence[Strategy] = ()) -> Day:
    """A session that is joined at ``start`` on a day on which all symbols trade every minute."""
    streaming = {"load_timeout_seconds": 30.0}
    config = {
        "calendar": "XNYS",
        "session_data_config": {"symbols": list(symbols), "streams": ["1m", "5m"], "streaming": streaming},
    }
    traded = dict.fromkeys(("A", "B"), (*YESTERDAY, *MORNING))
    return Day(config, f"2024-07-03T{start}-04:00", "2024-07-03T10:20:00-04:00", traded, strategies)


def moments(day: Day, *names: str) -> list[tuple[str, str, str]]:
    """Minute, name and what it is about, of each event of these names."""
    return [(time[:5], name, about.partition(";")[0]) for time, name, about in day.events(*names)]


class Unanswered(Strategy):
    """Has the vendor's store go away at the open of a session of March 10th."""

    day: Day

    def on_session_open(self) -> None:
        self.day.feed.state.rest_down = f"{self.session.now:%d}" == "10"


def unanswered_day(until: str, answered: str) -> Day:
    """Two sessions around the clock; at the second one's open the vendor's store goes away, until ``answered``."""
    traded = {"BTC/USD": minutes("2024-03-09T23:30+00:00", f"2024-03-10T{until}+00:00")}
    config = {"calendar": "24/7", "session_data_config": {"symbols": ["BTC/USD"], "streams": ["1m"]}}
    strategy = Unanswered()
    strategy.day = Day(config, "2024-03-09T23:50:30+00:00", f"2024-03-10T{until}:00+00:00", traded, [strategy])
    feed = strategy.day.feed
    strategy.day.at(f"2024-03-10T{answered}+00:00", lambda: setattr(feed.state, "rest_down", False))
    return strategy.day
