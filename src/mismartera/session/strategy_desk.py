"""StrategyDesk: a strategy on a thread of its own, with a lag of its own (``catchup_scope: "strategy"``, live).

The engine never waits for it. What it has not been told of waits in a bounded queue; what has become stale there
is passed over in silence, and so is all of it if the queue is full: the bars are in the session's data anyway.
"""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable, Sequence
from contextlib import suppress
from typing import Protocol

from mismartera.bars import Bar, with_lag
from mismartera.bars.instants import SECOND_US
from mismartera.errors import TraceEndedError
from mismartera.session.part import Part
from mismartera.session.turns import PlainTurns, T, Turn, Turns
from mismartera.timing import Clock

BARS_MAX = 100_000
"""So many bars and slices wait at most."""


class DeskHost(Protocol):
    """What a desk needs of the engine. In a turn of the desk, but for :meth:`deliver_parts`."""

    def is_fenced(self, symbol: str, generation: int) -> bool:
        """True once this generation of ``symbol`` was removed."""
        ...

    def deliver_parts(self, name: str, parts: Sequence[Part], end_us: int, lag_seconds: float) -> None:
        """On the desk's thread: call the strategy's ``on_slice`` with what it wants of ``parts``, if anything."""
        ...

    def tell(self, name: str, event: str, reason: str, lag_us: int) -> None:
        """Publish that the strategy was activated or deactivated."""
        ...

    def raised(self, name: str, error: BaseException) -> None:
        """The strategy has raised: it is called no more."""
        ...


class Calls(Protocol):
    """The strategy's callbacks that a desk calls."""

    def on_bar(self, bar: Bar) -> object:
        """A bar."""
        ...

    def on_revision(self, bar: Bar) -> object:
        """A bar that has changed."""
        ...

    def on_session_active(self, active: bool, reason: str) -> object:  # the callback's own signature
        """The gate has moved."""
        ...


class _Item:
    """One thing to be told: ``end_us`` of what can become stale, else None."""

    __slots__ = ("call", "end_us")

    def __init__(self, call: Callable[[float], object], end_us: int | None) -> None:
        self.call = call
        self.end_us = end_us


class _Taken:
    """What was taken, how late that was, and whether nothing waits after it that can become stale."""

    __slots__ = ("is_last", "item", "lag_us")

    def __init__(self, item: _Item, lag_us: int, *, is_last: bool) -> None:
        self.item = item
        self.lag_us = lag_us
        self.is_last = is_last


class StrategyDesk:
    """``is_active``: its lag is within the threshold. ``pin_us``: what it is being told of has ended by then.

    ``changed`` is the lock of all that others look at. ``number``: its place among the desks of the run.
    """

    def __init__(
        self, name: str, calls: Calls, host: DeskHost, clock: Clock, threshold_us: int,
        turns: Turns | None = None, number: int = 0,
    ) -> None:  # fmt: skip
        self.name = name
        self.number = number
        self._turns: Turns = turns or PlainTurns()
        self._calls = calls
        self._host = host
        self._clock = clock
        self._threshold_us = threshold_us
        self.changed = threading.Condition()
        self._items: deque[_Item] = deque()
        self._gated = 0
        self._is_busy = self._is_over = self._has_failed = False
        self._returned = 0
        self.thread: threading.Thread | None = None
        self.is_active = True
        self.pin_us = 0

    # The engine's side

    def start(self) -> None:
        """Begin."""
        self.thread = threading.Thread(target=self._run, name=f"mismartera-{self.name}", daemon=True)
        self.thread.start()

    def close(self) -> None:
        """Nothing more will come."""
        with self.changed:
            self._is_over = True
            self.changed.notify_all()

    def stop(self, timeout: float) -> bool:
        """End after what waits; False if a callback still runs after so many seconds."""
        self.close()
        return self.thread is None or self._turns.join(self.thread, timeout)

    def call(self, fn: Callable[..., object], *args: object) -> None:
        """A callback that no gate keeps back."""
        self._put(_Item(lambda _: fn(*args), None))

    def on_bar(self, bar: Bar) -> None:
        """A bar that was released."""

        def deliver(lag_seconds: float) -> None:
            if self.turn(Turn.CHECK, lambda: self._is_wanted(bar)):
                self._calls.on_bar(with_lag(bar, lag_seconds))

        self._put(_Item(deliver, bar.end_us))

    def on_revision(self, bar: Bar) -> None:
        """A bar that has changed: told if the desk is active then; what is told can be read. It is no lag."""

        def revise(_: float) -> None:
            if self.turn(Turn.CHECK, lambda: self.is_active and self._is_wanted(bar)):
                self.pin_us = max(self.pin_us, bar.end_us)
                self._calls.on_revision(bar)

        self._put(_Item(revise, None))

    def on_slice(self, parts: Sequence[Part], end_us: int) -> None:
        """An instant that is complete."""
        self._put(_Item(lambda lag: self._host.deliver_parts(self.name, parts, end_us, lag), end_us))

    def is_mine(self, thread: threading.Thread) -> bool:
        """True for the thread of this desk."""
        return thread is self.thread

    @property
    def is_busy(self) -> bool:
        """True while a callback runs, or is about to."""
        return self._is_busy

    def fence(self, timeout: float) -> bool:
        """Wait until no callback runs that had begun before; False after so many seconds. For other threads."""
        with self.changed:
            returned = self._returned
            return self.changed.wait_for(lambda: not self._is_busy or self._returned != returned, timeout)

    def keeps_waiting(self) -> bool:
        """True if a callback runs while what waits for it is stale: then nothing is read either."""
        with self.changed:
            ends = [item.end_us for item in self._items if item.end_us is not None][:1]
            is_kept = self._is_busy and bool(ends) and self._clock.now_us() - ends[0] > self._threshold_us
            if is_kept:
                self.is_active = False
            return is_kept

    def _put(self, item: _Item) -> None:
        with self.changed:
            if self._has_failed or self._is_over:
                return
            if item.end_us is not None:
                if self._gated >= BARS_MAX:  # stale by the time that it would be their turn
                    self._items = deque(waiting for waiting in self._items if waiting.end_us is None)
                    self._gated = 0
                self._gated += 1
            self._items.append(item)
            self.changed.notify_all()

    # Its own thread

    def turn(self, what: Turn, act: Callable[[], T]) -> T:
        """Look at what is the engine's, or change it; a thread that the strategy has made has no turns."""
        if self.is_mine(threading.current_thread()):
            return self._turns.have(self, what, act)
        return act()

    def _run(self) -> None:
        with suppress(TraceEndedError):  # of a session that is played again nothing more is on record
            self._work()

    def _work(self) -> None:
        is_told = True  # that it is active
        while (taken := self._turns.take(self, self._wait, self._take)) is not None:
            item, lag_us = taken.item, taken.lag_us
            is_stale = lag_us > self._threshold_us
            try:
                if is_told and is_stale:
                    is_told = self._move(is_active=False, reason="lag", lag_us=lag_us)
                elif not is_told and not is_stale and (item.end_us is not None or taken.is_last):
                    is_told = self._move(is_active=True, reason="caught_up", lag_us=lag_us)
                if not is_stale:
                    self.is_active = is_told
                    self.pin_us = max(self.pin_us, item.end_us or 0)
                    item.call(lag_us / SECOND_US)
                elif self.turn(Turn.CHECK, lambda: not self._gated):  # drained
                    is_told = self._move(is_active=True, reason="caught_up", lag_us=0)
            except BaseException as error:  # noqa: BLE001  # a strategy may raise anything: it is named and reported
                self._fail(error)
            finally:
                self._return()

    def _wait(self) -> None:
        with self.changed:
            self.changed.wait_for(lambda: self._items or self._is_over)

    def _take(self) -> _Taken | None:
        with self.changed:
            if not self._items:
                return None
            self._is_busy = True
            item = self._items.popleft()
            self._gated -= item.end_us is not None
            lag_us = 0 if item.end_us is None else max(self._clock.now_us() - item.end_us, 0)
            return _Taken(item, lag_us, is_last=not self._gated)

    def _return(self) -> None:
        with self.changed:
            self._is_busy = False
            self._returned += 1
            self.changed.notify_all()

    def _is_wanted(self, bar: Bar) -> bool:
        return not self._host.is_fenced(bar.symbol, bar.generation)

    def _move(self, *, is_active: bool, reason: str, lag_us: int) -> bool:
        def move() -> None:
            self.is_active = is_active
            event = "strategy_activated" if is_active else "strategy_deactivated"
            self._host.tell(self.name, event, reason, lag_us)

        self.turn(Turn.MOVE, move)
        self._calls.on_session_active(is_active, reason)
        return is_active

    def _fail(self, error: BaseException) -> None:
        def fail() -> None:
            with self.changed:
                self._has_failed = True
                self._items.clear()
                self._gated = 0
            self._host.raised(self.name, error)

        self.turn(Turn.FAIL, fail)
