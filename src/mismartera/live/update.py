"""Update: what came of bars that were put into a ledger, to be shown and told by the engine."""

from __future__ import annotations

from msgspec import Struct

from mismartera.live.batch import LiveBatch
from mismartera.live.entry import Entry
from mismartera.session.increment import Grown


class Change(Struct, frozen=True, eq=False):
    """One bar that was there before, or is filled in late: ``grown`` holds it alone."""

    entry: Entry
    grown: Grown
    batch: LiveBatch


class Update(Struct, eq=False):
    """New bars by the instant of their ends, and bars that changed."""

    added: list[tuple[int, list[Grown], LiveBatch]] = []
    changed: list[Change] = []

    def add(self, grown: list[Grown], batch: LiveBatch) -> None:
        """New bars of a batch."""
        if len(grown) == 1:
            self.added.append((grown[0].end_us, grown, batch))
            return
        by_end: dict[int, list[Grown]] = {}
        for each in grown:
            by_end.setdefault(each.end_us, []).append(each)
        self.added += [(end_us, found, batch) for end_us, found in by_end.items()]

    def change(self, grown: Grown, batch: LiveBatch, entry: Entry) -> None:
        """A bar of a batch that changed."""
        self.changed.append(Change(entry, grown, batch))
