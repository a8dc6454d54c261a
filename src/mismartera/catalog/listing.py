"""What ``data ls`` shows: per symbol and interval the span and the number of bars."""

from __future__ import annotations

from msgspec import Struct

from mismartera.catalog.inventory import Inventory
from mismartera.catalog.snapshot import Snapshot


class ListingRow(Struct, frozen=True):
    """One symbol in one interval. Instants are starts of bars, in microseconds since the epoch, UTC.

    ``days`` are the UTC dates with bars. ``generated`` marks bars that were made up.
    """

    symbol: str
    interval: str
    first_us: int
    last_us: int
    bars: int
    days: int
    generated: bool


def list_store(snapshot: Snapshot, inventory: Inventory) -> list[ListingRow]:
    """All symbols by name, each with its intervals, shortest first."""
    generated = set(snapshot.generated)
    rows: list[ListingRow] = []
    for (symbol, interval), parts in inventory.all_spans(snapshot).items():
        total = parts[0][1]
        for _, span in parts[1:]:
            total = total.joined(span)
        days = total.bars if interval == "1d" else len({file.day for file, _ in parts})
        rows.append(
            ListingRow(
                symbol, interval, total.first_us, total.last_us, total.bars, days, generated=symbol in generated
            )
        )
    return rows
