"""A strategy that emits a signal when a five-minute close crosses its moving average."""

from __future__ import annotations

from mismartera import Bar, Strategy


class Momentum(Strategy):
    """``params``: ``average`` (default ``SMA_20``), a column of the configured indicators on 5m bars."""

    intervals = ("5m",)

    def on_session_open(self) -> None:
        """Forget the side on which each symbol stood yesterday."""
        self.above: dict[str, bool] = {}

    def on_bar(self, bar: Bar) -> None:
        """Compare with the average of the same bar; None while it is not warm."""
        average = self.session.indicator(bar.symbol, self.params.get("average", "SMA_20"), "5m")
        if average is None:
            return
        above = bar.close > average
        if self.above.get(bar.symbol, above) != above:
            self.session.emit(f"{bar.symbol} {'above' if above else 'below'}", bar.close)
        self.above[bar.symbol] = above
