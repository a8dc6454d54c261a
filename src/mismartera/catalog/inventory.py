"""What the store holds: symbols, spans and counts, from the symbol and timestamp columns alone."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import numpy as np
from msgspec import Struct

from mismartera.bars.instants import DAY_US
from mismartera.bars.interval import parse_interval
from mismartera.catalog.files import read_files
from mismartera.catalog.layout import DataFile, day_label
from mismartera.catalog.snapshot import Snapshot


class Span(Struct, frozen=True):
    """Bars of one symbol in one place: start of the first and of the last (microseconds, UTC), and how many."""

    first_us: int
    last_us: int
    bars: int

    def joined(self, other: Span) -> Span:
        """Both together."""
        return Span(min(self.first_us, other.first_us), max(self.last_us, other.last_us), self.bars + other.bars)


GONE_FILES_MAX = 64
"""So many files that are no longer part of the store are remembered: a live session replaces some each minute."""


class Inventory:
    """Summaries of files, kept by the file's name: a file never changes, so they outlive versions."""

    def __init__(self) -> None:
        self._spans: dict[str, dict[str, Span]] = {}

    def spans(self, snapshot: Snapshot, file: DataFile) -> dict[str, Span]:
        """The span of each symbol in ``file``, one of the files of ``snapshot``."""
        if len(self._spans) > len(snapshot.files) + GONE_FILES_MAX:
            held = self._spans
            self._spans = {one.path: held[one.path] for one in snapshot.files if one.path in held}
        known = self._spans.get(file.path)
        if known is None:
            known = self._spans[file.path] = _summary(file)
        return known

    def symbols(self, snapshot: Snapshot) -> tuple[str, ...]:
        """All symbols, sorted."""
        return tuple(sorted({symbol for file in snapshot.files for symbol in self.spans(snapshot, file)}))

    def availability(self, snapshot: Snapshot, symbol: str) -> dict[str, Span]:
        """The span of ``symbol`` per interval, shortest interval first."""
        found: dict[str, Span] = {}
        for file in _holding(snapshot.files, symbol):
            span = self.spans(snapshot, file).get(symbol)
            if span is not None:
                found[file.interval] = span.joined(found[file.interval]) if file.interval in found else span
        return {interval: found[interval] for interval in sorted(found, key=_length)}

    def all_spans(self, snapshot: Snapshot) -> dict[tuple[str, str], list[tuple[DataFile, Span]]]:
        """For each (symbol, interval), by name and length, the spans of its files in order."""
        found: dict[tuple[str, str], list[tuple[DataFile, Span]]] = {}
        for file in snapshot.files:
            for symbol, span in self.spans(snapshot, file).items():
                found.setdefault((symbol, file.interval), []).append((file, span))
        return {key: found[key] for key in sorted(found, key=lambda key: (key[0], _length(key[1])))}

    def known_intervals(self, snapshot: Snapshot, symbols: Iterable[str]) -> dict[str, frozenset[str]]:
        """The intervals of each of ``symbols`` that the store knows; newest files first, until all are found."""
        wanted = sorted(set(symbols))
        found: dict[str, set[str]] = {}
        for interval, files in snapshot.by_interval.items():
            missing = wanted
            for file in reversed(files):
                if not missing:
                    break
                if any(file.may_hold(symbol) for symbol in missing):
                    here = self.spans(snapshot, file)
                    for symbol in missing:
                        if symbol in here:
                            found.setdefault(symbol, set()).add(interval)
                    missing = [symbol for symbol in missing if symbol not in here]
        return {symbol: frozenset(found[symbol]) for symbol in wanted if symbol in found}


def coverage(snapshot: Snapshot, symbol: str, interval: str) -> list[tuple[str, int]]:
    """For each UTC date on which ``symbol`` has bars that start on it: the date and their number."""
    files = _holding(snapshot.by_interval.get(interval, ()), symbol)
    starts = read_files(files, ["timestamp"], [symbol])["timestamp"].to_physical().to_numpy()
    days, counts = np.unique(starts // DAY_US, return_counts=True)
    return [(day_label(int(day)), int(count)) for day, count in zip(days, counts, strict=True)]


def _holding(files: Iterable[DataFile], symbol: str) -> Sequence[DataFile]:
    return [file for file in files if file.may_hold(symbol)]


def _length(interval: str) -> int:
    return parse_interval(interval).length_us


def _summary(file: DataFile) -> dict[str, Span]:
    frame = read_files([file], ["symbol", "timestamp"])
    if not frame.height:
        return {}
    runs = frame["symbol"].rle()
    names = runs.struct.field("value").to_list()
    lengths = runs.struct.field("len").to_numpy().astype(np.int64)
    firsts = np.cumsum(lengths) - lengths
    start = frame["timestamp"].to_physical().to_numpy()
    lows, highs = np.minimum.reduceat(start, firsts), np.maximum.reduceat(start, firsts)
    spans: dict[str, Span] = {}
    for name, low, high, size in zip(names, lows.tolist(), highs.tolist(), lengths.tolist(), strict=True):
        span = Span(low, high, size)
        spans[name] = span.joined(spans[name]) if name in spans else span
    return spans
