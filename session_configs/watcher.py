"""A strategy that only watches: it says what it sees when symbols come and go, and once an hour."""

from __future__ import annotations

from collections import Counter

from loguru import logger

from mismartera import Bar, Slice, Strategy


class Watcher(Strategy):
    """Logs at INFO: ``mismartera run ... --log-level INFO`` shows it."""

    intervals = ("1m",)

    def on_session_open(self) -> None:
        """Begin to count anew."""
        self.delivered: Counter[str] = Counter()
        self.hour = 0

    def on_bar(self, bar: Bar) -> None:
        """Count what is delivered: of a symbol that joined late, that is less than what is readable."""
        if not self.delivered[bar.symbol]:
            self.say(f"first bar of {bar.symbol} delivered: {bar.timestamp:%H:%M} at {bar.close:.2f}")
        self.delivered[bar.symbol] += 1

    def on_slice(self, slice: Slice) -> None:
        """At each full hour, a line on all symbols; one, though bars of a symbol that joins then come later."""
        if slice.end.minute == 0 and slice.end.hour != self.hour:
            self.hour = slice.end.hour
            self.say(", ".join(self.describe(symbol) for symbol in self.session.symbols))

    def on_symbol_loaded(self, symbol: str) -> None:
        """All bars since the open are readable now, though none of them was delivered."""
        bars = self.session.bars(symbol, "1m")
        if bars:
            self.say(f"{symbol} is caught up: {len(bars)} bars since {bars[0].timestamp:%H:%M} are readable")

    def on_symbol_removed(self, symbol: str) -> None:
        """Nothing of the symbol is left."""
        bars = self.session.bars(symbol, "1m")
        self.say(f"{symbol} is gone, {self.delivered[symbol]} bars were delivered; reading it gives {bars}")

    def describe(self, symbol: str) -> str:
        """A symbol's last price, and how many bars it had."""
        bars = self.session.bars(symbol, "1m")
        price = f"{bars[-1].close:.2f}" if bars else "-"
        return f"{symbol} {price} ({self.delivered[symbol]} bars)"

    def say(self, text: str) -> None:
        """Log with the engine's time, as the engine does."""
        logger.info(f"{self.session.now:%Y-%m-%d %H:%M:%S %Z} watcher: {text}")
