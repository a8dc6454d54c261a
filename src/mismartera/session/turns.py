"""Turns: when strategies on threads of their own look at what is the engine's, or change it.

Nobody needs to ask for that in a session that is not recorded. Whoever records one lets them have their turns
between two steps of the engine, so that whoever plays it again can let them have each at the same place: see
:mod:`mismartera.trace`.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from enum import IntEnum
from typing import Protocol, TypeVar

T = TypeVar("T")


class Turn(IntEnum):
    """What a strategy does in its turn."""

    TAKE = 0
    """It takes the next thing that waits for it, and reads the clock."""
    CHECK = 1
    """It looks whether what it took is still to be told."""
    MOVE = 2
    """It is activated or deactivated, and says so."""
    FAIL = 3
    """It has raised, and says so."""
    READ = 4
    """It reads the session's data, or whatever else ``self.session`` answers."""
    SIGNAL = 5
    ADD = 6
    REMOVE = 7
    AT = 8
    """``self.session.at``."""


class Seat(Protocol):
    """A strategy's desk, as far as turns need it. ``changed`` is the lock of ``is_active``."""

    number: int
    name: str
    is_active: bool
    changed: threading.Condition

    @property
    def thread(self) -> threading.Thread | None:
        """The desk's own, once it was started."""
        ...


class Turns(Protocol):
    """Lets desks have their turns. ``act`` asks for no turn itself, and waits for nobody."""

    def begin(self, seats: Sequence[Seat]) -> None:
        """The engine's side: the threads of these are about to start; their numbers are their places."""
        ...

    def take(self, seat: Seat, wait: Callable[[], object], act: Callable[[], T]) -> T:
        """On the desk's thread: :meth:`have` a turn to TAKE, after ``wait`` has returned."""
        ...

    def have(self, seat: Seat, what: Turn, act: Callable[[], T]) -> T:
        """On the desk's thread: carry out ``act``, and return what it returns, or raise what it raises."""
        ...

    def join(self, thread: threading.Thread, timeout: float) -> bool:
        """The engine's side: wait for the end of a desk's thread; False if it goes on after so many seconds."""
        ...

    def end(self) -> None:
        """The engine's side: the run is over. Whoever still wants a turn is left alone."""
        ...


class PlainTurns:
    """Everybody acts at once: the locks of what is looked at are enough."""

    def begin(self, seats: Sequence[Seat]) -> None:
        """Nothing."""

    def take(self, seat: Seat, wait: Callable[[], object], act: Callable[[], T]) -> T:  # noqa: ARG002
        """See the port."""
        wait()
        return act()

    def have(self, seat: Seat, what: Turn, act: Callable[[], T]) -> T:  # noqa: ARG002
        """See the port."""
        return act()

    def join(self, thread: threading.Thread, timeout: float) -> bool:
        """See the port."""
        thread.join(timeout)
        return not thread.is_alive()

    def end(self) -> None:
        """Nothing."""
