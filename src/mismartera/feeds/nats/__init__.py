"""The bus: one feed, published by a bridge to a stream of NATS JetStream, and read by many sessions."""

from mismartera.feeds.nats.bridge import Bridge, BridgeFigures
from mismartera.feeds.nats.feed import NatsFeed
from mismartera.feeds.nats.link import BusAddress
from mismartera.feeds.nats.login import Login
from mismartera.feeds.nats.stream import Retention

__all__ = ["Bridge", "BridgeFigures", "BusAddress", "Login", "NatsFeed", "Retention"]
