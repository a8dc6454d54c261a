"""The messages of Alpaca's market data stream (protocol v2) as typed structs, named by their field ``T``.

Unknown fields are ignored. A timestamp stays undecoded, see :mod:`mismartera.feeds.alpaca.stamps`.
"""

from __future__ import annotations

from msgspec import Raw, Struct


class BarMessage(Struct, tag_field="T", tag="b", gc=False):
    """A minute bar: ``t`` is its start, ``n`` its number of trades."""

    S: str
    o: float
    h: float
    l: float  # noqa: E741 (the protocol's name)
    c: float
    v: float
    t: Raw
    n: float | None = None


class UpdatedBarMessage(BarMessage, tag_field="T", tag="u", gc=False):
    """A bar that replaces the one of the same minute: trades came late."""


class DailyBarMessage(Struct, tag_field="T", tag="d", gc=False):
    """The running bar of the day, which is never asked for: it is still forming."""

    S: str


class StatusMessage(Struct, tag_field="T", tag="s", gc=False):
    """A change of a symbol's trading status: code and words (``s…``), and the reason's (``r…``)."""

    S: str
    sc: str = ""
    sm: str = ""
    rc: str = ""
    rm: str = ""


class SuccessMessage(Struct, tag_field="T", tag="success", gc=False):
    """A step of the handshake: "connected", "authenticated"."""

    msg: str


class ErrorMessage(Struct, tag_field="T", tag="error", gc=False):
    """The server's no; codes as in :mod:`mismartera.feeds.alpaca.codes`."""

    code: int
    msg: str = ""


class SubscriptionMessage(Struct, tag_field="T", tag="subscription", gc=False):
    """All that is subscribed on this connection, after a change. An empty list may be null, or absent."""

    bars: list[str] | None = None
    updatedBars: list[str] | None = None  # noqa: N815 (the protocol's name)
    statuses: list[str] | None = None


class MessageHead(Struct, gc=False):
    """What can be told of a message that is not one of the others."""

    T: str
    S: str = ""


Control = SuccessMessage | ErrorMessage | SubscriptionMessage
Message = BarMessage | UpdatedBarMessage | DailyBarMessage | StatusMessage | Control

KNOWN_TYPES = frozenset({"b", "u", "d", "s", "success", "error", "subscription"})
DATA_TYPES = frozenset({"b", "u", "d", "s", "t", "q", "o", "l", "c", "x"})
"""Messages about the market; they show that data flow, whether we asked for them or not."""
