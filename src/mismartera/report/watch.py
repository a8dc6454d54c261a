"""What a live session does at present, for the one line that people watch."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime

from mismartera.bars import Bar
from mismartera.session.ports import Field

_STATES = {"session_opened": "open", "session_activated": "active", "session_closed": "closed"}


class SessionWatch:
    """A sink that keeps the present state, told by the events. Written on the engine's thread, read on any.

    ``state``: "waiting" before the first session, then "open", "active", "closed", or why the session is not
    active. ``bars`` were delivered; ``lag_seconds`` is that of the newest one, or of the last change of state.
    """

    wants_bars = True
    wants_gaps = False

    def __init__(self) -> None:
        self.state = "waiting"
        self.loaded: dict[str, None] = {}
        self.bars = 0
        self.lag_seconds = 0.0

    def event(self, name: str, now_us: int, fields: Mapping[str, Field]) -> None:  # noqa: ARG002  # a sink's signature
        """Follow a change of the session or of a symbol."""
        symbol = str(fields.get("symbol"))
        if name == "symbol_loaded":
            self.loaded[symbol] = None
        elif name in {"symbol_removed", "symbol_failed"}:
            self.loaded.pop(symbol, None)
        elif name in _STATES:
            self.state = _STATES[name]
        elif name == "session_deactivated":
            self.state = str(fields["reason"])
        elif name == "session_state":
            self.state = str(fields["to"])
        if name in {"session_activated", "session_deactivated"}:
            self.lag_seconds = float(str(fields["lag_seconds"]))

    def bar(self, bar: Bar) -> None:
        """Count a bar that is delivered."""
        self.bars += 1
        self.lag_seconds = bar.lag_seconds

    def text(self, now: datetime) -> str:
        """All of it on one line; ``now``: the engine's clock in exchange time."""
        symbols = f"{len(self.loaded):,} symbol{'' if len(self.loaded) == 1 else 's'}"
        parts = (f"{now:%Y-%m-%d %H:%M:%S %Z}", self.state, symbols, f"{self.bars:,} bars")
        return "  ".join((*parts, f"lag {self.lag_seconds:.1f} s"))
