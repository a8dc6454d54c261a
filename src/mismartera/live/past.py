"""Past: what a live session needs to know of the sessions before it, from the store and from the vendor."""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from datetime import date

from mismartera.bars import BarBlock
from mismartera.errors import CalendarError, FeedRefusedError
from mismartera.feeds.port import Feed
from mismartera.live.answers import Past
from mismartera.live.splices import RECENT_SESSIONS
from mismartera.session.history import HistoryLoader
from mismartera.timing import TimeManager, TradingSession


class VendorPast:
    """Fetches trailing windows, keeps them in the store by ``keep``, and loads the history from there.

    Calls block, and are made in the background; one at a time.
    """

    def __init__(
        self, feed: Feed, time: TimeManager, history: HistoryLoader | None, trailing_sessions: int,
        keep: Callable[[str, BarBlock], None],
    ) -> None:  # fmt: skip
        self._feed = feed
        self._time = time
        self._history = history
        self._trailing_sessions = trailing_sessions
        self._keep = keep
        self._lock = threading.Lock()

    def load(self, symbols: Sequence[str], traded: frozenset[str], session: TradingSession) -> Past:
        """The history of ``symbols``; which of them, ``traded`` ones left aside, have no bar of late."""
        with self._lock:
            known = set(traded)
            if self._history is not None and symbols:
                known |= self._fetch(symbols, session, self._trailing_sessions)
            rest = [symbol for symbol in symbols if symbol not in known]
            if rest:
                known |= self._recent(rest, session)
            histories = self._history.load(symbols, session) if self._history is not None and symbols else {}
            return Past(histories, frozenset(symbols) - known)

    def _fetch(self, symbols: Sequence[str], session: TradingSession, sessions: int) -> frozenset[str]:
        """Keep the minutes of the last ``sessions`` before this one; the symbols that have any."""
        first_us = self._first_us(session, sessions)
        if first_us is None:
            return frozenset()
        block = self._block(symbols, "1m", first_us, session.open_us)
        self._keep("1m", block)
        return _with_bars(block)

    def _recent(self, symbols: Sequence[str], session: TradingSession) -> frozenset[str]:
        """The symbols that have a bar in the last sessions: daily bars are asked for first, they are few."""
        first_us = self._first_us(session, RECENT_SESSIONS)
        if first_us is None:
            return frozenset()
        try:
            found = _with_bars(self._block(symbols, "1d", first_us, session.open_us))
        except FeedRefusedError:
            found = frozenset()
        rest = [symbol for symbol in symbols if symbol not in found]
        return found | _with_bars(self._block(rest, "1m", first_us, session.open_us)) if rest else found

    def _block(self, symbols: Sequence[str], interval: str, first_us: int, last_us: int) -> BarBlock:
        return self._feed.backfill(symbols, interval, first_us, last_us).block

    def _first_us(self, session: TradingSession, sessions: int) -> int | None:
        """The open of the session so many before this one, or of the calendar's first."""
        day: date = session.date
        for _ in range(sessions):
            try:
                day = self._time.previous_trading_date(day)
            except CalendarError:
                break
        return self._time.get_trading_session(day).open_us if day != session.date else None


def _with_bars(block: BarBlock) -> frozenset[str]:
    sizes = block.rows_per_symbol.tolist()
    return frozenset(symbol for symbol, size in zip(block.symbols, sizes, strict=True) if size)
