"""One simulated live session: everything of it is drawn from a seed; its laws are checked while it runs and after.

The names I1 ... are those of docs/LIVE.md's invariants. A simulated session is a plain function of its seed and of
the kinds of faults that are allowed.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass, field
from datetime import date
from pathlib import Path
from random import Random
from typing import Any

from mismartera.bars import BarBlock
from mismartera.bars.instants import MINUTE_US, SECOND_US, to_iso
from mismartera.config import SessionConfig
from mismartera.errors import RunFailedError, UsageError
from mismartera.feeds.port import Feed
from mismartera.session.coordinator import SessionCoordinator
from mismartera.session.ports import EventSink
from mismartera.system.live import LiveSource
from mismartera.system.wiring import make_coordinator, make_time
from mismartera.testing.memory import EventLog, MemoryBars
from mismartera.testing.sim_bounds import Bounds
from mismartera.testing.sim_faults import DRAWN_KINDS, EARLY, KINDS, Events, Faults
from mismartera.testing.sim_journal import SimJournal
from mismartera.testing.sim_laws import check_end, check_events, check_loading, check_told
from mismartera.testing.sim_log import LogWalk, must
from mismartera.testing.sim_market import SimFeed, SimMarket
from mismartera.testing.sim_strategy import SimStrategy, Violation
from mismartera.testing.sim_world import SimInbox, SimRequests, SimulationError, SimWorld
from mismartera.timing import LiveClock, TimeManager

DAYS = (
    ("XNYS", "2024-07-03", ("12:00", "13:00")),  # a half day
    ("XNYS", "2024-03-11", ("09:30", "10:30")),  # the clocks have just changed
    ("XNYS", "2024-11-04", ("09:31", "10:31")),
    ("XHKG", "2024-07-02", ("11:30", "13:30")),  # the lunch break
    ("24/7", "2024-03-10", ("01:30", "02:30")),
)
STREAMS = (["1m"], ["1m", "5m"], ["5m"], ["1m", "3m", "15m"], ["1m", "1d"], ["2m", "10m"])
_UNDER_WAY_US = 180 * SECOND_US  # the stream may be late by so much, or an answer be on its way, sleeps apart


@dataclass
class Outcome:
    """What became of a simulated session."""

    seed: int
    violation: str | None
    fired: dict[str, int] = field(default_factory=dict)
    lines: list[dict[str, Any]] = field(default_factory=list)
    events: list[str] = field(default_factory=list)


class Kept:
    """A keeper that counts what is kept."""

    def __init__(self) -> None:
        self.rows = 0

    def put(self, interval: str, block: BarBlock) -> None:  # noqa: ARG002
        """Count it."""
        self.rows += len(block)

    def write(self, interval: str, block: BarBlock) -> None:
        """Nothing."""

    def tidy(self) -> None:
        """Nothing."""

    def stop(self) -> None:
        """Nothing."""


class Simulation:
    """A live session, ready to run. ``allowed``: the kinds of faults that may be enabled; ``only``: the names of
    the events that happen, if not all that ``seed`` draws.

    ``journal``: the file, or the URL, in which a journal is kept of it.
    """

    def __init__(
        self, seed: int, allowed: Iterable[str] = KINDS, *, user_acts: bool = True,
        journal: Path | str | None = None, only: Collection[str] | None = None,
    ) -> None:  # fmt: skip
        self.events = Events(only)
        rng = self._rng = Random(seed)  # noqa: S311  # a script, no secret
        self.seed = seed
        calendar, day, hours = rng.choice(DAYS)
        self.symbols = [f"S{k}" for k in range(rng.randint(1, 4))]
        self.threshold_us = rng.choice((20, 60, 60, 120)) * SECOND_US
        config = self._config(calendar, hours)
        time = make_time(config)
        self.session = time.get_trading_session(date.fromisoformat(day))
        first_us, close_us = self.session.open_us, self.session.close_us
        start_us = first_us + rng.choice((-400, -60, -5, 600, 1500)) * SECOND_US
        self.heal_us = first_us + (close_us - first_us) // 2
        self.until_us = rng.choice((None, close_us - 600 * SECOND_US)) or close_us
        world = self.world = SimWorld(start_us)
        market = self.market = SimMarket()
        starts = [s for part in self.session.parts for s in range(part[0], part[1], MINUTE_US)]
        for symbol in [*self.symbols, "ADD0", "ADD1"]:
            market.trade(symbol, starts, rng, rng.choice((1.0, 0.9, 0.5)))
        self.feed = SimFeed(world, market, Random(rng.random()))  # noqa: S311
        kinds = sorted(frozenset(allowed))
        enabled = frozenset(kind for kind in DRAWN_KINDS if rng.random() < 0.35 and kind in kinds)
        if EARLY in kinds and Random(f"early {seed}").random() < 0.35:  # noqa: S311
            enabled |= {EARLY}
        faults = Faults(world, market, self.feed, Random(rng.random()), enabled, self.heal_us, self.events)  # noqa: S311
        self.strategies = [
            SimStrategy(
                world, Random(rng.random()), self.threshold_us,  # noqa: S311
                slow_share=rng.choice((0.0, 0.0, 0.01)), raise_share=0.0,
            ),
            SimStrategy(
                world, Random(rng.random()), self.threshold_us, slow_share=0.0,  # noqa: S311
                raise_share=rng.choice((0.0, 0.02)),
            ),
        ]  # fmt: skip
        self.ranks = {symbol: rank for rank, symbol in enumerate(config.session_data_config.symbols)}
        self._label = config.session_data_config.streams[0]
        self.journal = None if journal is None else SimJournal(journal, world, Random(seed))  # noqa: S311
        for strategy in self.strategies:
            strategy.tells_reads = journal is not None
            strategy.ranks, strategy.is_final, strategy.missing_of = self.ranks, market.is_final, self._missing_of
        self.coordinator = self._build(config, time)
        self.bounds, self._walk = Bounds(self), LogWalk()
        world.after_step = self._check_step
        faults.plan(max(first_us, start_us), self.symbols)
        if user_acts:
            self._plan_user(max(first_us, start_us))
        self.final: dict[str, dict[str, Any]] = {}

    def _config(self, calendar: str, hours: tuple[str, str]) -> SessionConfig:
        rng = self._rng
        streams = rng.choice(STREAMS)
        indicators = [{"name": "SMA", "interval": streams[-1], "params": {"timeperiod": 3}}]
        return SessionConfig.from_dict({
            "mode": "live", "calendar": calendar, "feed": {"type": "replay", "date": "2024-07-03"},
            "session_data_config": {
                "symbols": [*self.symbols, *rng.choice(([], ["BAD1"]))], "streams": streams,
                "hours": {"open": hours[0], "close": hours[1]}, "derived_bars": rng.choice(("any", "complete")),
                "streaming": {
                    "catchup_threshold_seconds": self.threshold_us // SECOND_US,
                    "catchup_scope": rng.choice(("session", "symbol")), "bar_grace_seconds": rng.choice((5, 10)),
                },
                "gap_filler": {"max_retries": 3, "retry_interval_seconds": 30},
                "indicators": indicators,
            },
        })  # fmt: skip

    def _build(self, config: SessionConfig, time: TimeManager) -> SessionCoordinator:
        world, journal = self.world, self.journal
        live_time = make_time(config, LiveClock(world if journal is None else journal.recorder.engine_wall))
        assert live_time.zone == time.zone, "the same exchange"
        self.log = EventLog(live_time)
        self.requests = SimRequests(world, Random(self.seed))  # noqa: S311
        feed: Feed = self.feed
        sinks: list[EventSink] = [self.log]
        if journal is not None:
            feed = journal.recorder.feed(feed)
            sinks.append(journal.recorder.sink)
        source = LiveSource(
            feed, world, Kept(), self.until_us, driver=world, requests=self.requests,
            inbox=SimInbox(world) if journal is None else None, ends=None if journal is None else journal.recorder,
        )  # fmt: skip
        self.warnings: list[str] = []
        return make_coordinator(
            config, live_time, MemoryBars({}), self.strategies, sinks, [self], self.warnings.append,
            lambda *_: None, source,
        )  # fmt: skip

    # What a user does

    def _plan_user(self, first_us: int) -> None:
        rng = self._rng
        for _ in range(rng.choice((0, 1, 3, 6))):
            at_us = first_us + round(rng.random() * (self.until_us - 120 * SECOND_US - first_us))
            symbol = rng.choice([*self.symbols, "ADD0", "ADD1", "BAD2"])
            act = rng.choice(("add", "add", "remove", "again", "pause"))
            if self.events.happens(act, at_us, symbol):
                self.world.at(at_us, lambda a=act, s=symbol: self.act(a, s))  # type: ignore[misc]

    def act(self, act: str, symbol: str) -> None:
        """Add, remove, remove and add ``symbol``, or pause: what a user does now."""
        coordinator = self.coordinator
        try:
            if act in {"remove", "again"} and coordinator.remove_symbol(symbol):
                generation = coordinator.generation_of(symbol)
                for strategy in self.strategies:
                    strategy.removed[symbol] = generation
            if act in {"add", "again"} and coordinator.add_symbol(symbol):
                self.ranks[symbol] = max(self.ranks.values()) + 1
            if act == "pause":
                coordinator.inbox.pause()
                self.world.after(self._rng.choice((10.0, 200.0)), coordinator.inbox.resume)
        except UsageError:
            return  # the run is over

    # While it runs

    def _check_step(self) -> None:
        """I1: nothing is read while the session is not active, between its open and its close; and what the log,
        the states of the symbols and the sizes of what is held show.
        """
        data, coordinator = self.coordinator.session_data, self.coordinator
        self.bounds.check()
        self._walk.follow(self.log.lines)
        state = coordinator.gate_state
        if state == "closed" and coordinator.date is not None:
            return
        is_cut_off = state == "active" and coordinator.date is not None and self.bounds.is_at_rest
        must("I2", not is_cut_off or self.feed.is_connected, "the session is active, and the stream is away")
        for symbol in coordinator.loaded_in_order():
            read = data.get_bars(symbol, self._label)
            if read is not None and not data.is_session_active():
                raise SimulationError(f"I1: {symbol} is read while the session is {state}")
            if read is not None and len(read) and int(read.end_us[-1]) > self.world.now_us():
                raise SimulationError(f"I5: a bar of {symbol} that has not ended is read")

    def _missing_of(self, symbol: str) -> Sequence[str]:
        """The minutes of a symbol that is loaded of which it has no bar, but for those that REST did not know when
        it was asked for them last.
        """
        bars = self.coordinator.session_data.get_bars(symbol, "1m", internal=True)
        awake_us = self.world.awake_us
        truth, knew = self.market.minutes[symbol], self.feed.knew.get(symbol, {})
        ours = frozenset[int]() if bars is None else frozenset(bars.start_us.tolist())
        ended = [us for us in sorted(truth) if awake_us(us + MINUTE_US) >= _UNDER_WAY_US]
        return [to_iso(us) for us in ended if us not in ours and knew.get(us, True)]

    def record(self, day: date, symbols: Sequence[str], intervals: Any, data: Any) -> None:  # noqa: ARG002
        """A recorder: what the session holds at its end."""
        for symbol in symbols:
            self.final[symbol] = {}
            for label in intervals[symbol]:
                bars = data.get_bars(symbol, label, internal=True)
                columns = {n: bars.indicator(n) for n in bars.indicator_names}
                self.final[symbol][label] = (
                    bars.start_us,
                    bars.open,
                    bars.high,
                    bars.low,
                    bars.close,
                    bars.volume,
                    columns,
                )

    def run(self) -> Outcome:
        """Run it, and check everything; the outcome names the first law that was broken."""
        try:
            if self.journal is not None:
                self.journal.begin(self.coordinator.config.to_dict(), self.until_us)
            try:
                self.coordinator.run()
            except RunFailedError as error:
                if "failed: " not in str(error):
                    raise
            finally:
                if self.journal is not None:
                    self.journal.end()
            self._walk.follow(self.log.lines)
            check_events(self)
            check_loading(self)
            check_told(self)
            self.bounds.check_end()
            check_end(self)
        except (Violation, SimulationError, AssertionError) as error:
            return self._outcome(f"{type(error).__name__}: {error}")
        except Exception as error:  # noqa: BLE001  # whatever it is, the seed must be named
            return self._outcome(f"{type(error).__name__}: {error}", error)
        return self._outcome(None)

    def _outcome(self, violation: str | None, error: Exception | None = None) -> Outcome:
        if error is not None:
            violation = f"{violation} at {to_iso(self.world.now_us())}"
        return Outcome(self.seed, violation, self.feed.state.told, self.log.lines, self.events.names)
