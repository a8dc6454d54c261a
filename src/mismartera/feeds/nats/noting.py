"""Noting: what whoever runs a bridge should know of its vendor, besides the sessions."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from mismartera.feeds.port import Connected, Disconnected, FeedFailed, FeedMessage, FeedWarning, Rejected
from mismartera.timing import WallClock

_ATTEMPTS_MAX: Final = 8


class VendorNotes:
    """``failure``: why the feed has failed for good, None while it has not."""

    def __init__(self, clock: WallClock, warn: Callable[[str], None], inform: Callable[[str], None]) -> None:
        self.failure: str | None = None
        self._clock = clock
        self._warn = warn
        self._inform = inform
        self._made_us = clock.now_us()
        self._attempts = 0

    def take(self, message: FeedMessage) -> None:
        """Say what ``message`` means, if it means anything to a person."""
        match message:
            case FeedFailed():
                self.failure = message.reason
            case Disconnected():
                self._warn(f"the vendor is away: {message.reason}")
                self._attempts += 1
                if self._attempts >= _ATTEMPTS_MAX and self._clock.now_us() == self._made_us:
                    # A rehearsal's clock stands until the vendor is reached: nobody would ever end this.
                    self.failure = f"it could not be reached in {self._attempts} attempts: {message.reason}"
            case Connected():
                self._inform("the vendor is connected")
            case FeedWarning():
                self._warn(message.text)
            case Rejected():
                self._warn(f"{message.count} messages of the feed were rejected ({message.reason})")
