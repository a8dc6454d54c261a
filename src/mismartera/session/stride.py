"""Stride: instant after instant to a single listener, with nothing between two bars but the bar itself.

This is what streaming is while nothing happens: the session is active, the clock steps from end to end, nothing is
late, and one callback wants every bar. Whatever else there is to do sets the inbox's ``attention``, and the stride
ends after the instant in which it was seen. The rules are those of :meth:`Streamer.show_until`.
"""

from __future__ import annotations

from mismartera.bars import Bar
from mismartera.session.delivery import CallbackError, Delivery, OnBar
from mismartera.session.feed import BarFeed
from mismartera.session.inbox import Inbox
from mismartera.session.state import SessionState
from mismartera.session.tape import Tape
from mismartera.timing import SteppedClock


class Stride:
    """Walks a tape; see the module's docstring."""

    def __init__(self, clock: SteppedClock, state: SessionState, delivery: Delivery, inbox: Inbox) -> None:
        self._clock = clock
        self._state = state
        self._delivery = delivery
        self._inbox = inbox

    def walk(self, tape: Tape, feed: BarFeed, callback: OnBar, last: int) -> int:
        """Show the instants before ``last``, or until something wants attention, a fence stands, or the clock was
        moved.

        Returns how many bars of the last one a fence dropped. Raises CallbackError if the callback does; its
        ``rest`` are the calls of that instant that were not made.
        """
        step_to, state, delivery, inbox = self._clock.step_to, self._state, self._delivery, self._inbox
        ends, first = tape.ends, tape.position
        while first < last:
            fences = delivery.fences
            if delivery.has_fences:
                return 0
            chunk, stop = feed.chunk(first, last)
            delivery.publish(chunk)
            if fences != delivery.fences:  # raised while nothing was published
                chunk.clear()
            for k, bars in zip(range(first, stop), chunk.instants, strict=False):
                end_us = ends[k]
                if not step_to(end_us):  # a callback has moved the clock
                    return 0
                state.watermark_us = end_us
                tape.position = k + 1
                bar: Bar | None = None
                try:
                    for bar in bars:
                        callback(bar)
                except BaseException as error:
                    raise CallbackError(callback, error, [(callback, b) for b in _after(feed, k, bar)]) from error
                if fences != delivery.fences:  # the walk may have been cut short
                    return delivery.play(callback, _after(feed, k, bar))
                if inbox.attention:
                    return 0
            first = stop
        return 0


def _after(feed: BarFeed, k: int, bar: Bar | None) -> list[Bar]:
    """The bars of instant ``k`` that come after ``bar`` (None: all)."""
    bars = feed.bars(k)
    if bar is None:
        return bars
    key = (bar.symbol, bar.interval)  # an instant has one bar of it
    place = next(at for at, other in enumerate(bars) if (other.symbol, other.interval) == key)
    return bars[place + 1 :]
