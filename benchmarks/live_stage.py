"""A live session on a bench: a clock set by hand, a feed that decodes frames when told to, all else as in life."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from types import TracebackType
from typing import Any

import msgspec
import numpy as np

from benchmarks.case import symbol_names
from benchmarks.data import full_sessions
from benchmarks.engine import SMA
from mismartera import Bar, DataManager, SessionConfig, Strategy, SystemManager
from mismartera.bars import BarBlock, parse_interval
from mismartera.bars.instants import DAY_US, MINUTE_US, SECOND_US
from mismartera.catalog.report import WriteReport
from mismartera.feeds.alpaca.decode import Codec
from mismartera.feeds.port import BackfillResult, Connected, Disconnected, FeedSink, Subscribed
from mismartera.feeds.sift import sift
from mismartera.session.ports import Field
from mismartera.system.journaling import open_journal

_MINUTE = parse_interval("1m")
_PATIENCE_SECONDS = 120.0


class HandClock:
    """Stands until it is set; who waits for it is woken by what the bench does."""

    def __init__(self, now_us: int) -> None:
        self._now_us = now_us

    def set(self, us: int) -> None:
        """It is ``us`` now."""
        assert us >= self._now_us, "time never goes back"
        self._now_us = us

    def now_us(self) -> int:
        """What it was set to."""
        return self._now_us

    def wall_seconds(self, seconds: float) -> float:  # nobody waits for it to run
        """For ever."""
        return 1e9

    def monotonic(self) -> float:
        """Wall seconds."""
        return time.perf_counter()

    def begin(self, moment: float) -> None:
        """Nothing: it stands."""


class Market:
    """Bars in cents, a row per minute. ``trades``: which of them there are, on the stream and for REST."""

    def __init__(self, count: int, minutes: int, open_us: int, seed: int = 7) -> None:
        rng = np.random.default_rng(seed)
        self.symbols = symbol_names(count)
        self.place = {symbol: k for k, symbol in enumerate(self.symbols)}
        self.open_us = open_us
        close = np.round(rng.integers(5_000, 50_000, count) + rng.normal(0, 20, (minutes, count)).cumsum(axis=0))
        close = np.maximum(close, 100.0)
        self.prices = np.stack((close, close + 3, close - 3, close + 1, 100.0 * rng.integers(1, 900, close.shape)))
        self.prices[:4] /= 100
        self.trades = np.ones(close.shape, dtype=np.bool_)

    def frame(self, kind: str, minute: int, places: Sequence[int]) -> bytes:
        """Messages about one minute of these symbols, in msgpack; a correction has another close and volume."""
        start = msgspec.msgpack.Ext(-1, _stamp(self.open_us + minute * MINUTE_US))
        rows = self.prices[:, minute, list(places)].T.tolist()
        messages = [
            {"T": kind, "S": self.symbols[k], "o": o, "h": h, "l": low, "c": c, "v": v, "n": 9, "t": start}
            for k, (o, h, low, c, v) in zip(places, rows, strict=True)
        ]  # fmt: skip
        return msgspec.msgpack.encode(messages)

    def correct(self, minute: int, places: Sequence[int]) -> None:
        """The vendor has found other trades of these."""
        self.prices[3, minute, list(places)] += 0.01
        self.prices[4, minute, list(places)] += 100.0

    def block(self, symbols: Sequence[str], start_us: int, end_us: int) -> BarBlock:
        """What the vendor's store answers."""
        first = min(max(-(-(start_us - self.open_us) // MINUTE_US), 0), self.prices.shape[1])
        last = min(max((end_us - self.open_us) // MINUTE_US, first), self.prices.shape[1])
        places = [self.place[symbol] for symbol in symbols]
        owner, minute = np.nonzero(self.trades[first:last, places].T)
        offsets = np.concatenate(([0], np.cumsum(np.bincount(owner, minlength=len(places)))))
        of_all = np.array(places)[owner]
        columns = [table[first + minute, of_all] for table in self.prices]
        return BarBlock(tuple(symbols), offsets, self.open_us + (first + minute) * MINUTE_US, *columns)


class BenchFeed:
    """A :class:`~mismartera.feeds.port.Feed` whose frames come when :meth:`send` is called."""

    def __init__(self, market: Market, clock: HandClock) -> None:
        self._market = market
        self._clock = clock
        self._codec = Codec("msgpack")
        self._wanted: dict[str, None] = {}
        self.sink: FeedSink | None = None
        self.last_data_us: int | None = None
        self.answered_at = 0.0
        self.has_told_past = threading.Event()

    def start(self, sink: FeedSink) -> None:
        """Connected at once, with all that is wanted."""
        self.sink = sink
        self.connect()

    def connect(self) -> None:
        """A new connection."""
        self._put(Connected())
        self._put(Subscribed(tuple(self._wanted)))

    def drop(self) -> None:
        """The connection is gone."""
        self._put(Disconnected("dropped", was_connected=True, retry_in_seconds=1.0))

    def send(self, frame: bytes) -> None:
        """A frame has come: decoded, checked and handed over, as by Alpaca's conversation."""
        now_us = self._clock.now_us()
        self.last_data_us = now_us
        found = self._codec.decode(frame)
        for messages, corrections in ((found.bars, False), (found.updates, True)):
            if not messages:
                continue
            raw = found.columns(messages)
            rows, rejected = sift(raw, _MINUTE, now_us, self._wanted)
            assert not rejected, "the market is sound"
            if len(rows):
                self._put(raw.arrived(rows, "1m", now_us, corrections=corrections))

    def settle(self) -> None:
        """A message that changes nothing, and is told of when all before it were taken."""
        self._put(Subscribed(()))

    def subscribe(self, symbols: Sequence[str]) -> None:
        """Confirmed at once."""
        self._wanted.update(dict.fromkeys(symbols))
        if self.sink is not None:
            self._put(Subscribed(tuple(symbols)))

    def unsubscribe(self, symbols: Sequence[str]) -> None:
        """Wanted no more."""
        for symbol in symbols:
            self._wanted.pop(symbol, None)

    def backfill(self, symbols: Sequence[str], interval: str, start_us: int, end_us: int) -> BackfillResult:
        """From the market; every symbol has traded the day before."""
        market = self._market
        if interval == "1m":
            block = market.block(symbols, start_us, end_us)
        else:
            ones = np.ones(len(symbols))
            self.has_told_past.set()
            day = np.full(len(symbols), market.open_us - DAY_US)
            block = BarBlock(tuple(symbols), np.arange(len(symbols) + 1), day, *[ones.copy() for _ in range(5)])
        self.answered_at = time.perf_counter()
        return BackfillResult(interval, block)

    def reconnect(self, reason: str) -> None:
        """The bench never stalls."""
        raise AssertionError(f"the bench's stream was found stalled: {reason}")

    def leave(self) -> None:
        """Nothing runs here."""

    def stop(self) -> None:
        """Nothing runs here."""

    def _put(self, message: Any) -> None:
        assert self.sink is not None, "the feed was started"
        assert self.sink.put(message), "the queue has room for a frame"


class Echo:
    """An :class:`~mismartera.session.ports.EventSink` that tells when the bench's own message has come through."""

    wants_bars = wants_gaps = False

    def __init__(self) -> None:
        self.heard = threading.Event()
        self._changed = threading.Condition()

    def wait_for(self, reached: Callable[[], bool]) -> bool:
        """True once it is so, which is looked at after each event."""
        with self._changed:
            return self._changed.wait_for(reached, _PATIENCE_SECONDS)

    def event(self, name: str, now_us: int, fields: Mapping[str, Field]) -> None:
        """See :class:`EventSink`."""
        if name == "feed_subscribed" and not fields["symbols"]:
            self.heard.set()
        with self._changed:
            self._changed.notify_all()

    def bar(self, bar: Bar) -> None:
        """Not asked for."""


class TimedStore(DataManager):
    """How long each commit of live bars took."""

    def __init__(self, path: Path) -> None:
        super().__init__(path)
        self.commits: list[tuple[int, float]] = []

    def write_block(self, interval: str, block: BarBlock, *, note: str = "") -> WriteReport:
        """See :class:`DataManager`."""
        begun = time.perf_counter()
        report = super().write_block(interval, block, note=note)
        self.commits.append((len(block), time.perf_counter() - begun))
        return report


class Stage:
    """A live session of ``count`` symbols that is about to open, and its journal, if any. A context manager."""

    def __init__(
        self, count: int, minutes: int, strategy: Strategy, store: Path, journal: Path | str | None = None
    ) -> None:
        session = full_sessions(1)[0]
        self.open_us = session.open_us
        self.clock = HandClock(self.open_us - 2 * SECOND_US)
        self.market = Market(count, minutes, self.open_us)
        self.feed = BenchFeed(self.market, self.clock)
        self.echo = Echo()
        self.store = TimedStore(store)
        self.system = SystemManager(
            live_config(self.market.symbols), data_manager=self.store, strategies=[strategy], sinks=[self.echo],
            feed=self.feed, wall=self.clock, until=datetime.fromtimestamp(session.close_us / SECOND_US, UTC),
            record=None if journal is None else open_journal(journal, self.clock, print),
        )  # fmt: skip

    def __enter__(self) -> Stage:
        self.system.start()
        self.wait(lambda: self.feed.sink is not None)
        self.settle()
        self.wait(lambda: len(self.system.coordinator.get_pending_symbols()) == len(self.market.symbols))
        self.feed.has_told_past.wait(_PATIENCE_SECONDS)
        self.settle()
        self.reach(self.open_us)
        self.wait(lambda: len(self.system.coordinator.get_loaded_symbols()) == len(self.market.symbols))
        self.settle()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.system.stop()

    def reach(self, us: int) -> None:
        """It is ``us`` now, and everybody knows."""
        self.clock.set(us)
        self.system.coordinator.inbox.look_again()
        self.settle()

    def settle(self) -> None:
        """Return when all that was sent is done with: taken at the first message, shown by the second."""
        for _ in range(2):
            self.echo.heard.clear()
            self.feed.settle()
            if not self.echo.heard.wait(_PATIENCE_SECONDS):
                raise TimeoutError(f"the engine stands: {self.system.outcome}, {self.system.error}")

    def wait(self, reached: Callable[[], bool]) -> None:
        """Return once it is so, which an event tells of."""
        if not self.echo.wait_for(reached):
            raise TimeoutError(f"what was waited for does not come: {self.system.outcome}, {self.system.error}")


def _stamp(us: int) -> bytes:
    seconds, rest = divmod(us, SECOND_US)
    return (rest * 1000 << 34 | seconds).to_bytes(8, "big")


def live_config(symbols: Sequence[str]) -> SessionConfig:
    """A live session with the derived bars and the indicator of the other workloads."""
    return SessionConfig.from_dict(
        {
            "session_name": "bench", "exchange_group": "US_EQUITY", "mode": "live",
            "feed": {"type": "alpaca", "stream_url": "ws://127.0.0.1:1/v2/iex", "data_url": "http://127.0.0.1:1"},
            "session_data_config": {
                "symbols": list(symbols), "streams": ["1m", "5m", "15m"], "indicators": [SMA],
            },
        }
    )  # fmt: skip
