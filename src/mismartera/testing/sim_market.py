"""SimMarket and SimFeed: what happened in a simulated market, and a vendor that tells it more or less well."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from random import Random

import numpy as np

from mismartera.bars import Bar, BarBlock, parse_interval
from mismartera.bars.instants import MINUTE_US, SECOND_US
from mismartera.errors import FeedRefusedError, FeedUnavailableError, KeysRefusedError
from mismartera.feeds.port import (
    BackfillResult,
    BarsArrived,
    Connected,
    Disconnected,
    FeedMessage,
    FeedSink,
    Rejected,
    StatusChanged,
    Subscribed,
    SymbolRefused,
)
from mismartera.feeds.sift import RawBars, sift
from mismartera.testing.sim_world import SimWorld

_MINUTE = parse_interval("1m")
Values = tuple[float, float, float, float, float]
Row = tuple[str, int, Values]
"""Symbol, start and values of a bar."""


@dataclass
class Minute:
    """A minute with trades: its values, and from ``corrected_us`` on others."""

    start_us: int
    values: Values
    corrected_us: int | None = None
    correction: Values | None = None

    def known(self, now_us: int) -> Values:
        """What the vendor's store says of it."""
        if self.correction is not None and self.corrected_us is not None and now_us >= self.corrected_us:
            return self.correction
        return self.values


class SimMarket:
    """Per symbol the minutes with trades, by their starts."""

    def __init__(self) -> None:
        self.minutes: dict[str, dict[int, Minute]] = {}
        self.spoiled: set[tuple[str, int]] = set()
        """Bars, by symbol and start, that break a rule in the vendor's store."""

    def trade(self, symbol: str, starts: Iterable[int], rng: Random, share: float) -> None:
        """Let ``symbol`` trade in that share of the minutes."""
        price = rng.uniform(10, 200)
        mine = self.minutes.setdefault(symbol, {})
        for start_us in starts:
            if rng.random() < share:
                price = max(1.0, price + rng.uniform(-0.5, 0.5))
                mine[start_us] = Minute(start_us, values_at(price, rng))

    def known(self, symbol: str, first_us: int, last_us: int, now_us: int) -> list[tuple[int, Values]]:
        """What the vendor's store has of a symbol, of minutes that end by ``now_us``."""
        found = self.minutes.get(symbol, {})
        return [
            (start, minute.known(now_us))
            for start, minute in sorted(found.items())
            if first_us <= start < last_us and start + MINUTE_US <= now_us and (symbol, start) not in self.spoiled
        ]

    def is_final(self, bar: Bar) -> bool:
        """False for a minute's bar with values that nobody has ever given it after its end."""
        if bar.interval != "1m":
            return True
        minute = self.minutes[bar.symbol].get(bar.start_us)
        values = (bar.open, bar.high, bar.low, bar.close, bar.volume)
        return minute is not None and values in {minute.values, other_values(minute.values)}


def other_values(values: Values) -> Values:
    """What a correction, or a second bar of the same minute, says instead."""
    open_, high, low, close, volume = values
    return (open_, high + 0.5, low, close, volume + 10.0)


def values_at(price: float, rng: Random) -> Values:
    """A valid bar around ``price``."""
    open_, close = price + rng.uniform(-0.2, 0.2), price + rng.uniform(-0.2, 0.2)
    high, low = max(open_, close) + rng.uniform(0, 0.1), min(open_, close) - rng.uniform(0, 0.1)
    return (round(open_, 4), round(high, 4), round(low, 4), round(close, 4), float(rng.randint(1, 5000)))


@dataclass
class FeedState:
    """How the vendor is at present. ``told`` counts what went wrong, by kind."""

    mute: bool = False
    extra_seconds: float = 0.0
    rest_down: bool = False
    rest_lag_seconds: float = 0.0
    cannot_connect: bool = False
    forgets: set[str] = field(default_factory=set)
    denies: set[str] = field(default_factory=set)
    refuses_keys: bool = False
    told: dict[str, int] = field(default_factory=dict)

    def note(self, kind: str) -> None:
        """A fault of this kind has fired."""
        self.told[kind] = self.told.get(kind, 0) + 1


class SimFeed:
    """A :class:`~mismartera.feeds.port.Feed` on a simulated market. Messages go to the sink at their times."""

    def __init__(self, world: SimWorld, market: SimMarket, rng: Random) -> None:
        self.last_data_us: int | None = None
        self.state = FeedState()
        self.knew: dict[str, dict[int, bool]] = {}
        """Per symbol the minutes with trades that were asked for last, and whether the store knew them then."""
        self._world = world
        self._market = market
        self._rng = rng
        self._desired: dict[str, None] = {}
        self._confirmed: set[str] = set()
        self._sink: FeedSink | None = None
        self.is_connected = self._is_running = False
        self._line = 0  # counts connections: what was under way on an old one never comes

    def start(self, sink: FeedSink) -> None:
        """See the port."""
        self._sink, self._is_running = sink, True
        self._world.after(self._rng.uniform(0.1, 1.5), self._connect)

    def subscribe(self, symbols: Sequence[str]) -> None:
        """See the port."""
        self._desired |= dict.fromkeys(symbols)
        self._confirm(symbols)

    def unsubscribe(self, symbols: Sequence[str]) -> None:
        """See the port."""
        for symbol in symbols:
            self._desired.pop(symbol, None)
            self._confirmed.discard(symbol)
            self.knew.pop(symbol, None)

    def backfill(self, symbols: Sequence[str], interval: str, start_us: int, end_us: int) -> BackfillResult:
        """See the port."""
        if self.state.rest_down:
            self.state.note("rest_down")
            raise FeedUnavailableError("the service is down", self._rng.uniform(0.5, 5.0))
        if self.state.refuses_keys:
            raise KeysRefusedError("these keys are not known")
        known_us = self._world.now_us() - round(self.state.rest_lag_seconds * SECOND_US)
        refused = {symbol: "no such symbol" for symbol in symbols if symbol.startswith("BAD")}
        refused |= {symbol: "no such symbol" for symbol in symbols if symbol in self.state.denies}
        if refused and len(refused) == len(symbols):
            raise FeedRefusedError("no such symbol")
        kept = [symbol for symbol in symbols if symbol not in refused]
        rows = [self._market.known(s, start_us, end_us, known_us) if interval == "1m" else [] for s in kept]
        for symbol in kept if interval == "1m" else ():
            asked = [us for us in self._market.minutes.get(symbol, ()) if start_us <= us < end_us]
            self.knew.setdefault(symbol, {}).update({us: us + MINUTE_US <= known_us for us in asked})
        offsets = np.concatenate(([0], np.cumsum([len(found) for found in rows]))).astype(np.int64)
        starts = np.array([start for found in rows for start, _ in found], dtype=np.int64)
        values = np.array([v for found in rows for _, v in found], dtype=np.float64).reshape(-1, 5).T
        return BackfillResult(
            interval, BarBlock(tuple(kept), offsets, starts, *(v.copy() for v in values)), refused,
            tuple(
                Rejected("high_low_order", 1, f"{symbol} at {us}", (symbol,), (us,))
                for symbol, us in sorted(self._market.spoiled)
                if symbol in kept and start_us <= us < end_us and us + MINUTE_US <= known_us
            ),
        )  # fmt: skip

    def reconnect(self, reason: str) -> None:
        """See the port."""
        self.drop(self._rng.uniform(0.5, 3.0), reason)

    def leave(self) -> None:
        """See the port."""
        self.stop()

    def stop(self) -> None:
        """See the port."""
        self._is_running = self.is_connected = False
        self._confirmed.clear()
        self._line += 1

    # What happens to it

    def drop(self, seconds: float, reason: str = "dropped") -> None:
        """The connection ends; the next attempt is made in so many seconds."""
        if self.is_connected:
            self.is_connected = False
            self._confirmed.clear()
            self._line += 1
            self._put(Disconnected(reason, was_connected=True, retry_in_seconds=seconds))
            self._world.after(seconds, self._connect)

    def send(self, rows: Sequence[Row], *, corrections: bool = False) -> None:
        """Bars, as far as the connection and the subscriptions are good."""
        if not self.is_connected or self.state.mute:
            return
        kept = [row for row in rows if row[0] in self._confirmed and row[0] not in self.state.forgets]
        if kept:
            self.last_data_us = self._world.now_us()
            self._put(message(kept, self._world.now_us(), corrections=corrections))

    def send_later(self, seconds: float, rows: Sequence[Row], *, corrections: bool = False) -> None:
        """The same later, on the present connection."""
        line = self._line

        def come() -> None:
            if line == self._line:
                self.send(rows, corrections=corrections)

        self._world.after(seconds, come)

    def send_early(self, rows: Sequence[Row]) -> None:
        """Bars whose minute has not ended. As every feed does, this one lets through what :func:`sift` does."""
        now_us = self._world.now_us()
        kept = [row for row in rows if row[0] in self._confirmed and row[1] + MINUTE_US > now_us]
        if not kept or not self.is_connected:
            return  # after a sleep of the machine nobody could tell
        self.state.note("early")
        arrived = message(kept, now_us, corrections=False)
        values = np.vstack((arrived.prices, np.full(len(kept), -1.0)))
        good, rejected = sift(RawBars(arrived.symbols, arrived.start_us, values), _MINUTE, now_us, self._confirmed)
        for one in rejected:
            self._put(one)
        self.send([kept[row] for row in good.tolist()])

    def say(self, message: StatusChanged | Rejected | SymbolRefused) -> None:
        """Something that is no bar."""
        if self.is_connected:
            self._put(message)

    def _connect(self) -> None:
        if not self._is_running or self.is_connected:
            return
        if self.state.cannot_connect:
            self.state.note("cannot_connect")
            self._put(Disconnected("no route", was_connected=False, retry_in_seconds=5.0))
            self._world.after(self._rng.uniform(3.0, 20.0), self._connect)
            return
        self.is_connected = True
        self._put(Connected())
        self._confirm(list(self._desired))

    def _confirm(self, symbols: Sequence[str]) -> None:
        line = self._line

        def come() -> None:
            wanted = [s for s in symbols if s in self._desired and s not in self._confirmed]
            if line != self._line or not self.is_connected or not wanted:
                return
            known = [symbol for symbol in wanted if not symbol.startswith("BAD")]
            self._confirmed.update(known)
            if known:
                self._put(Subscribed(tuple(known)))
            for symbol in wanted:
                if symbol not in known:
                    self._put(SymbolRefused(symbol, "no such symbol"))

        self._world.after(self._rng.uniform(0.05, 1.0), come)

    def _put(self, message: FeedMessage) -> None:
        if self._sink is not None and self._is_running:
            assert self._sink.put(message), "the simulated queue has room"


def message(rows: Sequence[Row], now_us: int, *, corrections: bool) -> BarsArrived:
    """Bars as the port wants them."""
    prices = np.array([values for _, _, values in rows], dtype=np.float64).reshape(-1, 5).T.copy()
    starts = np.array([start for _, start, _ in rows], dtype=np.int64)
    symbols = tuple(symbol for symbol, _, _ in rows)
    return BarsArrived("1m", symbols, starts, prices, corrections, now_us)
