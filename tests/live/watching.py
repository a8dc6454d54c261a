"""A strategy that keeps what it is told, and checks that it is told nothing stale."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from tests.runs import clock_time

from mismartera import Bar, Strategy


class Watcher(Strategy):
    """``on`` maps a moment, ``"AAA 10:05"`` (the bar's end), to what it does when that bar comes."""

    def __init__(self, on: Mapping[str, Callable[[], object]] | None = None) -> None:
        super().__init__()
        self.on = dict(on or {})
        self.bars: list[Bar] = []
        self.revisions: list[Bar] = []
        self.told: list[str] = []

    def on_bar(self, bar: Bar) -> None:
        view = self.session.bars(bar.symbol, bar.interval)
        assert view is None or view[-1].end_us >= bar.end_us, "what is notified can be read"
        self.bars.append(bar)
        self.on.get(f"{bar.symbol} {clock_time(bar.end_us)}", int)()

    def on_revision(self, bar: Bar) -> None:
        view = self.session.bars(bar.symbol, bar.interval)
        assert view is None or bar.end_us in view.end_us, "what was filled in or changed can be read"
        self.revisions.append(bar)

    def on_session_active(self, active: bool, reason: str) -> None:
        self.told.append(f"{'active' if active else 'inactive'} {reason}")

    def on_symbol_loaded(self, symbol: str) -> None:
        self.told.append(f"{symbol} loaded")

    def on_symbol_removed(self, symbol: str) -> None:
        self.told.append(f"{symbol} removed")

    def on_symbol_failed(self, symbol: str) -> None:
        self.told.append(f"{symbol} failed")

    def on_stop(self) -> None:
        self.told.append("stop")

    def ends(self, symbol: str, interval: str = "1m") -> list[str]:
        """When the delivered bars of a series ended."""
        return [clock_time(bar.end_us) for bar in self.bars if (bar.symbol, bar.interval) == (symbol, interval)]

    def revised(self, symbol: str, interval: str = "1m") -> list[str]:
        """When the revised bars of a series ended."""
        return [clock_time(b.end_us) for b in self.revisions if (b.symbol, b.interval) == (symbol, interval)]
