"""Intake: takes what a feed sends, keeps the session's ledger, and tells the engine. It never waits for anybody.

It is a plain synchronous object: :meth:`step` does all that is to be done at the present instant, and
:attr:`next_us` says when the next thing is due. A thread drives it in a live session, a simulation in tests.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence

from mismartera.bars import SeriesInfo
from mismartera.bars.instants import MINUTE_US, SECOND_US
from mismartera.feeds.port import (
    BarsArrived,
    Connected,
    Disconnected,
    Feed,
    FeedFailed,
    FeedMessage,
    FeedWarning,
    Rejected,
    StatusChanged,
    Subscribed,
    SymbolRefused,
)
from mismartera.live.answers import PastSource
from mismartera.live.door import IntakeDoor
from mismartera.live.engine_end import EngineEnd
from mismartera.live.entry import Entry
from mismartera.live.flow import Flow
from mismartera.live.keeping import Keeper, accepted_block
from mismartera.live.making import make_today
from mismartera.live.quality import LiveQuality
from mismartera.live.requests import Requests
from mismartera.live.settings import IntakeSettings
from mismartera.live.timers import Timers
from mismartera.live.today import Today
from mismartera.session.symbols import Member
from mismartera.timing import TradingSession, WallClock

_FLUSH_US, _PRE_OPEN_US, _RECONCILE_MAX_US = MINUTE_US, 5 * MINUTE_US, 5 * MINUTE_US
FAR_US = 2 * _PRE_OPEN_US  # the feed is left if the next open is further away
_LATER_MAX = 1000


class Intake:
    """One feed, one session at a time. Other threads may call :meth:`do` alone. ``keeper`` stores bars."""

    def __init__(
        self, settings: IntakeSettings, feed: Feed, past: PastSource, requests: Requests, clock: WallClock,
        engine: EngineEnd, quality: LiveQuality, keeper: Keeper, door: IntakeDoor,
    ) -> None:  # fmt: skip
        self._settings = settings
        self._feed = feed
        self._past = past
        self._requests = requests
        self._clock = clock
        self._engine = engine
        self._quality = quality
        self._keeper = keeper
        self._timers = Timers()
        self._today: Today | None = None
        self._later: list[BarsArrived] = []
        self._is_running = self._has_started = self._is_next_far = False
        self._door = door
        self.dropped = Counter[str]()
        self.flow = Flow(
            settings.flow, feed, clock, self._timers, engine,
            lambda: self._today is not None and self._today.splices.is_fetching,
            lambda since_us: None if self._today is None else self._today.silence.explained_until_us(since_us),
        )  # fmt: skip

    def do(self, command: Callable[[], None]) -> None:
        """Carry ``command`` out at the next step. From any thread."""
        self._door.put(command)

    @property
    def has_work(self) -> bool:
        """True if a step would do something though no time passes."""
        return self._door.has_work

    @property
    def next_us(self) -> int | None:
        """When a step is due though nothing comes."""
        return self._timers.next_us

    @property
    def has_few_bars(self) -> bool:
        """True if a few bars are all that has come."""
        return self._door.has_few_bars

    def step(self, *, takes_orders: bool = True) -> None:
        """Orders, the feed's messages, what is due, in this order: data come before they are missed. Alarms first.

        ``takes_orders``: not on the feed's thread, which an order may end.
        """
        self._door.begin()
        now_us = self._clock.now_us()
        self._timers.ring(now_us)
        self._engine.send()  # what an alarm tells waits for nothing
        while takes_orders and (order := self._door.next_order()) is not None:
            order()
            self._engine.send()
        for message in self._door.messages():
            self._engine.send()
            self._take(message)
        self._timers.run_due(now_us)
        if self._today is not None:
            self._today.end_windows()
        self._engine.send()

    # What the engine asks

    def expect(self, session: TradingSession, members: Sequence[Member]) -> None:
        """``session`` is the next one; connect in time, and bring ``members`` in."""
        self._leave_day()
        self._today = make_today(
            session, self._settings, self._feed, self._past, self._requests, self._timers, self._clock,
            self._engine, self.flow,
        )  # fmt: skip
        self._quality.ledger, self._quality.until_us = self._today.ledger, None
        self._is_next_far = False
        self._connect(session, members)

    def _connect(self, session: TradingSession, members: Sequence[Member]) -> None:
        now_us, at_us = self._clock.now_us(), session.open_us - _PRE_OPEN_US
        if self._has_started and session.open_us - now_us > FAR_US:
            self._feed.stop()
            self._is_running = self.flow.connected = False
        today = self._today
        if not self._is_running and self._has_started and now_us < at_us:
            self._timers.at(at_us, lambda: self._begin_day(today, session, members))
        else:
            self._begin_day(today, session, members)

    def _begin_day(self, today: Today | None, session: TradingSession, members: Sequence[Member]) -> None:
        if today is None or today is not self._today:
            return
        self.flow.begin(session)
        self.add(members)
        if not self._is_running:
            self._is_running = self._has_started = True
            self._feed.start(self._door.queue)
        else:
            today.splices.confirmed([member.symbol for member in members])
        later, self._later = self._later, []
        for message in later:
            if int(message.start_us.max()) >= session.open_us:
                self._take_bars(message)

    def open(self, taken: frozenset[str], waited: frozenset[str], *, is_late: bool) -> None:
        """The session has opened with the symbols ``taken``, which were prepared, and waits for ``waited``."""
        assert self._today is not None, "a session that opens was expected"
        self._today.open(taken, waited, is_late=is_late)
        self._timers.at(self._clock.now_us() + _FLUSH_US, self._flush_in_turn)
        self._look_after()

    def _look_after(self) -> None:
        self._engine.look_after()
        tick_us = max(SECOND_US, self._settings.flow.threshold_us // 10)
        self._timers.at(self._clock.now_us() + tick_us, self._look_after)

    def add(self, members: Sequence[Member]) -> None:
        """Symbols join."""
        assert self._today is not None, "symbols join a session"
        ledger, session = self._today.ledger, self._today.ledger.processing.session
        streams = self._settings.streams
        for member in members:  # one that failed for a while was asked for again
            before = ledger.entries.get(member.symbol)
            if before is not None and before.member is not member:
                self._today.leave(before)
        new = [member for member in members if member.symbol not in ledger.entries]
        entries = [
            ledger.enter(m, Entry(m, m.streams or streams, SeriesInfo(m.generation, session.zone), -1))
            for m in new
        ]
        if entries:
            self._today.splices.start(entries)

    def remove(self, member: Member) -> None:
        """A symbol was removed."""
        today = self._today
        entry = today.ledger.entries.get(member.symbol) if today is not None else None
        if today is None or entry is None or entry.member is not member:
            return
        self._flush()
        today.leave(entry)
        self._feed.unsubscribe([member.symbol])

    def finish(self, until_us: int, *, is_next_far: bool) -> None:
        """The session ends at ``until_us``, which is now: tell the engine when nothing more is waited for.

        ``is_next_far``: whatever happens to the stream from now on, nobody reconnects before the next pre-open.
        """
        assert self._today is not None, "a session that ends has begun"
        self._quality.until_us = until_us
        self._is_next_far = is_next_far
        if not self.flow.connected:
            self._leave_stream()
        self._today.finish(until_us)

    def _leave_stream(self) -> None:
        if self._is_next_far and self._is_running:
            self._feed.leave()
            self._is_running = self.flow.connected = False

    def complete(self) -> None:
        """The session has ended: compare it with the vendor's store as a whole, and keep it."""
        today = self._today
        assert today is not None, "a session that ends has begun"
        self.flow.end()
        self._leave_stream()
        today.splices.give_up()
        is_done = False

        def done() -> None:
            nonlocal is_done
            if not is_done and today is self._today:
                is_done = True
                self._engine.grew(today.ledger.end_rest())
                today.stop()
                self._flush()
                self._requests.ask(self._keeper.tidy, lambda _: None)
                self._engine.completed()

        # Only then does the vendor's store tell whether there were trades in the last minute.
        until_us = self._quality.until_us or today.ledger.processing.session.close_us
        asked_us = until_us + self._settings.checks.grace_us
        self._timers.at(asked_us, lambda: today.checks.reconcile(done, is_last=True))
        self._timers.at(max(self._clock.now_us(), asked_us) + _RECONCILE_MAX_US, done)

    def stop(self) -> None:
        """The run is over. The feed's thread and those of the requests end; what is accepted is kept."""
        self._leave_day()
        if self._has_started:
            self._feed.stop()
        self._requests.stop()
        self._keeper.stop()

    def _leave_day(self) -> None:
        if self._today is not None:
            self._flush()
            self._today.stop()
        self._today = None
        self._timers.clear()

    # What the feed sends

    def _take(self, message: FeedMessage) -> None:
        today = self._today
        match message:
            case BarsArrived():
                self._take_bars(message)
            case Connected() if self._is_running:  # else it was left meanwhile
                self.flow.on_connected()
            case Disconnected():
                if today is not None:
                    today.splices.disconnected()
                self.flow.on_disconnected(message.reason)
                self._leave_stream()
            case Rejected():
                self._count_rejected(message)
            case FeedWarning():
                self._engine.warn(message.text)
            case FeedFailed():
                self._engine.feed_failed(message.reason)
            case Subscribed():
                self._engine.event("feed_subscribed", symbols=message.symbols)
                if today is not None:
                    today.splices.confirmed(message.symbols)
            case SymbolRefused() | StatusChanged() if today is not None:
                today.told(message)

    def _take_bars(self, message: BarsArrived) -> None:
        if (today := self._today) is not None and today.took_few(message):
            return
        if today is None or int(message.start_us.max(initial=0)) >= today.ledger.processing.session.close_us:
            self._later = [*self._later[-_LATER_MAX:], message]
        else:
            self.dropped["not_subscribed"] += today.take(message)

    def _count_rejected(self, message: Rejected) -> None:
        today = self._today
        known = 0 if today is None else today.ledger.count_rejected(message.symbols)
        self.dropped[message.reason] += message.count - known
        self._engine.warn(f"{message.count} messages of the feed rejected ({message.reason}): {message.detail}")

    # What is kept

    def _flush_in_turn(self) -> None:
        self._flush()
        self._timers.at(self._clock.now_us() + _FLUSH_US, self._flush_in_turn)

    def _flush(self) -> None:
        today = self._today
        if today is None or not today.ledger.unflushed:
            return
        rows, today.ledger.unflushed = today.ledger.unflushed, []
        self._keeper.put("1m", accepted_block(rows, today.ledger.windows.start))
