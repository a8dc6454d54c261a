"""Follower: a session's place in the stream, and what the messages and leases there mean for the session.

It does no input or output: it is told what was read, in the order of the stream, and says what to hand over.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Sequence

from msgspec import Struct

from mismartera.feeds.desired import Desired
from mismartera.feeds.nats.sieve import Sieve
from mismartera.feeds.nats.wire import (
    BadMessageError,
    Bars,
    BusMessage,
    Codec,
    Down,
    Dropped,
    Frame,
    Granted,
    Refused,
    Status,
    Taken,
    Up,
    Warned,
)
from mismartera.feeds.port import Connected, Disconnected, FeedMessage, Rejected, Subscribed, SymbolRefused
from mismartera.timing import WallClock


class FollowFigures(Struct, frozen=True):
    """What was read, and what of it was passed over."""

    frames: int = 0
    duplicates: int = 0
    gaps: int = 0
    bad: int = 0


class Follower:
    """The session is *up* while the bridge grants its lease and the bridge's own feed is connected.

    ``position``: the last message of the stream that was read; None before the first connection.
    ``data_seq``: the last one with bars, whosever. ``skew_us``: how far the bridge's clock may be ahead of ours.
    """

    def __init__(self, desired: Desired, clock: WallClock, skew_us: int) -> None:
        self.position: int | None = None
        self.data_seq = 0
        self.last_data_us: int | None = None
        self.figures = FollowFigures()
        self._desired = desired
        self._clock = clock
        self._codec = Codec()
        self._sieve = Sieve(desired, clock, skew_us)
        self._bridge = ""
        self._number: int | None = None
        self._lease_of: str | None = None
        self._has_vendor = False
        self._vendor_seq = 0
        self._taken: set[str] = set()
        self._confirmed: set[str] = set()
        self._pending: deque[Granted] = deque()
        self._is_open = False
        self.is_up = False

    def restart(self) -> None:
        """The feed was stopped, and begins anew: with whatever is the place then."""
        self.position, self.is_up = None, False
        self._know("")
        self.down("stopped", 0.0)

    @property
    def awaited(self) -> int | None:
        """The message after which the bridge's oldest answer holds that does not hold yet; None if all do."""
        return self._pending[0].seq if self._pending else None

    def begin(self, position: int, *, is_new: bool) -> list[FeedMessage]:
        """A connection stands: messages after ``position`` will come.

        ``is_new``: it is another stream than before. Something is missed if ``position`` is not where the last
        connection ended.
        """
        before, self.position, self._is_open = self.position, position, True
        if is_new:
            self._vendor_seq = 0
        out: list[FeedMessage] = []
        if before is not None and (before != position or is_new):
            self._count(gaps=1)
            out = self._again("messages of the stream were removed before they were read")
        return out + self.settle()

    def down(self, reason: str, retry_in_seconds: float) -> list[FeedMessage]:
        """The connection, or the bridge, is gone: nothing holds that was granted."""
        self._lease_of, self._is_open = None, False
        self._pending.clear()
        self._taken.clear()
        return self._fall(reason, retry_in_seconds)

    def forget(self, symbols: Iterable[str]) -> None:
        """These are not wanted any more; wanted again, they are to be confirmed anew."""
        gone = frozenset(symbols)
        self._confirmed -= gone
        self._taken -= gone

    def note(self, answer: Granted) -> None:
        """The bridge's answer; it holds once all is read that was published before it, see :meth:`settle`."""
        if self._pending and self._pending[-1].confirmed is None:
            self._pending.pop()  # the newer one says all that it said
        self._pending.append(answer)

    def settle(self) -> list[FeedMessage]:
        """The bridge's answers whose time has come."""
        out: list[FeedMessage] = []
        while self._is_open and self._pending and (self.position or 0) >= self._pending[0].seq:
            answer = self._pending.popleft()
            if answer.bridge != self._bridge:
                out += self._fall("another bridge answers now", 0.0)
                self._know(answer.bridge)
            self._lease_of = answer.bridge
            if self._vendor_seq <= answer.seq:  # nothing that was read since is newer
                self._has_vendor = answer.is_connected
                self._taken.update(s for s in answer.confirmed or () if s in self._desired.symbols)
            out += self._rise() if self._has_vendor else self._fall("the bridge's feed is not connected", 0.0)
        return out

    def take(self, seq: int, payload: bytes) -> list[FeedMessage]:
        """Message ``seq`` of the stream."""
        if self.position is not None and seq <= self.position:
            self._count(duplicates=1)  # its acknowledgement was lost
            return []
        is_gap = self.position is not None and seq > self.position + 1
        missing = f"messages {(self.position or 0) + 1} to {seq - 1} of the stream are missing" if is_gap else ""
        self.position = seq
        out: list[FeedMessage] = []
        try:
            frame = self._codec.frame(payload)
        except BadMessageError as error:
            self._count(bad=1)
            out.append(_bad(seq, error))
        else:
            out += self._frame(seq, frame, missing)
            missing = ""
        if missing:
            self._count(gaps=1)
            out += self._again(missing)
        return out + self.settle()

    def _frame(self, seq: int, frame: Frame, missing: str) -> list[FeedMessage]:
        out: list[FeedMessage] = []
        number = self._number if frame.bridge == self._bridge else None
        if number is not None and frame.number <= number:
            self._count(duplicates=1)  # published twice, long after the server knows it
            return out
        if frame.bridge != self._bridge:
            if self._bridge:
                missing = ""
                out += self._fall("another bridge publishes now", 0.0)
            self._know(frame.bridge)
        elif number is not None and frame.number > number + 1 and not missing:
            missing = f"messages {number + 1} to {frame.number - 1} of the bridge are missing"
        self._number = frame.number
        self._count(frames=1)
        if missing:
            self._count(gaps=1)
            out += self._again(missing)
        for message in frame.messages:
            out += self._message(seq, message)
        return out

    def _message(self, seq: int, message: BusMessage) -> list[FeedMessage]:
        match message:
            case Up():
                self._has_vendor, self._vendor_seq = True, seq
                self._taken.clear()
                return self._rise()
            case Down():
                self._has_vendor, self._vendor_seq = False, seq
                self._taken.clear()
                return self._fall(message.reason, message.retry_in_seconds)
            case Taken():
                return self._confirm(message.symbols)
            case Refused():
                return self._refused(message)
        return self._content(seq, message)

    def _content(self, seq: int, message: Bars | Status | Warned | Dropped) -> list[FeedMessage]:
        if not isinstance(message, Bars):
            return self._sieve.told(message)
        self.data_seq = seq
        try:
            out = self._sieve.bars(message)
        except BadMessageError as error:
            self._count(bad=1)
            return [_bad(seq, error)]
        if out:
            self.last_data_us = self._clock.now_us()
        return out

    def _refused(self, message: Refused) -> list[FeedMessage]:
        if message.symbol not in self._desired.symbols:
            return []
        self._desired.discard([message.symbol])
        self.forget([message.symbol])
        return [SymbolRefused(message.symbol, message.reason)]

    def _know(self, bridge: str) -> None:
        """From now on it is this bridge: what is known of another one means nothing."""
        self._bridge, self._number = bridge, None
        self._has_vendor, self._vendor_seq = False, 0
        self._taken.clear()

    def _rise(self) -> list[FeedMessage]:
        """Up, if lease and feed are there; and what the vendor has confirmed is told."""
        out: list[FeedMessage] = []
        if self._has_vendor and self._lease_of == self._bridge and not self.is_up:
            self.is_up = True
            self._confirmed.clear()
            out.append(Connected())
        return out + self._confirm(())

    def _confirm(self, symbols: Sequence[str]) -> list[FeedMessage]:
        self._taken.update(s for s in symbols if s in self._desired.symbols)
        if not self.is_up:
            return []
        new = [s for s in self._desired.symbols if s in self._taken and s not in self._confirmed]
        self._confirmed.update(new)
        return [Subscribed(tuple(new))] if new else []

    def _fall(self, reason: str, retry_in_seconds: float) -> list[FeedMessage]:
        if not self.is_up:
            return []
        self.is_up = False
        self._confirmed.clear()
        return [Disconnected(reason, was_connected=True, retry_in_seconds=retry_in_seconds)]

    def _again(self, reason: str) -> list[FeedMessage]:
        """Something is missing: as if the connection had dropped, so that the session backfills it."""
        if not self.is_up:
            return []
        symbols = tuple(s for s in self._desired.symbols if s in self._confirmed)
        again: list[FeedMessage] = [Disconnected(reason, was_connected=True, retry_in_seconds=0.0), Connected()]
        return [*again, Subscribed(symbols)] if symbols else again

    def _count(self, *, frames: int = 0, duplicates: int = 0, gaps: int = 0, bad: int = 0) -> None:
        now = self.figures
        self.figures = FollowFigures(
            now.frames + frames, now.duplicates + duplicates, now.gaps + gaps, now.bad + bad
        )


def _bad(seq: int, error: BadMessageError) -> Rejected:
    return Rejected("bus_message", 1, f"message {seq} of the stream: {error}", ("",))
