"""Candles of crypto exchanges through the library ccxt (extra ``crypto``), which no account is needed for."""

from mismartera.feeds.ccxt.exchange import CcxtExchange
from mismartera.feeds.ccxt.feed import CcxtFeed

__all__ = ["CcxtExchange", "CcxtFeed"]
