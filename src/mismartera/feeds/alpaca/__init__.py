"""Alpaca's market data, protocol v2: a stream over WebSocket, and historical bars over REST."""

from mismartera.feeds.alpaca.feed import AlpacaFeed

__all__ = ["AlpacaFeed"]
