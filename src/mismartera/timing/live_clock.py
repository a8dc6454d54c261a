"""LiveClock: the clock of the world outside, as the engine sees it. It runs whatever the engine does."""

from __future__ import annotations

from mismartera.bars.instants import SECOND_US
from mismartera.timing.wall import WallClock


class LiveClock:
    """The :class:`~mismartera.timing.Clock` of a live session, over the clock that its feed uses."""

    is_live = True
    is_paused = False

    def __init__(self, wall: WallClock) -> None:
        self._wall = wall

    def now_us(self) -> int:
        """The present instant; never less than it was before."""
        return self._wall.now_us()

    def start_at(self, us: int) -> None:
        """Nothing: it runs already."""

    def advance_to(self, us: int) -> None:
        """Nothing: who wants to be there has to wait."""

    def pause(self) -> None:
        """Nothing: the world goes on."""

    def resume(self) -> None:
        """Nothing: it never stood still."""

    def wall_seconds_until(self, us: int) -> float:
        """Wall seconds until the clock reads ``us``; 0 if it has passed."""
        missing_us = us - self._wall.now_us()
        return self._wall.wall_seconds(missing_us / SECOND_US) if missing_us > 0 else 0.0
