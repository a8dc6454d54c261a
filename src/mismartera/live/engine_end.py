"""EngineEnd: what the intake tells the engine, which carries it out in order. No call waits.

What is told goes out by :meth:`EngineEnd.send`, together: a thread that is woken while its waker goes on would
only wait again, for the interpreter.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Protocol

from mismartera.live.entry import Entry
from mismartera.live.update import Update
from mismartera.session.gate import GateState
from mismartera.session.ports import Field
from mismartera.session.state import SymbolData


class EngineEnd(Protocol):
    """The engine, as its intake sees it. From the intake's thread."""

    def grew(self, update: Update) -> None:
        """New bars to be shown, and bars that changed."""
        ...

    def replaced(self, data: Mapping[Entry, SymbolData]) -> None:
        """New versions of symbols that have joined: read from now on."""
        ...

    def prepared(self, data: Mapping[Entry, SymbolData]) -> None:
        """Symbols that are ready for the open."""
        ...

    def joined(self, data: Mapping[Entry, SymbolData], update: Update) -> None:
        """Symbols that join, with their backlog."""
        ...

    def is_whole(self, end_us: int) -> None:
        """Nothing more is waited for of the instant ``end_us``."""
        ...

    def hold(self, cause: GateState, reason: str, lag_us: int = 0) -> None:
        """See :meth:`Streamer.hold`."""
        ...

    def lift(self, cause: GateState) -> None:
        """See :meth:`Streamer.lift`."""
        ...

    def event(self, name: str, /, **fields: Field) -> None:
        """Publish an event."""
        ...

    def event_of(self, entry: Entry, name: str, /, **fields: Field) -> None:
        """Publish an event about a symbol, unless it was removed meanwhile."""
        ...

    def failed(self, entries: Sequence[Entry], reason: str, retry_us: int | None) -> None:
        """Symbols cannot be loaded: for good, or until they are tried again."""
        ...

    def retried(self, entries: Sequence[Entry]) -> None:
        """Symbols that failed for a while are tried again."""
        ...

    def feed_failed(self, reason: str) -> None:
        """The feed has given up for good: so does the run."""
        ...

    def settled(self) -> None:
        """Nothing more is waited for in this session."""
        ...

    def completed(self) -> None:
        """All that can be known of this session is known."""
        ...

    def look_after(self) -> None:
        """Is a callback keeping the engine from what is stale by now?"""
        ...

    def send(self) -> None:
        """Let the engine have what was told since the last time."""
        ...

    def warn(self, text: str) -> None:
        """Something that a person should know."""
        ...
