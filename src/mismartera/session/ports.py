"""What the session needs from the floors below and tells the floors above."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import date
from typing import Protocol

from mismartera.bars import Bar, BarBlock, Bars

Field = str | float | int | bool | tuple[str, ...] | None


class BarSource(Protocol):
    """Where bars come from: DataManager is one."""

    @property
    def version(self) -> int:
        """The version of the data that this source reads."""
        ...

    def read_block(self, interval: str, start_us: int, end_us: int, symbols: Sequence[str]) -> BarBlock:
        """Rows with ``start_us <= timestamp < end_us`` in the order of ``symbols``, sorted by time within each."""
        ...

    def known_intervals(self, symbols: Sequence[str]) -> Mapping[str, frozenset[str]]:
        """The stored intervals of those of ``symbols`` that the source knows at all."""
        ...

    def damage_to(self, symbol: str) -> str | None:
        """What was found damaged of the source that may have held bars of ``symbol``, in a sentence; else None."""
        ...


class EventSink(Protocol):
    """A listener to the session's journal of events, in order. It must not call back into the session."""

    wants_bars: bool
    """True if :meth:`bar` is to be called; a sink that does not need bars costs nothing per bar."""
    wants_gaps: bool
    """True if the ``gap`` events are for it: a sparse symbol has hundreds a day."""

    def event(self, name: str, now_us: int, fields: Mapping[str, Field]) -> None:
        """Something happened at engine time ``now_us``; ``fields`` as in the documentation of ``--events``."""
        ...

    def bar(self, bar: Bar) -> None:
        """``bar`` is about to be handed to the strategies; the engine's clock stands at its end plus its lag."""
        ...


class SessionRecorder(Protocol):
    """Keeps what a finished session holds, for example as files."""

    def record(
        self, day: date, symbols: Sequence[str], intervals: Mapping[str, Sequence[str]], data: Reads
    ) -> None:
        """Called at each close: the loaded ``symbols`` in rank order and the requested ``intervals`` of each."""
        ...


class Reads(Protocol):
    """The reads of a session that a recorder needs: SessionData has them."""

    def get_bars(self, symbol: str, interval: str, internal: bool = False) -> Bars | None:
        """See :meth:`SessionData.get_bars`."""
        ...
