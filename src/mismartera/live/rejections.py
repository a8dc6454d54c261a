"""Rejections: bars of the vendor's store that cannot be used. A minute that has one was not quiet."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterable, Sequence

import numpy as np

from mismartera.feeds.port import NO_START, Rejected
from mismartera.live.engine_end import EngineEnd
from mismartera.live.entry import Entry
from mismartera.live.ledger import DayLedger
from mismartera.live.sifting import windows_of

_ANY = -2
"""In the place of a minute: the store did not say which."""


class Doubts:
    """Minutes of which the vendor's store has a bar that is none: they were not quiet, and there is no bar."""

    def __init__(self) -> None:
        self._windows: dict[Entry, set[int]] = {}

    def add(self, entry: Entry, windows: Iterable[int]) -> None:
        """Nobody knows what these were."""
        self._windows.setdefault(entry, set()).update(windows)

    def without(self, entry: Entry, windows: Iterable[int]) -> list[int]:
        """Those of ``windows`` that are beyond doubt."""
        found = self._windows.get(entry, ())
        return [] if _ANY in found else [window for window in windows if window not in found]


def book_rejected(
    rejected: Sequence[Rejected], entries: Collection[Entry], ledger: DayLedger, engine: EngineEnd
) -> Doubts:
    """Count and tell what was rejected of ``entries`` in an answer, each bar once, however often asked for."""
    doubts = Doubts()
    if not rejected:
        return doubts
    known = {entry.symbol: entry for entry in entries}
    found: Counter[tuple[Entry, int]] = Counter()
    for one in rejected:
        news = 0
        starts_us = one.starts_us or (NO_START,) * len(one.symbols)
        for symbol, start_us in zip(one.symbols, starts_us, strict=False):
            if (entry := known.get(symbol)) is None:
                continue
            found[entry, start_us] += 1
            if found[entry, start_us] > entry.rejected.get(start_us, 0):
                entry.rejected[start_us] = found[entry, start_us]
                ledger.count(entry, "rejected")
                news += 1
        if news:
            engine.warn(f"{news} bars of the vendor's store were rejected ({one.reason}): {one.detail}")
    session, windows = ledger.processing.session, ledger.windows
    for entry, start_us in found:
        at = (_ANY,) if start_us == NO_START else windows_of(session, windows, np.array([start_us])).tolist()
        doubts.add(entry, at)
    return doubts
