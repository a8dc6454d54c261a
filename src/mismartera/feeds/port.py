"""The port of every live feed: what the engine asks of one, and the messages that come back.

A feed has a thread of its own. It hands its messages to one :class:`FeedSink`, in the order in which they
happened. The sink is bounded: when it is full the feed stops reading its connection until there is room, so that
the pressure reaches the vendor; no message is ever dropped in silence.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Protocol

import numpy as np
from msgspec import Struct
from numpy.typing import NDArray

from mismartera.bars import BarBlock

NO_START = -1
FEW_BARS = 8
"""So few are done with sooner in plain Python than by NumPy, and by whoever has them than by another thread."""
Floats = NDArray[np.float64]
Ints = NDArray[np.int64]


class BarsArrived(Struct, frozen=True, eq=False):
    """Valid, finished bars of one interval, in the order in which they came.

    Bar ``k`` is one of ``symbols[k]``; ``prices`` has a row for open, high, low, close and volume each, and a
    column per bar; ``start_us`` is in microseconds since the epoch, UTC. Nothing is merged: the same bar may come
    twice, or again with other values. ``corrections``: the vendor says that these replace bars which it sent
    before. ``arrived_us``: the feed's clock when they were received, never before their end.
    """

    interval: str
    symbols: tuple[str, ...]
    start_us: Ints
    prices: Floats
    corrections: bool
    arrived_us: int

    def __post_init__(self) -> None:
        assert self.prices.shape == (5, len(self.start_us)), "five prices for each bar"
        assert len(self.symbols) == len(self.start_us), "and a symbol"
        self.start_us.setflags(write=False)
        self.prices.setflags(write=False)

    def __len__(self) -> int:
        return len(self.symbols)

    @property
    def close(self) -> Floats:
        """The closing price of each bar."""
        row: Floats = self.prices[3]
        return row

    @property
    def volume(self) -> Floats:
        """The volume of each bar."""
        row: Floats = self.prices[4]
        return row


class StatusChanged(Struct, frozen=True):
    """Trading of ``symbol`` was halted, or resumed, for a reason in the vendor's words."""

    symbol: str
    halted: bool
    reason: str = ""


class Connected(Struct, frozen=True):
    """The vendor took our keys. Nothing is subscribed yet, and nothing proves that data flow."""


class Disconnected(Struct, frozen=True):
    """A connection, or an attempt at one, ended; the next attempt starts in ``retry_in_seconds`` of the clock.

    ``was_connected``: this connection had been announced by :class:`Connected`.
    """

    reason: str
    was_connected: bool
    retry_in_seconds: float


class Subscribed(Struct, frozen=True):
    """The vendor confirmed these symbols, on the present connection."""

    symbols: tuple[str, ...]


class SymbolRefused(Struct, frozen=True):
    """The vendor will not send ``symbol``. The feed asks for it no more until it is subscribed again."""

    symbol: str
    reason: str


class FeedFailed(Struct, frozen=True):
    """The last message of a feed that has given up for good."""

    reason: str


class FeedWarning(Struct, frozen=True):
    """Something that a person should know; the feed goes on."""

    text: str


class Rejected(Struct, frozen=True):
    """``count`` messages that broke one rule, and are gone.

    ``reason`` is the rule's name: one of :data:`mismartera.bars.validation.RULES`, or what a feed adds to them.
    ``symbols`` has one entry per message, "" where it names none. ``detail`` describes one of them.
    ``starts_us``: when the bar of each message began, :data:`NO_START` where nobody can tell; empty if of none.
    """

    reason: str
    count: int
    detail: str
    symbols: tuple[str, ...] = ()
    starts_us: tuple[int, ...] = ()


FeedMessage = (
    BarsArrived
    | StatusChanged
    | Connected
    | Disconnected
    | Subscribed
    | SymbolRefused
    | FeedFailed
    | FeedWarning
    | Rejected
)


class FeedSink(Protocol):
    """Takes a feed's messages, on the feed's thread. It must not work on them there, and must not block."""

    def put(self, message: FeedMessage) -> bool:
        """Take ``message``; False if there is no room, and then it was not taken. An empty sink takes any."""
        ...

    def when_room(self, callback: Callable[[], None]) -> None:
        """Call ``callback`` once, on any thread, as soon as there is room; at once if there is some already."""
        ...


class BackfillResult(Struct, frozen=True):
    """The finished bars of a time range, from the vendor's store.

    ``block`` has a series for every symbol that was asked for and not refused (in the order of the request, empty
    where there are no bars), sorted, one bar per start. ``refused`` maps the others to the vendor's reason.
    ``duplicates`` counts bars that came twice, ``conflicts`` those with other values (the last one stands).
    """

    interval: str
    block: BarBlock
    refused: Mapping[str, str] = {}
    rejected: tuple[Rejected, ...] = ()
    duplicates: int = 0
    conflicts: int = 0


class Feed(Protocol):
    """A live source of bars. All methods but :meth:`start`, :meth:`leave` and :meth:`stop` may be called from any
    thread.
    """

    @property
    def last_data_us(self) -> int | None:
        """When the last frame with data came, on the feed's clock; keep-alive and control frames do not count."""
        ...

    def start(self, sink: FeedSink) -> None:
        """Connect in the background, and stay connected. Once only."""
        ...

    def subscribe(self, symbols: Sequence[str]) -> None:
        """Want these symbols, now and after every reconnect. Returns at once."""
        ...

    def unsubscribe(self, symbols: Sequence[str]) -> None:
        """Want these symbols no more. Returns at once; bars that still come are rejected as ``not_subscribed``."""
        ...

    def backfill(self, symbols: Sequence[str], interval: str, start_us: int, end_us: int) -> BackfillResult:
        """The bars with ``start_us <= start < end_us`` that have ended. Blocks; not for the feed's thread.

        FeedRefusedError: none of the symbols can be had, for good. FeedUnavailableError: not now.
        """
        ...

    def reconnect(self, reason: str) -> None:
        """Drop the present connection, which somebody found stalled, and make a new one. Returns at once."""
        ...

    def leave(self) -> None:
        """Leave the stream and join the feed's thread: nothing is sent any more, nor is a connection made.
        :meth:`backfill` still works. Idempotent; :meth:`start` begins anew.
        """
        ...

    def stop(self) -> None:
        """Close everything and join the feed's thread. Idempotent; a waiting :meth:`backfill` is unavailable."""
        ...
