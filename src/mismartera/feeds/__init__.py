"""F4: live sources of bars behind one port. A feed knows its vendor, never the session.

A vendor's feed is imported from its own package (``mismartera.feeds.alpaca``), which brings its network libraries
along: who replays a day does not wait for them.
"""

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
from mismartera.feeds.replay import ReplayFeed
from mismartera.feeds.replay_faults import ReplayFault, read_faults
from mismartera.feeds.secret import Keys, Secret

__all__ = [
    "BackfillResult", "BarsArrived", "Connected", "Disconnected", "Feed", "FeedFailed",
    "FeedMessage", "FeedQueue", "FeedSink", "FeedWarning", "Keys", "Rejected", "ReplayFault", "ReplayFeed",
    "Secret", "StatusChanged", "Subscribed", "SymbolRefused", "read_faults",
]  # fmt: skip
