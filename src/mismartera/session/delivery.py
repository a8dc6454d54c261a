"""Delivery: hands out the notifications of an instant, and the fence that cuts into it (R6).

``remove_symbol`` may come from any thread while the engine's thread walks a list of notifications. The list is
published, and a fence empties it: the walk ends after the callback that is running, the rest is put together
again without the symbol, and whoever raised the fence learns that it stands. So the walk costs nothing but the
callbacks.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from contextlib import AbstractContextManager
from typing import Protocol

from mismartera.bars import Bar
from mismartera.session.part import Part

OnBar = Callable[[Bar], object]
Call = tuple[OnBar, Bar]


class Walk(Protocol):
    """What the engine goes through, and a fence empties: a list, or a chunk of bars that are still to be made."""

    def clear(self) -> None:
        """End it."""
        ...


class CallbackError(Exception):
    """``callback`` raised ``error``; ``rest`` are the calls that were still to be made, ``dropped`` how many bars
    a fence had dropped by then.
    """

    def __init__(self, callback: OnBar, error: BaseException, rest: list[Call], dropped: int = 0) -> None:
        super().__init__(repr(error))
        self.callback = callback
        self.error = error
        self.rest = rest
        self.dropped = dropped


class Calling:
    """One call of a listener's callback."""

    __slots__ = ("_callback",)

    def __init__(self, callback: Callable[..., object]) -> None:
        self._callback = callback

    def is_of(self, listener: object) -> bool:
        """True if it is a method of ``listener``."""
        return getattr(self._callback, "__self__", None) is listener


class _Block:
    """A ``with`` block that calls ``enter`` and ``leave``: entered twice an instant, so without a generator."""

    __slots__ = ("_enter", "_leave")

    def __init__(self, enter: Callable[[], None], leave: Callable[[], None]) -> None:
        self._enter, self._leave = enter, leave

    def __enter__(self) -> None:
        self._enter()

    def __exit__(self, *_: object) -> None:
        self._leave()


class Delivery:
    """The walk and the fence. Only the engine's thread plays; any thread may fence.

    ``fences`` counts the fences raised, ``_purged`` those whose bars are off the tape, ``_acknowledged`` those
    after which the engine was seen between two callbacks. ``_depth``: how many blocks of :meth:`running` are open.
    """

    def __init__(self) -> None:
        self._changed = threading.Condition()
        self.fences = 0
        self._purged = 0
        self._acknowledged = 0
        self._fenced: dict[str, int] = {}
        self._published: Walk = []
        self._depth = 0
        self._rested: list[int] = []
        self._waiting = 0
        self._running = _Block(self._run, self._stand)
        self._resting = _Block(self._rest, self._rise)
        self._engine_thread: int | None = None

    @property
    def has_fences(self) -> bool:
        """True while bars of a fenced symbol may still be on the tape."""
        return self.fences != self._purged

    def on_engine_thread(self) -> bool:
        """True if the caller is the engine itself, or a callback of it."""
        return threading.get_ident() == self._engine_thread

    def bind_thread(self) -> None:
        """The calling thread is the engine's."""
        self._engine_thread = threading.get_ident()

    def unbind_thread(self) -> None:
        """The engine's thread ends; another one may be given its identity."""
        self._engine_thread = None

    def purged(self, fences: int) -> None:
        """The tape holds nothing of the first ``fences`` fenced symbols any more."""
        self._purged = fences

    def publish(self, walk: Walk) -> None:
        """``walk`` is what the engine goes through from now on: a fence empties it, and so ends the walk."""
        self._published = walk

    def running(self) -> AbstractContextManager[None]:
        """Callbacks may run inside this block; outside of it nobody needs to wait for one."""
        return self._running

    def resting(self) -> AbstractContextManager[None]:
        """Whether inside :meth:`running` or not: no callback runs in this block."""
        return self._resting

    def _run(self) -> None:
        self._depth += 1

    def _stand(self) -> None:
        if self._depth > 1:
            self._depth -= 1
        else:
            self._stop()

    def _rest(self) -> None:
        self._rested.append(self._depth)
        self._stop()

    def _stop(self) -> None:
        """No callback runs. Whoever waits has said so before looking whether one does, so nobody is missed."""
        self._depth = 0
        self._acknowledged = self.fences
        if self._waiting:
            with self._changed:
                self._changed.notify_all()

    def _rise(self) -> None:
        self._depth = self._rested.pop()

    def acknowledge(self) -> None:
        """The engine is between two callbacks."""
        if self._acknowledged != self.fences:
            with self._changed:
                self._acknowledged = self.fences
                self._changed.notify_all()

    def is_fenced(self, symbol: str, generation: int) -> bool:
        """True once this generation of ``symbol`` was removed."""
        return self._fenced.get(symbol, 0) >= generation

    def staying(self, part: Part) -> Part:
        """``part`` without the symbols that were removed since it was shown."""
        if not self.fences:
            return part
        strip = part.strip
        symbols = frozenset(s for s, info in strip.infos() if not self.is_fenced(s, info.generation))
        return Part(strip, part.first, part.last, strip.wanted(symbols, part.first, part.last))

    def fence(self, symbol: str, generation: int) -> int:
        """No notification of this generation starts any more; the number of the fence."""
        with self._changed:
            self._fenced[symbol] = max(generation, self._fenced.get(symbol, 0))
            self.fences += 1
            self._published.clear()
            return self.fences

    def await_fence(self, symbol: str, fence: int, timeout: float) -> None:
        """Wait for a callback that is running elsewhere, and had begun before the ``fence`` of this number.

        Raises TimeoutError if it still runs after ``timeout`` seconds; the fence stands all the same.
        """
        if self.on_engine_thread():
            return
        with self._changed:
            self._waiting += 1
            try:
                has_ended = self._changed.wait_for(lambda: not self._depth or self._acknowledged >= fence, timeout)
            finally:
                self._waiting -= 1
        if not has_ended:
            raise TimeoutError(
                f"{symbol} is removed, but a strategy's callback has been running for more than {timeout} s"
            )

    def play(self, callback: OnBar, bars: list[Bar]) -> int:
        """Call ``callback`` with each bar; returns how many bars a fence dropped. ``bars`` is left as it is."""
        dropped = 0
        if len(bars) == 1 and self.fences == self._purged:  # no rest that a fence could cut
            try:
                callback(bars[0])
            except BaseException as error:
                raise CallbackError(callback, error, []) from error
            return 0
        while True:
            fences = self.fences
            if fences != self._purged:
                kept = [bar for bar in bars if not self.is_fenced(bar.symbol, bar.generation)]
                dropped, bars = dropped + len(bars) - len(kept), kept
                self.acknowledge()
            walk = bars.copy()
            self._published = walk
            bar: Bar | None = None
            if fences == self.fences:
                try:
                    for bar in walk:
                        callback(bar)
                except BaseException as error:
                    assert bar is not None, "only a callback can raise here"
                    rest = [(callback, later) for later in bars[_place(bars, bar) + 1 :]]
                    raise CallbackError(callback, error, rest, dropped) from error
            if fences == self.fences:
                return dropped
            bars = bars if bar is None else bars[_place(bars, bar) + 1 :]

    def play_calls(self, calls: list[Call], dropped: list[Call]) -> None:
        """The same for calls to several callbacks, in their order; what a fence drops is added to ``dropped``."""
        while True:
            fences = self.fences
            if fences != self._purged:
                dropped += [call for call in calls if self.is_fenced(call[1].symbol, call[1].generation)]
                calls = [call for call in calls if not self.is_fenced(call[1].symbol, call[1].generation)]
                self.acknowledge()
            walk = calls.copy()
            self._published = walk
            call: Call | None = None
            if fences == self.fences:
                try:
                    for call in walk:
                        call[0](call[1])
                except BaseException as error:
                    assert call is not None, "only a callback can raise here"
                    raise CallbackError(call[0], error, calls[_place(calls, call) + 1 :]) from error
            if fences == self.fences:
                return
            calls = calls if call is None else calls[_place(calls, call) + 1 :]


def _place(items: list[Bar] | list[Call], item: Bar | Call) -> int:
    """Where ``item`` itself stands in ``items``: equal bars may stand there twice."""
    return next(k for k, candidate in enumerate(items) if candidate is item)
