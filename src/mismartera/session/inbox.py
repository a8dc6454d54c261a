"""Inbox: the one door through which other threads reach the engine: bounded, ordered, drained between instants."""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable, Sequence

from mismartera.errors import UsageError

Command = Callable[[], None]
COMMANDS_MAX = 100_000
DESK, FOREIGN, INTAKE, LOGGED = -1, 0, 1, 2
"""Who gave a command: a strategy in its turn, anybody, or the side that takes what arrives; LOGGED + k: it is the
k-th on record.
"""


class Inbox:
    """Commands from outside and the engine's stop and pause flags.

    ``attention`` is one flag that the streaming loop looks at once per instant: it is set when a command waits,
    a pause or a stop is asked for.
    """

    def __init__(self) -> None:
        self._changed = threading.Condition()
        self._commands: deque[Command] = deque()
        self.attention = False
        self.stopping = False
        self.pausing = False
        self._holding = False
        self._over = False

    def check_room(self) -> None:
        """UsageError if so many commands wait that another one must not be posted."""
        if len(self._commands) >= COMMANDS_MAX:
            raise UsageError(
                f"{COMMANDS_MAX} commands are waiting for the engine: let it go on before sending more"
            )

    def post(self, command: Command) -> None:
        """Let the engine run ``command`` between two instants, after those that wait.

        Whoever posts has asked :meth:`check_room` before it changed anything; UsageError if there is none.
        """
        with self._changed:
            self.check_room()
            self._commands.append(command)
            self._wake()

    def urge(self, command: Command, origin: int = FOREIGN) -> None:
        """:meth:`post` for the engine's own parts, which are never refused: the data bound their number."""
        self.urge_all((command,), origin)

    def urge_all(self, commands: Sequence[Command], origin: int) -> None:  # noqa: ARG002  # for those that record it
        """:meth:`urge` for each of them, in order: the engine sees all or none, and is woken once."""
        with self._changed:
            self._commands.extend(commands)
            self._wake()

    def take_all(self) -> list[Command]:
        """The commands that wait now, in order. The engine's side."""
        with self._changed:
            commands, self._commands = list(self._commands), deque()
            self.attention = self.stopping or self.pausing
            return commands

    def stop(self) -> None:
        """Ask the engine to end the run."""
        with self._changed:
            self.stopping = True
            self._wake()

    def pause(self, reached: threading.Event | None = None) -> None:
        """Ask the engine to hold after the present instant.

        ``reached`` is set with it: whoever is woken between the two would take the pause for over.
        """
        with self._changed:
            if reached is not None:
                reached.set()
            self.pausing = True
            self._wake()

    def resume(self) -> None:
        """Let the engine go on."""
        with self._changed:
            self.pausing = False
            self._wake()

    def look_again(self) -> None:
        """Let the engine look at its agenda again: something was added to it."""
        with self._changed:
            self._wake()

    def wait(self, seconds: float | None) -> bool:
        """The engine's side: sleep until something wants attention (True) or ``seconds`` have passed (False)."""
        with self._changed:
            bounded = None if seconds is None else min(seconds, threading.TIMEOUT_MAX)
            return self._changed.wait_for(lambda: self.attention, bounded)

    def must_hold(self) -> bool:
        """The engine's side: a pause is asked for, and no stop."""
        return self.pausing and not self.stopping

    def hold(self) -> None:
        """The engine's side: stand still while a pause is asked for and no command waits."""
        with self._changed:
            self._holding = True
            self._changed.notify_all()
            self._changed.wait_for(lambda: self.stopping or not self.pausing or self._commands)
            self._holding = False
            self.attention = bool(self._commands) or self.stopping or self.pausing

    def wait_until(self, reached: Callable[[], bool]) -> bool:
        """Another thread's side: True once ``reached`` is true and the engine holds, or was told to go on again.

        False if the engine has ended without it.
        """
        with self._changed:
            self._changed.wait_for(lambda: (reached() and (self._holding or not self.pausing)) or self._over)
            return reached()

    def wait_paused(self, timeout: float) -> bool:
        """Another thread's side: True once the engine holds, has ended, or was told to go on; False after that
        time.
        """
        with self._changed:
            return self._changed.wait_for(lambda: self._holding or self._over or not self.pausing, timeout)

    def end(self) -> None:
        """The engine's side: the run is over; nobody waits any more."""
        with self._changed:
            self._over = True
            self._commands.clear()
            self._changed.notify_all()

    def _wake(self) -> None:
        self.attention = True
        self._changed.notify_all()
