"""ArrivingTape: the tape of a session whose bars are not known ahead: it grows by an instant at a time."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mismartera.bars import Bar, Interval, SeriesInfo
from mismartera.session.growing import GrowingBlock
from mismartera.session.increment import Grown
from mismartera.session.part import Part
from mismartera.session.tape import Head, Tape
from mismartera.session.windows import session_spans

Ints = NDArray[np.int64]
Objects = NDArray[np.object_]
Rows = Ints | slice
_FORGOTTEN: tuple[ArrivedStrip, ...] = ()


class Batch:
    """Symbols that were loaded together: what their bars share, and how they rank."""

    def __init__(self, symbols: Sequence[str], infos: Mapping[str, SeriesInfo], ranks: Mapping[str, int]) -> None:
        self.symbols: Objects = np.array(symbols, dtype=object)
        self.infos = [(symbol, infos[symbol]) for symbol in symbols]
        self.generations = np.array([infos[symbol].generation for symbol in symbols], dtype=np.int64)
        self.ranks = np.array([ranks[symbol] for symbol in symbols], dtype=np.int64)


class ArrivedStrip:
    """The bars of one interval that came together; the reads of a :class:`Strip`."""

    __slots__ = ("_batch", "_columns", "_owners", "_window", "block", "interval", "is_base", "public")

    def __init__(self, grown: Grown, batch: Batch) -> None:
        self.block: GrowingBlock = grown[0]
        self._owners, self._window, self._columns = grown[1:]
        self._batch = batch
        self.interval: Interval = self.block.interval
        self.is_base, self.public = self.block.is_base, self.block.public

    def __len__(self) -> int:
        return len(self._owners)

    def column(self, name: str, rows: Rows) -> NDArray[Any]:
        """See :meth:`Strip.column`."""
        column = self._batch.ranks[self._owners] if name == "rank" else self._columns[name]
        found = column[rows]
        found.flags.writeable = False
        return found

    def symbols_of(self, rows: Rows) -> Objects:
        """The symbols at these places."""
        symbols: Objects = self._batch.symbols[self._owners[rows]]
        return symbols

    def spans_of(self, rows: Rows) -> Objects:
        """The spans of the bars at these places: all have the same one."""
        span = session_spans(self.block.session, self.interval)[self._window : self._window + 1]
        spans: Objects = span.repeat(len(self._owners[rows]))
        return spans

    def generations_of(self, rows: Rows) -> Ints:
        """The generations of the symbols at these places."""
        generations: Ints = self._batch.generations[self._owners[rows]]
        return generations

    def wanted(self, symbols: frozenset[str], first: int, last: int) -> Ints:
        """The places, among ``first:last``, whose symbol is one of ``symbols``."""
        names = self.symbols_of(slice(first, last)).tolist()
        return np.array([first + k for k, name in enumerate(names) if name in symbols], dtype=np.int64)

    def infos(self) -> list[tuple[str, SeriesInfo]]:
        """The batch's symbols with what their bars share."""
        return self._batch.infos

    def first_symbol(self) -> str:
        """The symbol that ranks first."""
        symbol: str = self._batch.symbols[self._owners[0]]
        return symbol


class ArrivingTape(Tape):
    """Instants in the order of their ends, added as they arrive. What was shown is forgotten."""

    def __init__(self) -> None:
        super().__init__()
        self._instants: list[tuple[ArrivedStrip, ...]] = []

    def add(self, end_us: int, grown: Sequence[Grown], batch: Batch) -> None:
        """The bars that are complete at ``end_us``, which is later than all before."""
        assert not self.ends or end_us > self.ends[-1], "instants arrive in order"
        strips = tuple(ArrivedStrip(each, batch) for each in grown)
        self._instants.append(strips)
        self.ends.append(end_us)
        base = sum(len(strip) for strip in strips if strip.is_base)
        everything = sum(map(len, strips))
        self.base_counts = np.append(self.base_counts, self.base_counts[-1] + base)
        self.base_before.append(self.base_before[-1] + base)
        self.derived_before.append(self.derived_before[-1] + everything - base)
        public = sum(len(strip) for strip in strips if strip.public)
        self.public_before.append(self.public_before[-1] + public)

    def bars(self, k: int, lag_seconds: float = 0.0) -> list[Bar]:
        """The bars of instant ``k`` that are shown, in order, as a fresh list."""
        parts = self.parts(k)
        bars = [bar for part in parts for bar in part.bars(lag_seconds)]
        if len(parts) < 2:
            return bars
        ranks = np.concatenate([part.column("rank") for part in parts])
        return [bars[at] for at in ranks.argsort(kind="stable").tolist()]

    def parts(self, k: int) -> list[Part]:
        """The rows of instant ``k`` that are shown, strip by strip; those before it are forgotten."""
        for shown in range(k - 1, -1, -1):
            if self._instants[shown] is _FORGOTTEN:
                break
            self._instants[shown] = _FORGOTTEN
        return [Part(strip, 0, len(strip)) for strip in self._instants[k] if strip.public and len(strip)]

    def head(self, k: int) -> Head:
        """The first bar of instant ``k``, hidden base bars included."""
        firsts = [(strip.column("rank", slice(0, 1))[0], n) for n, strip in enumerate(self._instants[k])]
        strip = self._instants[k][min(firsts)[1]]
        return Head(strip.first_symbol(), strip.interval.label, self.ends[k])

    def oldest_by_symbol(self, first: int, last: int) -> dict[str, int]:
        """The symbols that have bars in the instants ``first:last``, in rank order, and each one's oldest end."""
        found: dict[str, tuple[int, int]] = {}
        for k in range(first, last):
            for strip in self._instants[k]:
                every = slice(None)
                ranks = strip.column("rank", every).tolist()
                for symbol, rank in zip(strip.symbols_of(every).tolist(), ranks, strict=True):
                    found.setdefault(symbol, (rank, self.ends[k]))
        return {symbol: end_us for symbol, (_, end_us) in sorted(found.items(), key=lambda item: item[1][0])}
