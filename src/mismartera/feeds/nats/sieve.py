"""Sieve: of what a bridge publishes for all, what is for this session; checked as if it came from a vendor."""

from __future__ import annotations

from typing import Final

import numpy as np

from mismartera.bars import parse_interval
from mismartera.feeds.desired import Desired
from mismartera.feeds.nats.wire import BadMessageError, Bars, Dropped, Status, Warned
from mismartera.feeds.port import FeedMessage, FeedWarning, Rejected, StatusChanged
from mismartera.feeds.sift import RawBars, merged, sift
from mismartera.timing import WallClock

_INTERVAL: Final = "1m"


class Sieve:
    """``skew_us``: how far the bridge's clock may be ahead of ours."""

    def __init__(self, desired: Desired, clock: WallClock, skew_us: int) -> None:
        self._desired = desired
        self._clock = clock
        self._skew_us = skew_us
        self._minute = parse_interval(_INTERVAL)

    def bars(self, message: Bars) -> list[FeedMessage]:
        """The bars of our symbols, and what is wrong with others of them; BadMessageError if it is the message."""
        wanted = self._desired.symbols
        start, prices = message.columns.arrays(len(message.symbols))
        if message.interval != _INTERVAL:
            raise BadMessageError(f"bars of {message.interval!r}; allowed: {_INTERVAL}")
        ours = np.array([row for row, symbol in enumerate(message.symbols) if symbol in wanted], np.intp)
        if not len(ours):
            return []
        symbols = [message.symbols[row] for row in ours.tolist()]
        values = np.vstack((*(column[ours] for column in prices), np.full(len(ours), -1.0)))
        raw = RawBars(symbols, start[ours], values)
        now_us = self._clock.now_us()
        rows, rejected = sift(raw, self._minute, now_us + self._skew_us, wanted)
        out: list[FeedMessage] = []
        if len(rows):
            out.append(raw.arrived(rows, _INTERVAL, now_us, corrections=message.corrections))
        return out + list(merged(rejected))

    def told(self, message: Status | Warned | Dropped) -> list[FeedMessage]:
        """A halt of our symbols; what the bridge refused of them, or of none in particular; and warnings."""
        wanted = self._desired.symbols
        match message:
            case Warned():
                return [FeedWarning(message.text)]
            case Status():
                is_ours = message.symbol in wanted
                return [StatusChanged(message.symbol, message.halted, message.reason)] if is_ours else []
            case Dropped():
                ours = tuple(symbol for symbol in message.symbols if not symbol or symbol in wanted)
                count = len(ours) if message.symbols else message.count
                return [Rejected(message.reason, count, message.detail, ours)] if count else []
