"""Items of a trace: what one thread has seen of the world, in order. Each is an int64: a value and its kind."""

from __future__ import annotations

import zlib
from array import array
from collections import deque
from collections.abc import Iterable
from enum import IntEnum

from mismartera.journal import Trace

_KIND_BITS = 4
_KINDS = (1 << _KIND_BITS) - 1
ENGINE, INTAKE = "engine", "intake"
"""The two threads."""


class Kind(IntEnum):
    """What was seen."""

    CLOCK = 0
    """The clock read so many microseconds."""
    FLAG = 1
    """A flag that another thread sets was up (1) or not."""
    TAKEN = 2
    """So many commands were taken out of the inbox; the origin of each follows."""
    ORIGIN = 3
    COMMAND = 4
    """Another thread has given the command of this number just now."""
    STEP = 5
    """The intake begins a step."""
    ORDER = 6
    """The intake carries out the engine's next order."""
    ANSWER = 7
    """The intake is handed the answer to its request of this number."""
    MESSAGES = 8
    """The intake takes so many messages of the feed."""
    DATA = 9
    """When the feed's last data came; -1 if none did."""
    LOOK = 10
    """A callback's look at the data, twice the number of it, saw what other threads have done: all commands so
    far, and if it is odd that reads were shut."""
    QUALITY = 11
    """A callback was told of so many bars, those that are expected and those that are there; or -1."""
    TURN = 12
    """A strategy with a thread of its own had a turn: see :mod:`mismartera.trace.turns`."""


class TraceLog:
    """The items of one thread that are not in the journal yet. Any thread may note, one takes out."""

    def __init__(self, stream: str) -> None:
        self.stream = stream
        self._items: deque[int] = deque()
        self._append = self._items.append

    def note(self, kind: Kind, value: int) -> None:
        """The thread has seen ``value``."""
        self._append(value << _KIND_BITS | kind)

    def clock(self, us: int) -> None:
        """The clock was read."""
        self._append(us << _KIND_BITS)  # CLOCK is 0

    def note_taken(self, origins: Iterable[int]) -> None:
        """Commands of these origins were taken, all at once: nothing else stands between them."""
        values = list(origins)
        items = [len(values) << _KIND_BITS | Kind.TAKEN, *(v << _KIND_BITS | Kind.ORIGIN for v in values)]
        self._items.extend(items)

    def pull(self) -> list[Trace]:
        """All items so far, as an entry of the journal; empty if there are none."""
        size = len(self._items)
        if not size:
            return []
        items = array("q", (self._items.popleft() for _ in range(size)))
        return [Trace(self.stream, zlib.compress(items.tobytes(), 1))]


class TraceReader:
    """The items of a thread, one after the other. ``next`` is the one that comes, as kind and value."""

    def __init__(self, payloads: Iterable[bytes]) -> None:
        self._payloads = iter(payloads)
        self._chunk: array[int] = array("q")
        self._at = 0
        self.number = 0

    def peek(self) -> tuple[int, int] | None:
        """The item that comes; None at the end."""
        while self._at >= len(self._chunk):
            payload = next(self._payloads, None)
            if payload is None:
                return None
            self._chunk = array("q")
            self._chunk.frombytes(zlib.decompress(payload))
            self._at = 0
        item = self._chunk[self._at]
        return item & _KINDS, item >> _KIND_BITS

    def peek_after(self, kind: Kind) -> tuple[int, int] | None:
        """The first item to come that is not of ``kind``; None if there is none."""
        if self.peek() is None:
            return None
        at = self._at  # of the chunk that is looked at now
        while True:
            while at < len(self._chunk) and self._chunk[at] & _KINDS == kind:
                at += 1
            if at < len(self._chunk):
                return self._chunk[at] & _KINDS, self._chunk[at] >> _KIND_BITS
            payload = next(self._payloads, None)
            if payload is None:
                return None
            self._chunk.frombytes(zlib.decompress(payload))

    def skip(self) -> None:
        """Pass over the item that :meth:`peek` has shown."""
        self._at += 1
        self.number += 1
