"""Stepping: where a paused backtest goes next."""

from __future__ import annotations

from mismartera.session.coordinator import SessionCoordinator


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
