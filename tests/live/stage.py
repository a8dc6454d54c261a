"""A live session against the fake Alpaca server over real sockets, both on one fast clock, in this process."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import nullcontext
from datetime import date, datetime
from pathlib import Path
from random import Random
from typing import Any, Self

import pytest
from tests.live import laws
from tests.live.markets import DAY, SYMBOLS
from tests.live.steady import SteadyWall
from tests.live.truth import Tables, backtest, differences, known, store
from tests.live.watching import Watcher
from tests.runs import NEW_YORK, clock_time, moment, us

from mismartera import Bar, DataManager, SessionConfig, Strategy, SystemManager
from mismartera.bars.instants import SECOND_US, to_datetime, to_us
from mismartera.errors import MismarteraError
from mismartera.feeds import Feed, Keys, Secret
from mismartera.feeds.alpaca import AlpacaFeed
from mismartera.journal import JournalReader, open_database
from mismartera.report.events import bar_fields
from mismartera.session.ports import Field
from mismartera.system.journaling import open_journal
from mismartera.system.outcome import Outcome
from mismartera.system.playing import PlayedSession
from mismartera.testing.alpaca_market import AlpacaFaults, AlpacaMarket, MarketBar, MarketStatus
from mismartera.testing.alpaca_server import AlpacaServer
from mismartera.testing.memory import MemoryDumps
from mismartera.timing import RehearsalClock

KEY, SECRET = "test-key", "test-secret"
WALL_SECONDS = 20.0
"""How long a test waits for what must come; only a failing one waits that long."""
STALL_SECONDS = 180.0
"""Bars come each minute: of the 90 by default, 30 would be left, which are 50 ms of the wall."""
GRACE_SECONDS = 20.0
"""More than by default: it is 33 ms of the wall, in which a frame must go through two threads and a socket."""
INDICATORS = (
    {"name": "SMA", "interval": "5m", "params": {"timeperiod": 2}},
    {"name": "EMA", "interval": "1m", "params": {"timeperiod": 5}},
)


class LiveLog:
    """A sink that keeps every event as a dict of its fields, with ``event`` and ``now_us``; others can wait."""

    wants_bars = wants_gaps = True

    def __init__(self, now_us: Callable[[], int]) -> None:
        self._now_us = now_us
        self.lines: list[dict[str, Any]] = []
        self.changed = threading.Condition()

    def event(self, name: str, now_us: int, fields: Mapping[str, Field]) -> None:
        self._keep({**fields, "event": name, "now_us": now_us})

    def bar(self, bar: Bar) -> None:
        at_us = bar.end_us + round(bar.lag_seconds * SECOND_US)
        assert at_us <= self._now_us(), "lag is measured before the bar is handed over"
        self._keep({"source": "", **bar_fields(bar), "end_us": bar.end_us, "event": "bar", "now_us": at_us})

    def _keep(self, line: dict[str, Any]) -> None:
        with self.changed:
            self.lines.append(line)
            self.changed.notify_all()

    def of(self, *names: str, **fields: object) -> list[dict[str, Any]]:
        """The events of these names whose fields have these values."""
        return [
            line
            for line in self.lines
            if line["event"] in names and all(line.get(key) == value for key, value in fields.items())
        ]

    def told(self, *names: str) -> list[str]:
        """Events in short: ``10:01 session_deactivated stale``."""
        parts = (
            (clock_time(line["now_us"])[:5], line["event"], line.get("symbol"), line.get("reason"))
            for line in self.lines
            if line["event"] in names
        )
        return [" ".join(str(part) for part in line if part is not None) for line in parts]


class Stage:
    """One run from ``start`` to ``until`` (times of ``day``, or with a date). Use it as a context manager.

    ``at(time, act)`` plans what is done when the clock reads ``time``; ``play`` runs it all, and holds what came
    of it against :mod:`tests.live.laws` and, if ``is_whole``, against a backtest of what REST knows at the end.
    """

    def __init__(
        self, folder: Path, bars: Iterable[MarketBar], statuses: Iterable[MarketStatus] = (), *,
        symbols: Sequence[str] = SYMBOLS, start: str = "10:00", until: str = "10:20", speed: float = 600.0,
        streams: Sequence[str] = ("1m", "5m"), strategies: Sequence[Strategy] = (), secret: str = SECRET,
        threshold: float = 60.0, streaming: Mapping[str, Any] | None = None, day: str = DAY,
        feed: Mapping[str, Any] | None = None, schedule: Sequence[Mapping[str, str]] = (),
        on_error: str = "isolate", **data: Any,
    ) -> None:  # fmt: skip
        self.day, self.threshold, self.is_whole = day, threshold, True
        until_at = datetime.fromisoformat(until).replace(tzinfo=NEW_YORK) if "T" in until else moment(until, day)
        self.start_us, self.until_us = us(start, day), to_us(until_at)
        self._wall = SteadyWall()
        self._wall.start()
        self.clock = RehearsalClock(self.start_us, speed, self.make_wall())
        self.market = AlpacaMarket(bars, statuses)
        self.server = AlpacaServer(self.market, self.clock, keys=(KEY, SECRET))
        self.server.start()
        streaming = {
            "catchup_threshold_seconds": threshold,
            "bar_grace_seconds": GRACE_SECONDS,
            **(streaming or {}),
        }
        self.data_config = {
            "symbols": list(symbols), "streams": list(streams), "streaming": streaming,
            "indicators": [i for i in INDICATORS if i["interval"] in streams], **data,
        }  # fmt: skip
        urls: dict[str, object] = {
            "type": "alpaca",
            "stream_url": self.server.stream_url,
            "data_url": self.server.data_url,
        }
        urls["stall_timeout_seconds"] = STALL_SECONDS
        config = SessionConfig.from_dict({
            "mode": "live", "feed": {**urls, **(feed or {})}, "session_data_config": self.data_config,
            "schedule": list(schedule), "analysis": {"on_strategy_error": on_error},
        })  # fmt: skip
        self.folder = folder
        self.store = DataManager(folder / "store")
        self.log = LiveLog(self.clock.now_us)
        self.dumps = MemoryDumps()
        self.feed = self.make_feed(
            AlpacaFeed(
                self.server.stream_url, self.server.data_url, Keys(Secret(KEY), Secret(secret)), self.clock,
                Random(1),
            )
        )  # fmt: skip
        self._watchers = [s for s in strategies if isinstance(s, Watcher)]
        self.can_be_played_again = all(type(s) is Watcher and not s.on for s in strategies)
        """False where a strategy does what it does once only."""
        self.again: Sequence[Watcher] = [Watcher() for _ in self._watchers]
        """The strategies when it is played again: what these do once only is left out there."""
        self._warnings: list[str] = []
        self.system = SystemManager(
            config, data_manager=self.store, strategies=strategies, sinks=[self.log], recorders=[self.dumps],
            feed=self.feed, wall=self.clock, until=until_at,
            record=open_journal(folder / "journal.db", self.clock, self._warnings.append),
        )  # fmt: skip
        self._acts: list[tuple[int, Callable[[], object]]] = []

    def make_wall(self) -> Callable[[], float]:
        """Wall seconds since some moment, of which the clock is made."""
        return self._wall

    def make_feed(self, vendor: Feed) -> Feed:
        """What the session is fed by: the vendor's own feed, where nobody says otherwise."""
        return vendor

    @property
    def faults(self) -> AlpacaFaults:
        """What goes wrong at the vendor."""
        return self.server.faults

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *error: object) -> None:
        self.close()

    def close(self) -> None:
        """End what still runs."""
        self.system.stop()
        self.feed.stop()
        self.server.stop()
        self._wall.stop()

    # Playing

    def at(self, time: str, act: Callable[[], object]) -> None:
        """Do ``act`` when the clock reads ``time``."""
        self._acts.append((us(time, self.day), act))

    def set(self, time: str, **faults: Any) -> None:
        """Switch the vendor's faults when the clock reads ``time``."""

        def switch() -> None:
            for name, value in faults.items():
                setattr(self.faults, name, value)

        self.at(time, switch)

    def drop(self, time: str) -> None:
        """Cut all connections when the clock reads ``time``."""
        self.at(time, self.server.drop_all)

    def play(self, *, fails: bool = False) -> None:
        """Run to the end; everything that must always hold is checked. ``fails``: the run ends with an error."""
        self.system.start()
        for due_us, act in sorted(self._acts, key=lambda planned: planned[0]):
            self._wait_until(due_us)
            act()
        self.finish(fails=fails)

    def finish(self, *, fails: bool = False) -> None:
        """Wait for the end of the run, and check it."""
        seconds = self.clock.wall_seconds((self.until_us - self.clock.now_us()) / SECOND_US)
        try:
            assert self.system.wait(max(seconds, 0.0) + WALL_SECONDS), f"it does not end: {self.log.lines[-5:]}"
        except MismarteraError:
            if not fails:
                raise
        assert (self.system.outcome is Outcome.FAILED) is fails, self.system.outcome
        self.check()

    def hold_until(self, time: str) -> None:
        """Keep the calling thread, a strategy's for example, until the clock reads ``time``."""
        nothing = threading.Event()
        while (missing_us := us(time, self.day) - self.clock.now_us()) > 0:
            nothing.wait(self.clock.wall_seconds(missing_us / SECOND_US))

    def wait_for(self, condition: Callable[[], object]) -> None:
        """Until ``condition`` holds, which is asked after each event."""
        with self.log.changed:
            assert self.log.changed.wait_for(condition, WALL_SECONDS), f"in vain: {self.log.lines[-5:]}"

    def _wait_until(self, due_us: int) -> None:
        while (missing_us := due_us - self.clock.now_us()) > 0:
            seconds = self.clock.wall_seconds(missing_us / SECOND_US)
            has_ended = self.system.wait(seconds)
            assert not has_ended, f"it ended before {clock_time(due_us)}: {self.log.lines[-5:]}"

    # Checking

    @property
    def summary(self) -> Any:
        """The summary of the run, as JSON has it."""
        return self.system.summary()

    def check(self) -> None:
        """The laws, and the backtest."""
        problems = laws.breaches(self.log.lines, threshold_seconds=self.threshold)
        problems += laws.uncounted(self.summary["counts"])
        time = self.system.get_time_manager()
        for day in dict.fromkeys(key[0] for key in self.dumps.tables):
            session = time.get_trading_session(date.fromisoformat(day))
            tables = {key: rows for key, rows in self.dumps.tables.items() if key[0] == day}
            until_us = min(session.close_us, self.until_us)
            problems += laws.unresolved(self.log.lines, tables, session.open_us, until_us)
        assert not problems, "\n".join(["", *problems])
        if self.is_whole:
            self.check_parity()
        assert not self._warnings, self._warnings
        if self.can_be_played_again:
            self.check_replay()

    def check_replay(self) -> None:
        """Played again from its journal, the session is told of the same, to the last digit."""
        reader = JournalReader(open_database(self.folder / "journal.db", make=False))
        played = PlayedSession(reader, reader.session("last"))
        log = LiveLog(lambda: 1 << 62)
        system = SystemManager(
            played.config, data_manager=self.store, strategies=self.again, sinks=[log], feed=played.feed,
            wall=played.wall, until=to_datetime(self.until_us, NEW_YORK), record=played,
        )  # fmt: skip
        system.start()
        error = self.system.error if self.system.outcome is Outcome.FAILED else None
        with nullcontext() if error is None else pytest.raises(type(error)):
            system.wait()
        for number, (line, then) in enumerate(zip(log.lines, self.log.lines, strict=False)):
            assert line == then, f"line {number}"
        more = min(len(log.lines), len(self.log.lines))
        assert not log.lines[more:], f"told of only again: {log.lines[more:]}"
        assert not self.log.lines[more:], f"told of only then: {self.log.lines[more:]}"
        for watcher, before in zip(self.again, self._watchers, strict=True):
            assert watcher.bars == before.bars
            assert watcher.told == before.told

    def check_parity(self) -> None:
        """The dump is that of a backtest of what REST knows now."""
        symbols = [symbol for _, symbol, interval in self.dumps.tables if interval == "1m"]
        bars = known(self.market, symbols, self.day, self.until_us, self.clock.now_us())
        tested = self.backtest(store(self.folder / "truth", bars), symbols)
        assert not differences(self.dumps.tables, tested, self.until_us)

    def backtest(self, data: DataManager, symbols: Sequence[str]) -> Tables:
        """What a backtest of the day on ``data`` dumps."""
        return backtest(data, self.data_config | {"symbols": list(symbols), "streaming": {}}, self.day)
