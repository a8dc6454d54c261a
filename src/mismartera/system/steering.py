"""Steering: pause, resume, step and speed of a run, from any thread but the engine's own."""

from __future__ import annotations

import threading
from datetime import datetime

from mismartera.bars.instants import to_datetime
from mismartera.errors import UsageError
from mismartera.session.coordinator import SessionCoordinator
from mismartera.session.moments import moment_us
from mismartera.timing import PacedClock, TimeManager


class SteeredRun:
    """The part of a system that steers its run."""

    coordinator: SessionCoordinator
    _time: TimeManager
    _timeout_seconds: float
    _stepping: threading.Lock
    _ended: threading.Event

    def is_running(self) -> bool:
        """True from ``start`` to the run's end, pauses included."""
        raise NotImplementedError

    def wait(self, timeout: float | None = None) -> bool:
        """True once the run has ended; False if it has not after ``timeout`` seconds."""
        raise NotImplementedError

    def _start(self) -> bool:
        raise NotImplementedError

    def _on_engine_thread(self) -> bool:
        raise NotImplementedError

    def pause(self) -> None:
        """Hold after the present instant; returns when the engine stands (from a callback: at once).

        Commands go on being carried out. TimeoutError if a callback keeps the engine longer than the command
        time-out; the pause takes effect after it.
        """
        self.coordinator.inbox.pause()
        if self._on_engine_thread() or not self.is_running():
            return
        if not self.coordinator.inbox.wait_paused(self._timeout_seconds):
            raise TimeoutError(
                f"the engine is still busy after {self._timeout_seconds} s; it will pause afterwards"
            )

    def resume(self) -> None:
        """Go on after a pause; nothing happens if there is none."""
        self.coordinator.inbox.resume()

    def run_until(self, time: str | datetime) -> bool:
        """Run to the next such time of day ("10:00", exchange time) or to an aware datetime, and pause there.

        That instant and the entries of that time are included. Starts a system that was not started; resumes
        one that is paused. A time outside all sessions means the next session's open. True when it stands
        there, False if the run ended first. UsageError on the engine's own thread.
        """
        if self._on_engine_thread():
            raise UsageError("run_until on the engine's own thread would wait for itself: use session.at")
        reached = threading.Event()
        inbox = self.coordinator.inbox

        at_us = moment_us(time, self._time, self.coordinator.dates)
        self.coordinator.agenda.add(at_us, lambda: inbox.pause(reached), last=True)
        inbox.resume()
        self._start()
        if inbox.wait_until(reached.is_set):
            return True
        self._ended.wait()  # it ends just now: afterwards its outcome is known
        return False

    @property
    def is_paused(self) -> bool:
        """True from ``pause`` (or the arrival of ``run_until``) to the next ``resume``."""
        return self.coordinator.inbox.pausing

    def step(self) -> bool:
        """In a paused backtest: show the next instant, or let the next entries act, and stand there, paused.

        Where nothing is left of a session, a step goes to its close, and then to the next open. True when it
        stands there, False if the run has ended. UsageError if the run is not paused, live, or on the engine's
        own thread. Of several threads that ask at once one steps after the other.
        """
        if self._time.clock.is_live:
            raise UsageError("a live session cannot be stepped: its bars come when they come")
        with self._stepping:
            if not self.is_paused:
                raise UsageError("a step goes on from a pause: pause the run first")
            self.pause()  # the engine stands
            at_us = next_moment_us(self.coordinator)
            if at_us is None:
                self.resume()
                return not self.wait()
            advance_to(at_us, self.coordinator)
            return self.run_until(to_datetime(at_us, self._time.zone))

    def set_speed(self, speed: float) -> None:
        """Let a backtest that follows a clock go on at ``speed``; the clock goes on from where it is.

        UsageError for a live session, and for a run at speed 0: that follows no clock. ValueError for a speed
        that is not above 0.
        """
        clock = self._time.clock
        if not isinstance(clock, PacedClock):
            kind = "a live session" if clock.is_live else "a run that began with speed 0"
            raise UsageError(f"{kind} has no speed to change: begin a backtest with a speed above 0 (--speed 60)")
        clock.set_speed(speed)
        self.coordinator.inbox.look_again()  # it may be waiting at the old speed


def next_moment_us(coordinator: SessionCoordinator) -> int | None:
    """The next instant or entry of a paused run; else the session's close, else the next open; None: the run's
    end.
    """
    now_us, time = coordinator.time.now_us(), coordinator.time
    close_us = None if coordinator.date is None else time.get_trading_session(coordinator.date).close_us
    waiting = [us for us in (coordinator.next_instant_us, coordinator.agenda.next_us) if us is not None]
    inside = [us for us in waiting if close_us is not None and us <= close_us]
    if inside:
        return min(inside)
    if close_us is not None and now_us < close_us:
        return close_us
    opens = (time.get_trading_session(day).open_us for day in coordinator.dates)
    return next((open_us for open_us in opens if open_us > now_us), None)


def advance_to(at_us: int, coordinator: SessionCoordinator) -> None:
    """Bring the clock of a paused run to ``at_us`` of its session at once: a step does not wait for the pace.

    The night takes no time anyway.
    """
    day, clock = coordinator.date, coordinator.time.clock
    if day is None or at_us > coordinator.time.get_trading_session(day).close_us:
        return
    coordinator.inbox.post(lambda: clock.advance_to(max(at_us, clock.now_us())))
