"""The strategy of the swept benchmark: it looks at every bar, as users' strategies do."""

from __future__ import annotations

from mismartera import Bar, Strategy


class Watching(Strategy):
    def on_session_open(self) -> None:
        self.total = 0.0

    def on_bar(self, bar: Bar) -> None:
        self.total += bar.close

    def on_session_close(self) -> None:
        self.session.emit("total", self.total)
