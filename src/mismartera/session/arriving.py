"""ArrivingTape: the tape of a session whose bars are not known ahead: it grows as they arrive."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Collection, Iterable, Mapping, Sequence
from itertools import repeat
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mismartera.bars import SOURCES, Bar, Interval, SeriesInfo, Span, make_bars, marked
from mismartera.bars.view import freeze
from mismartera.session.growing import GrowingBlock
from mismartera.session.increment import Grown
from mismartera.session.lane import Lane
from mismartera.session.part import Objects, Part, Rows
from mismartera.session.series import PRICE_COLUMNS
from mismartera.session.tape import Head, Tape

Ints = NDArray[np.int64]
TRIM_FROM = 4096
"""So much is shown before what is known of it is forgotten."""
_PRICE_ROWS = {name: row for row, name in enumerate(PRICE_COLUMNS)}


class Batch:
    """Symbols that were loaded together: what their bars share, and how they rank."""

    def __init__(self, symbols: Sequence[str], infos: Mapping[str, SeriesInfo], ranks: Mapping[str, int]) -> None:
        self.names = list(symbols)
        self.symbols: Objects = np.array(symbols, dtype=object)
        self.infos_by_name = {symbol: infos[symbol] for symbol in symbols}
        self.infos = list(self.infos_by_name.items())
        self.generations = np.array([infos[symbol].generation for symbol in symbols], dtype=np.int64)
        self.is_first_stay = bool((self.generations == 1).all())
        self.ranks = np.array([ranks[symbol] for symbol in symbols], dtype=np.int64)


class ArrivedStrip:
    """The bars of one interval that came together; the reads of a :class:`Strip`."""

    __slots__ = ("_batch", "_grown", "_owners", "_size", "block", "interval", "is_base", "public")

    def __init__(self, grown: Grown, batch: Batch) -> None:
        self.block: GrowingBlock = grown.block
        self._grown = grown
        self._owners = grown.owners
        self._size = len(grown.owners)
        self._batch = batch
        self.interval: Interval = self.block.interval
        self.is_base, self.public = self.block.is_base, self.block.public

    def __len__(self) -> int:
        return self._size

    def column(self, name: str, rows: Rows) -> NDArray[Any]:
        """See :meth:`Strip.column`."""
        grown = self._grown
        if name in _PRICE_ROWS:
            column: NDArray[Any] = grown.prices[_PRICE_ROWS[name]]
        elif name == "rank":
            column = self._batch.ranks[self._owners]
        elif name == "bar_count":
            column = freeze(np.ones(len(self), dtype=np.int64)) if grown.counts is None else grown.counts
        else:
            column = grown.indicators[name]
        return column[rows]

    def symbols_of(self, rows: Rows) -> Objects:
        """The symbols at these places."""
        symbols: Objects = self._batch.symbols[self._owners[rows]]
        return symbols

    def spans_of(self, rows: Rows) -> Objects:
        """The spans of the bars at these places: all have the same one."""
        span = self.block.spans[self._grown.window : self._grown.window + 1]
        spans: Objects = span.repeat(len(self._owners[rows]))
        return spans

    def generations_of(self, rows: Rows) -> Ints:
        """The generations of the symbols at these places."""
        generations: Ints = self._batch.generations[self._owners[rows]]
        return generations

    def sources_of(self, rows: Rows) -> list[str]:
        """Where the bars at these places come from."""
        codes = self._grown.sources
        if codes is None:
            return [SOURCES[0]] * len(self._owners[rows])
        return [SOURCES[code] for code in codes[rows].tolist()]

    def wanted(self, symbols: frozenset[str], first: int, last: int) -> Ints:
        """The places, among ``first:last``, whose symbol is one of ``symbols``."""
        names = self.symbols_of(slice(first, last)).tolist()
        return np.array([first + k for k, name in enumerate(names) if name in symbols], dtype=np.int64)

    def infos(self) -> list[tuple[str, SeriesInfo]]:
        """The batch's symbols with what their bars share."""
        return self._batch.infos

    def bars(self, lag_seconds: float) -> list[Bar]:
        """The bars, in order."""
        grown, batch = self._grown, self._batch
        owners = self._owners.tolist()
        span = self.block.spans[grown.window]
        spans: Iterable[Span]
        if grown.counts is None and grown.sources is None and batch.is_first_stay:
            shared = Span(span.start_us, span.end_us, span.zone, lag_seconds=lag_seconds, source=SOURCES[0])
            spans = repeat(shared)
        else:
            spans = marked(
                repeat(span), None if grown.counts is None else grown.counts.tolist(), lag_seconds,
                None if batch.is_first_stay else batch.generations[self._owners].tolist(),
                self.sources_of(slice(None)),
            )  # fmt: skip
        names = [batch.names[owner] for owner in owners]
        return list(make_bars(names, repeat(self.interval.label), spans, grown.prices.tolist()))

    def without(self, symbol: str) -> ArrivedStrip:
        """The strip without the bar of ``symbol``; itself if it has none."""
        grown = self._grown
        if symbol not in self._batch.infos_by_name:
            return self
        kept = self._batch.symbols[self._owners] != symbol
        if kept.all():
            return self
        counts = None if grown.counts is None else freeze(grown.counts[kept])
        indicators = {name: freeze(column[kept]) for name, column in grown.indicators.items()}
        prices = freeze(grown.prices[:, kept])
        return ArrivedStrip(
            Grown(
                grown.block, grown.owners[kept], grown.window, prices, counts, indicators,
                None if grown.sources is None else grown.sources[kept],
            ),
            self._batch,
        )  # fmt: skip

    def first_symbol(self) -> str:
        """The symbol that ranks first."""
        symbol: str = self._batch.symbols[self._owners[0]]
        return symbol


class ArrivingTape(Tape):
    """Instants as they arrive: what waits to be shown is in the order of its ends. What was shown is forgotten.

    Bars may come that end before others which were shown already: they are the next to be shown.
    """

    def __init__(self) -> None:
        super().__init__()
        self._instants: list[tuple[ArrivedStrip, ...]] = []
        self._kept_from = 0

    def add(self, end_us: int, grown: Sequence[Grown], batch: Batch, gone: Collection[str] = ()) -> None:
        """Bars of ``batch`` that end at ``end_us``: readable from now on, once the clock has passed that.

        Those of ``gone``, symbols that have left it, are never shown.
        """
        for each in grown:
            each.release()
        strips = tuple([ArrivedStrip(each, batch) for each in grown])
        for symbol in gone:
            strips = tuple(rest for strip in strips if len(rest := strip.without(symbol)))
        if not strips:
            return
        if not self.ends or end_us > self.ends[-1]:
            self._put(len(self.ends), end_us, strips)
            return
        at = bisect_left(self.ends, end_us, lo=self.position)
        if at < len(self.ends) and self.ends[at] == end_us:
            strips = self._instants[at] + strips
            self._take_out(at)
        self._put(at, end_us, strips)

    def append(self, lane: Lane) -> None:
        """Not for this tape: bars come by :meth:`add`."""
        raise AssertionError(f"a lane of {len(lane)} bars cannot be put on a tape whose bars arrive")

    def skip_before(self, end_us: int) -> None:
        """See :meth:`Tape.skip_before`; what is passed over is forgotten like what is shown."""
        super().skip_before(end_us)
        self._forget_before(self.position)

    def remove(self, symbol: str) -> None:
        """Take the bars of ``symbol`` that wait to be shown off the tape."""
        for at in range(len(self.ends) - 1, self.position - 1, -1):
            strips = self._instants[at]
            kept = tuple(rest for strip in strips if len(rest := strip.without(symbol)))
            if kept != strips:
                self._replace(at, kept)

    def replace(self, symbol: str, grown: Grown, batch: Batch) -> bool:
        """Show the one bar of ``grown`` in place of the bar of ``symbol`` that waits there; False if none does."""
        at = bisect_left(self.ends, grown.end_us, lo=self.position)
        if at == len(self.ends) or self.ends[at] != grown.end_us:
            return False
        interval, found = grown.block.interval, False
        kept: list[ArrivedStrip] = []
        for strip in self._instants[at]:
            rest = strip.without(symbol) if strip.interval == interval else strip
            found = found or len(rest) < len(strip)
            kept += [rest] if len(rest) else []
        if found:
            self._replace(at, (*kept, ArrivedStrip(grown, batch)))
        return found

    def trim(self) -> None:
        """Forget the counts of what was shown: positions begin anew."""
        k = self.position
        self._shown_base += self.base_before[k]
        self._shown_derived += self.derived_before[k]
        del self.ends[:k], self._instants[:k]
        for counts in (self.base_before, self.derived_before, self.public_before):
            first = counts[k]
            counts[:] = [count - first for count in counts[k:]]
        self.position = self._kept_from = 0

    def _replace(self, at: int, strips: tuple[ArrivedStrip, ...]) -> None:
        end_us = self.ends[at]
        self._take_out(at)
        if strips:
            self._put(at, end_us, strips)

    def _put(self, at: int, end_us: int, strips: tuple[ArrivedStrip, ...]) -> None:
        self.ends.insert(at, end_us)
        self._instants.insert(at, strips)
        self._count(at, strips, 1)

    def _take_out(self, at: int) -> None:
        self._count(at, self._instants[at], -1)
        del self.ends[at], self._instants[at]

    def _count(self, at: int, strips: tuple[ArrivedStrip, ...], sign: int) -> None:
        base = derived = public = 0
        for strip in strips:
            size = len(strip)
            if strip.is_base:
                base += size
            else:
                derived += size
            if strip.public:
                public += size
        sizes = (base, derived, public)
        if sign > 0 and at + 1 == len(self.base_before):
            self.base_before.append(self.base_before[at] + base)
            self.derived_before.append(self.derived_before[at] + derived)
            self.public_before.append(self.public_before[at] + public)
            return
        for counts, more in zip((self.base_before, self.derived_before, self.public_before), sizes, strict=True):
            if sign > 0:
                counts.insert(at + 1, counts[at])
            for later in range(at + 1, len(counts)):
                counts[later] += sign * more
            if sign < 0:
                del counts[at + 1]

    def base_between(self, first: int, last: int) -> Ints:
        """See :meth:`Tape.base_between`."""
        return np.array(self.base_before[first : last + 1], dtype=np.int64)

    def bars(self, k: int, lag_seconds: float = 0.0) -> list[Bar]:
        """The bars of instant ``k`` that are shown, in order, as a fresh list."""
        self._forget_before(k)
        strips = [strip for strip in self._instants[k] if strip.public and len(strip)]
        if len(strips) == 1:
            return strips[0].bars(lag_seconds)
        bars = [bar for strip in strips for bar in strip.bars(lag_seconds)]
        ranks = [strip.column("rank", slice(None)) for strip in strips]
        return [bars[at] for at in np.concatenate(ranks).argsort(kind="stable").tolist()] if bars else bars

    def parts(self, k: int) -> list[Part]:
        """The rows of instant ``k`` that are shown, strip by strip."""
        self._forget_before(k)
        return [Part(strip, 0, len(strip)) for strip in self._instants[k] if strip.public and len(strip)]

    def _forget_before(self, k: int) -> None:
        if self._kept_from < k:
            self._instants[self._kept_from : k] = repeat((), k - self._kept_from)
            self._kept_from = k

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
