"""CcxtFeed: the minute candles of an exchange behind the port of all feeds."""

from __future__ import annotations

import threading
from collections.abc import Sequence
from random import Random
from typing import Final

from mismartera.bars.instants import MINUTE_US, SECOND_US
from mismartera.feeds.backoff import Backoff
from mismartera.feeds.ccxt.candles import Values, raw_bars
from mismartera.feeds.ccxt.exchange import CcxtExchange, Exchange, make_exchange
from mismartera.feeds.ccxt.history import History
from mismartera.feeds.ccxt.troubles import StoppedError, Trouble, TroubleError
from mismartera.feeds.ccxt.watch import MINUTE, Watch
from mismartera.feeds.desired import Desired
from mismartera.feeds.port import (
    BackfillResult,
    BarsArrived,
    Connected,
    Disconnected,
    FeedFailed,
    FeedMessage,
    FeedSink,
    FeedWarning,
    Subscribed,
    SymbolRefused,
)
from mismartera.feeds.secret import one_line
from mismartera.feeds.sift import merged
from mismartera.timing import WallClock

_STRIKES_MAX: Final = 3
_STRIKE_SECONDS: Final = 10.0


class CcxtFeed:
    """A :class:`~mismartera.feeds.port.Feed` on any exchange that ccxt knows, without an account.

    ``exchange``: its name in ccxt, or an exchange object. ConfigError if ccxt is not installed (extra ``crypto``),
    does not know the name, or the exchange has no minute candles. ``rng`` gives the jitter of back-off.

    Shortly after each minute's end its candle is asked for, symbol by symbol at the pace that the exchange allows,
    together with the few before it: what the exchange changed comes as a correction. A candle that is still
    forming never passes. Exchanges differ in minutes without trades: some send a candle of volume 0, some none.
    May be started again after it was left or stopped.
    """

    def __init__(self, exchange: str | CcxtExchange, clock: WallClock, rng: Random) -> None:
        self.last_data_us: int | None = None
        made = make_exchange(exchange, clock) if isinstance(exchange, str) else exchange
        self._stopping = threading.Event()
        self._leaving = threading.Event()
        self._exchange = Exchange(made, clock, self._stopping)
        self._history = History(self._exchange, clock, rng, self._stopping)
        self._clock = clock
        self._backoff = Backoff(rng)
        self._desired = Desired()
        self._watches: dict[str, Watch] = {}
        self._followed: dict[str, int] = {}
        self._is_known = False
        self._leave: str | None = None
        self._sink: FeedSink | None = None
        self._poke = threading.Event()
        self._room = threading.Event()
        self._thread: threading.Thread | None = None

    def start(self, sink: FeedSink) -> None:
        """Connect in the background, and stay connected."""
        assert self._thread is None, "the feed runs already"
        self._stopping.clear()
        self._leaving.clear()
        self._followed.clear()
        self._watches.clear()  # what was not handed over when the feed was stopped is not known to have been sent
        self._sink = sink
        self._thread = threading.Thread(target=self._run, name="mismartera-ccxt", daemon=True)
        self._thread.start()

    def subscribe(self, symbols: Sequence[str]) -> None:
        """Want these symbols; SymbolError for what is no symbol."""
        self._desired.add(symbols)
        self._poke.set()

    def unsubscribe(self, symbols: Sequence[str]) -> None:
        """Want these symbols no more."""
        self._desired.discard(symbols)
        self._poke.set()

    def backfill(self, symbols: Sequence[str], interval: str, start_us: int, end_us: int) -> BackfillResult:
        """The finished candles of a time range."""
        assert threading.current_thread() is not self._thread, "a backfill blocks: not on the feed's thread"
        return self._history.backfill(symbols, interval, start_us, end_us)

    def reconnect(self, reason: str) -> None:
        """Ask the exchange anew, after a wait; while that is done already nothing happens."""
        self._leave = reason
        self._poke.set()

    def stop(self) -> None:
        """End every wait, and join the thread; a request under way is waited for."""
        self._stopping.set()
        self.leave()

    def leave(self) -> None:
        """End the thread's waits and join it; what a backfill waits for goes on."""
        self._leaving.set()
        self._poke.set()
        self._room.set()
        if self._thread is not None:
            assert threading.current_thread() is not self._thread, "the feed's thread cannot wait for itself"
            self._thread.join()
            self._thread = None

    def _run(self) -> None:
        try:
            while not self._leaving.is_set() and self._connect():
                pass
        except StoppedError:
            return
        except Exception as error:  # noqa: BLE001  # the thread's one handler: a fault of ours must be told, too
            self._put(FeedFailed(one_line(f"a fault of the feed itself: {type(error).__name__}: {error}")))

    def _connect(self) -> bool:
        """One connection, from the attempt to its end; False if none can follow."""
        was_connected = False
        try:
            self._reach()
            self._leave = None  # whatever stalled, it was not this connection
            self._put(Connected())
            was_connected = True
            if self._watches:
                self._put(Subscribed(tuple(self._watches)))
            while not self._leaving.is_set():
                self._step()
        except TroubleError as error:
            if error.trouble is Trouble.FATAL:
                self._put(FeedFailed(error.reason))
                return False
            seconds = error.wait_seconds(self._backoff, self._clock.now_us())
            self._put(Disconnected(error.reason, was_connected, seconds))
            self._leaving.wait(self._clock.wall_seconds(seconds))
        return True

    def _reach(self) -> None:
        """Show that the exchange answers: with its markets, or later with any symbol's candles."""
        watch = next(iter(self._watches.values()), None)
        if watch is None or not self._is_known:
            self._exchange.load_markets(again=self._is_known)
            self._is_known = True
            return
        try:
            self._exchange.candles(watch.symbol, MINUTE, *watch.range_from(self._clock.now_us()))
        except TroubleError as error:
            if error.trouble not in {Trouble.SYMBOL, Trouble.REQUEST}:  # these are answers, too
                raise

    def _step(self) -> None:
        """Follow what is wanted, ask for what is due, or wait until something is."""
        self._poke.clear()
        reason, self._leave = self._leave, None
        if reason is not None:
            raise TroubleError(reason, Trouble.AWAY)
        self._follow_desired()
        watch = min(self._watches.values(), key=lambda one: one.next_us, default=None)
        missing_us = None if watch is None else watch.next_us - self._clock.now_us()
        if watch is not None and missing_us is not None and missing_us <= 0:
            self._ask(watch)
        elif not self._leaving.is_set():
            self._poke.wait(None if missing_us is None else self._clock.wall_seconds(missing_us / SECOND_US))

    def _follow_desired(self) -> None:
        wanted = self._desired.symbols
        for symbol in self._desired.dropped(self._followed):
            del self._followed[symbol]
            self._watches.pop(symbol, None)
        new = [symbol for symbol in wanted if symbol not in self._watches]
        refused = {symbol: reason for symbol in new if (reason := self._exchange.why_not(symbol)) is not None}
        now_us = self._clock.now_us()
        taken = [symbol for symbol in new if symbol not in refused]
        for symbol in taken:
            self._watches[symbol], self._followed[symbol] = Watch(symbol, now_us), wanted[symbol]
        if taken:
            self._put(Subscribed(tuple(taken)))
        for symbol, reason in refused.items():
            self._refuse(symbol, reason)

    def _refuse(self, symbol: str, reason: str) -> None:
        self._desired.discard([symbol])
        self._watches.pop(symbol, None)
        self._put(SymbolRefused(symbol, reason))

    def _ask(self, watch: Watch) -> None:
        """Ask for a symbol's newest candles, and tell what is new. TroubleError if the exchange is away."""
        asked_us = self._clock.now_us()
        try:
            candles = self._exchange.candles(watch.symbol, MINUTE, *watch.range_from(asked_us))
        except TroubleError as error:
            if error.trouble not in {Trouble.SYMBOL, Trouble.REQUEST}:
                raise
            self._strike(watch, error)
            return
        watch.strikes = 0
        # The wait for our turn is over: what is still forming now must not count as finished.
        news = watch.take(candles, asked_us, self._desired.symbols)
        if news.is_alive:
            self.last_data_us = self._clock.now_us()
            self._backoff.reset()
        for rows, corrections in ((news.new, False), (news.changed, True)):
            if rows:
                self._put(_message(watch.symbol, rows, corrections, self._clock.now_us()))
        for rejected in merged(news.rejected):
            self._put(rejected)

    def _strike(self, watch: Watch, error: TroubleError) -> None:
        """One symbol's trouble is its own: told once, tried again; given up if it never had a candle."""
        watch.strikes += 1
        watch.next_us = self._clock.now_us() + round(_STRIKE_SECONDS * SECOND_US)
        if error.trouble is Trouble.SYMBOL or (watch.strikes >= _STRIKES_MAX and not watch.has_delivered):
            self._refuse(watch.symbol, error.reason)
        elif watch.strikes == 1:
            self._put(FeedWarning(f"{watch.symbol}: {error.reason}"))

    def _put(self, message: FeedMessage) -> None:
        """Hand over; wait while there is no room, but for a stop."""
        assert self._sink is not None, "the feed was started"
        while not self._sink.put(message) and not self._leaving.is_set():
            self._room.clear()
            self._sink.when_room(self._room.set)
            if not self._leaving.is_set():  # asked after the clearing, which may have undone the stop's own set
                self._room.wait()


def _message(symbol: str, rows: dict[int, Values], corrections: bool, arrived_us: int) -> BarsArrived:
    raw = raw_bars(symbol, rows)
    assert int(raw.start_us[-1]) + MINUTE_US <= arrived_us, "a bar arrives after its end"
    return BarsArrived(MINUTE.label, tuple(raw.symbols), raw.start_us, raw.prices, corrections, arrived_us)
