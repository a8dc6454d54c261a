"""What is written into the journal, as values. Each knows its table and its row; rows are made by the writer's
thread, so that whoever hands an entry over pays for nothing but the handing over.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from typing import Any, Protocol

from msgspec import Struct
from sqlalchemy import Table

from mismartera.journal import tables

Scalar = str | float | int | bool | tuple[str, ...] | None


class Entry(Protocol):
    """One row to come."""

    @property
    def table(self) -> Table:
        """Where it goes."""
        ...

    def row(self) -> dict[str, Any]:
        """Its columns, but for the session and ``seq``."""
        ...


class Event(Struct, frozen=True):
    """An event of the session; see docs/EVENTS.md for its fields."""

    time_us: int
    name: str
    fields: Mapping[str, Scalar]

    @property
    def table(self) -> Table:
        """Where it goes."""
        return tables.events

    def row(self) -> dict[str, Any]:
        """Its columns."""
        symbol = self.fields.get("symbol")
        text = json.dumps(self.fields, sort_keys=True, separators=(",", ":"))
        return {
            "time_us": self.time_us, "name": self.name, "fields": text,
            "symbol": symbol if isinstance(symbol, str) else None,
        }  # fmt: skip


class Command(Struct, frozen=True):
    """An addition or removal of a symbol, or an entry of the schedule that has acted (``what`` "acted").

    ``number``: the how many-th command of the session; ``who`` gave it: "user", "engine" (a strategy, or the
    schedule), or the schedule entry's label.
    """

    number: int
    time_us: int
    what: str
    who: str
    symbol: str | None = None
    streams: tuple[str, ...] | None = None
    accepted: bool = True

    @property
    def table(self) -> Table:
        """Where it goes."""
        return tables.commands

    def row(self) -> dict[str, Any]:
        """Its columns."""
        return {
            "number": self.number, "time_us": self.time_us, "what": self.what, "who": self.who,
            "symbol": self.symbol, "streams": None if self.streams is None else ",".join(self.streams),
            "accepted": self.accepted,
        }  # fmt: skip


class Counts(Struct, frozen=True):
    """R1's counts of a symbol over one session day."""

    date: str
    symbol: str
    counts: Mapping[str, int]

    @property
    def table(self) -> Table:
        """Where it goes."""
        return tables.counts

    def row(self) -> dict[str, Any]:
        """Its columns."""
        return {"date": self.date, "symbol": self.symbol, "counts": json.dumps(self.counts, sort_keys=True)}


class Arrival(Struct, frozen=True):
    """Something that came from the feed, or an answer of the vendor. ``encode`` makes the payload, later."""

    kind: str
    arrived_us: int | None
    bars: int
    encode: Callable[[], bytes]

    @property
    def table(self) -> Table:
        """Where it goes."""
        return tables.arrivals

    def row(self) -> dict[str, Any]:
        """Its columns."""
        return {"kind": self.kind, "arrived_us": self.arrived_us, "bars": self.bars, "payload": self.encode()}


class Trace(Struct, frozen=True):
    """A piece of what a thread has seen, in order: ``stream`` names the thread."""

    stream: str
    payload: bytes

    @property
    def table(self) -> Table:
        """Where it goes."""
        return tables.traces

    def row(self) -> dict[str, Any]:
        """Its columns."""
        return {"stream": self.stream, "payload": self.payload}
