"""F4: live sources of bars behind one port. A feed knows its vendor, never the session."""

from mismartera.feeds.alpaca import AlpacaFeed
from mismartera.feeds.port import (
    BackfillResult,
    BarsArrived,
    Connected,
    Disconnected,
    Feed,
    FeedFailed,
    FeedMessage,
    FeedSink,
    FeedWarning,
    Rejected,
    StatusChanged,
    Subscribed,
    SymbolRefused,
)
from mismartera.feeds.queue import FeedQueue
from mismartera.feeds.secret import Keys, Secret

__all__ = [
    "AlpacaFeed", "BackfillResult", "BarsArrived", "Connected", "Disconnected", "Feed", "FeedFailed",
    "FeedMessage", "FeedQueue", "FeedSink", "FeedWarning", "Keys", "Rejected", "Secret", "StatusChanged",
    "Subscribed", "SymbolRefused",
]  # fmt: skip
