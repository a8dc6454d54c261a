"""DayLedger: what is known of every minute of every symbol of a live session, and what has been made of it.

Every bar that comes is received once and ends in one of R1's ways. In-order bars are appended to their batch; what
comes late, is filled in or corrected makes a new version of its symbol: the day so far is processed again, by the
code that a backtest uses, and goes on from there. The intake's thread only; others look at the marks.
"""

from __future__ import annotations

import threading
from collections.abc import Iterable, Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from mismartera.feeds.port import FEW_BARS
from mismartera.live.batch import LiveBatch, Processing
from mismartera.live.entry import LIVE, Entry, Mark, Rows
from mismartera.live.keeping import Accepted
from mismartera.live.rebuild import Rebuild, in_turn
from mismartera.live.update import Update
from mismartera.session.door import COUNTS
from mismartera.session.series import SeriesBlock
from mismartera.session.state import SymbolData
from mismartera.session.symbols import Member
from mismartera.session.windows import session_windows

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
_AT = {name: place for place, name in enumerate(COUNTS)}
_RECEIVED = _AT["received"]
_BATCHES_MAX = 24
"""More batches of the same streams than this are put together but for the largest: each costs time per frame."""


class DayLedger:
    """The symbols of one session. ``ended``: nothing more is waited for of the base windows before this one;
    ``heard``: the newest of which the stream has sent a bar, ``on_time``: one by its end + grace.

    ``last_us``: what ends later is not of the run; the end of its last whole window, by ``until_us`` or the close.
    """

    def __init__(self, processing: Processing, until_us: int | None = None) -> None:
        self.processing = processing
        self.windows = session_windows(processing.session, processing.base)
        self.last_us = processing.session.close_us
        if until_us is not None:
            self.end_by(until_us)
        self.entries: dict[str, Entry] = {}
        self.ended = 0
        self.heard = self.on_time = -1
        self.unflushed: list[Accepted] = []
        self.batches: list[LiveBatch] = []
        self._joined: tuple[list[Entry], Ints] | None = None
        room = 64
        self._free = list(range(room - 1, -1, -1))
        """Rows of the tables that no symbol has."""
        self.marks = np.zeros((room, len(self.windows)), dtype=np.uint8)
        self.newest = np.full(room, -1, dtype=np.int64)
        self.counts = np.zeros((room, len(COUNTS)), dtype=np.int64)
        self._counting = threading.Lock()  # the engine books a symbol that is removed while bars come

    def end_by(self, until_us: int) -> None:
        """The run, or the session, ends then."""
        whole = int(self.windows.end.searchsorted(until_us, side="right"))
        self.last_us = int(self.windows.end[whole - 1]) if whole else self.processing.session.open_us

    def enter(self, member: Member, make: Entry) -> Entry:
        """A symbol of the session, whose bars are held until it joins."""
        if not self._free:
            room = len(self.newest)
            self.marks = np.concatenate((self.marks, np.zeros_like(self.marks)))
            self.newest = np.concatenate((self.newest, np.full_like(self.newest, -1)))
            self.counts = np.concatenate((self.counts, np.zeros_like(self.counts)))
            self._free = list(range(2 * room - 1, room - 1, -1))
        make.index = self._free.pop()
        self.marks[make.index], self.newest[make.index], self.counts[make.index] = Mark.UNKNOWN, -1, 0
        self.entries[member.symbol] = make
        return make

    def leave(self, entry: Entry) -> None:
        """The symbol is no longer the session's."""
        if self.entries.get(entry.symbol) is entry:
            del self.entries[entry.symbol]
            self._free.append(entry.index)
        self._joined = None
        if entry.batch is not None:
            self._leave_batch(entry)

    def joined(self) -> list[Entry]:
        """The entries whose bars are the session's, in rank order."""
        return self._of_session()[0]

    def missing(self, window: int) -> list[Entry]:
        """The joined entries of which nothing is known of ``window``."""
        entries, indices = self._of_session()
        if len(entries) <= FEW_BARS:
            return [entry for entry in entries if self.marks.item(entry.index, window) == Mark.UNKNOWN]
        return [entries[row] for row in np.flatnonzero(self.marks[indices, window] == Mark.UNKNOWN).tolist()]

    def unknown(self, first: int, last: int) -> list[tuple[Entry, list[int]]]:
        """The windows among ``first:last`` of which nothing is known, of each joined entry that has any."""
        entries, indices = self._of_session()
        is_unknown = self.marks[indices, first:last] == Mark.UNKNOWN
        rows = np.flatnonzero(is_unknown.any(axis=1)).tolist()
        return [(entries[row], (first + np.flatnonzero(is_unknown[row])).tolist()) for row in rows]

    def _of_session(self) -> tuple[list[Entry], Ints]:
        if self._joined is None:
            entries = [entry for entry in self.entries.values() if entry.batch is not None]
            self._joined = entries, np.array([entry.index for entry in entries], dtype=np.int64)
        return self._joined

    def count(self, entry: Entry, fate: str, number: int = 1) -> None:
        """``number`` bars were received and met this fate."""
        with self._counting:
            entry.counts[fate] = entry.counts.get(fate, 0) + number

    def counts_of(self, entry: Entry) -> dict[str, int]:
        """R1's counts, which balance. From any thread."""
        with self._counting:
            counts = dict(zip(COUNTS, self.counts[entry.index].tolist(), strict=True))
            for fate, number in entry.counts.items():
                counts[fate] += number
                counts["received"] += number
        return counts

    def count_rejected(self, symbols: Iterable[str]) -> int:
        """Bars of these were rejected; how many are of the session's."""
        known = [entry for symbol in symbols if (entry := self.entries.get(symbol)) is not None]
        for entry in known:
            self.count(entry, "rejected")
        return len(known)

    def count_each(self, entries: Sequence[Entry], fate: str) -> None:
        """One bar of each of ``entries`` was received and met this fate."""
        if len(entries) == 1:
            self.count(entries[0], fate)
            return
        indices = np.array([entry.index for entry in entries])
        with self._counting:
            self.counts[indices, _RECEIVED] += 1
            self.counts[indices, _AT[fate]] += 1

    def unresolved_us(self, entry: Entry) -> int:
        """The start of the first minute of which nothing is known; the close if there is none."""
        unknown = np.flatnonzero(self.marks[entry.index] == Mark.UNKNOWN)
        return int(self.windows.start[unknown[0]]) if len(unknown) else self.processing.session.close_us

    def has_bar(self, entry: Entry, window: int) -> bool:
        """True if the bar is there."""
        return bool(self.marks[entry.index, window] >= Mark.HAS_BAR)

    def values(self, entry: Entry, windows: Ints) -> Floats:
        """The prices of bars that are there, a column for each of ``windows``."""
        assert entry.batch is not None, "only a symbol that has joined has bars"
        return entry.batch.processor.base.block.prices_of(entry.row, self.windows.start[windows])

    def append(self, window: int, entries: Sequence[Entry], prices: Floats) -> Update:
        """Live bars of ``window``, one of each of ``entries``, all of which have joined and have none so new."""
        assert window >= self.ended, "a window that has ended is changed, not filled"
        update = Update()
        if len(entries) == 1:
            self._append_one(window, entries[0], prices, update)
            return update
        indices = np.array([entry.index for entry in entries])
        self.marks[indices, window] = Mark.HAS_BAR + LIVE
        self.newest[indices] = window
        self.unflushed.append(([entry.symbol for entry in entries], window, prices))
        by_batch: dict[int, list[int]] = {}
        for at, entry in enumerate(entries):
            by_batch.setdefault(id(entry.batch), []).append(at)
        for places in by_batch.values():
            batch = entries[places[0]].batch
            assert batch is not None, "they have joined"
            owners = np.array([entries[at].row for at in places])
            order = owners.argsort(kind="stable")
            chosen = np.array(places)[order]
            update.add(batch.processor.take(window, owners[order], prices[:, chosen]), batch)
        return update

    def _append_one(self, window: int, entry: Entry, prices: Floats, update: Update) -> None:
        """The same for a single bar, which is what most frames of a few symbols hold."""
        assert entry.batch is not None, "it has joined"
        self.marks[entry.index, window] = Mark.HAS_BAR + LIVE
        self.newest[entry.index] = window
        self.unflushed.append(([entry.symbol], window, prices))
        batch, row = entry.batch, entry.row
        update.add(batch.processor.take(window, batch.rows[row : row + 1], prices), batch)

    def end_window(self, window: int) -> Update:
        """Nothing more is waited for of ``window``, nor of those before it."""
        update = Update()
        self._end(window, update)
        return update

    def end_rest(self) -> Update:
        """All is known that can be known: the windows end, which a stream that is away has left open."""
        update = Update()
        for window in range(self.ended, int(self.windows.end.searchsorted(self.last_us, side="right"))):
            self._end(window, update)
        return update

    def _end(self, window: int, update: Update) -> None:
        for batch in self.batches:
            if grown := batch.processor.end(window):
                update.add(grown, batch)
        self.ended = window + 1

    def put(self, changes: Mapping[Entry, Rows], *, as_backlog: bool) -> tuple[Update, dict[Entry, SymbolData]]:
        """Bars that are not simply the next ones: new versions of their symbols.

        ``as_backlog``: bars later than a symbol's newest are shown as new ones; otherwise all are changes.
        A symbol that has not joined joins with them.
        """
        update = Update()
        data: dict[Entry, SymbolData] = {}
        if as_backlog:
            following = {entry: rows for entry, rows in changes.items() if self._follows(entry, rows)}
            changes = {entry: rows for entry, rows in changes.items() if entry not in following}
            self._append_rows(following, update)
        for streams in dict.fromkeys(tuple(entry.streams) for entry in changes):
            members = [entry for entry in changes if tuple(entry.streams) == streams]
            members.sort(key=lambda entry: entry.member.rank)
            data |= self._rebuild(members, changes, update, as_backlog=as_backlog)
        self._merge_batches(data)
        update.added.sort(key=lambda added: added[0])
        return update, data

    def _follows(self, entry: Entry, rows: Rows) -> bool:
        """True if these are simply its next ones, however many, in windows that are still waited for."""
        if entry.batch is None or not len(rows):
            return False
        return int(rows.window[0]) >= max(int(self.newest[entry.index]) + 1, self.ended)

    def _append_rows(self, changes: Mapping[Entry, Rows], update: Update) -> None:
        by_batch: dict[int, list[Entry]] = {}
        for entry, rows in changes.items():
            by_batch.setdefault(id(entry.batch), []).append(entry)
            self._note(entry, rows)
        for batch in self.batches:
            members = by_batch.get(id(batch), [])
            found = [changes[entry] for entry in members]
            for window, owners, prices, sources in in_turn([entry.row for entry in members], found):
                update.add(batch.processor.take(window, owners, prices, sources), batch)

    def _note(self, entry: Entry, rows: Rows) -> None:
        """Bars of one symbol are there."""
        self.marks[entry.index, rows.window] = Mark.HAS_BAR + rows.sources
        self.newest[entry.index] = max(self.newest[entry.index], int(rows.window[-1]))
        self.unflushed.append(([entry.symbol] * len(rows), rows.window, rows.prices))

    def _rebuild(
        self, members: Sequence[Entry], changes: Mapping[Entry, Rows], update: Update, *, as_backlog: bool
    ) -> dict[Entry, SymbolData]:
        rebuild = Rebuild(members, changes, self.windows)
        batch = LiveBatch(
            self.processing, tuple(entry.symbol for entry in members), members[0].streams,
            {e.symbol: e.info for e in members}, {e.symbol: e.member.rank for e in members},
            {e.symbol: e.history for e in members},
        )  # fmt: skip
        found = batch.processor.resume(*rebuild.base(batch), self.ended)
        for row, entry in enumerate(members):
            entry.batch, entry.row = batch, row
            if entry in changes and len(changes[entry]):
                self._note(entry, changes[entry])
        for block in found:
            rebuild.tell(block, _sources_of(batch, block), batch, update, as_backlog=as_backlog)
        rebuild.leave()
        self._joined = None
        self.batches = [b for b in (*self.batches, batch) if b.staying]
        return {entry: self.data(entry) for entry in members}

    def data(self, entry: Entry) -> SymbolData:
        """What readers see of a symbol that has joined, up to whatever is shown."""
        assert entry.batch is not None, "it has just been given one"
        return SymbolData(entry.info, entry.batch.blocks, entry.row, entry.history)

    def _leave_batch(self, entry: Entry) -> None:
        if entry.batch is not None:
            entry.batch.leave(np.array([entry.row]))
            self.batches = [b for b in self.batches if b.staying]

    def _merge_batches(self, data: dict[Entry, SymbolData]) -> None:
        """Put the smaller batches together when there are many."""
        for streams in dict.fromkeys(batch.streams for batch in self.batches):
            mine = sorted((b for b in self.batches if b.streams == streams), key=lambda b: b.staying)
            if len(mine) > _BATCHES_MAX:
                small = {id(batch) for batch in mine[:-1]}
                members = [entry for entry in self.joined() if id(entry.batch) in small]
                members.sort(key=lambda entry: entry.member.rank)
                data |= self._rebuild(members, {}, Update(), as_backlog=False)


def _sources_of(batch: LiveBatch, block: SeriesBlock) -> NDArray[np.uint8]:
    grown = batch.blocks[block.interval.length_us]
    place = np.arange(len(block)) - block.offsets[block.owner]
    return grown.sources_at(block.owner, place)
