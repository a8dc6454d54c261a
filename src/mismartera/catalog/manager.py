"""DataManager: the bar store, written by imports and read by sessions."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from datetime import datetime
from pathlib import Path
from typing import NamedTuple

import numpy as np
import polars as pl

from mismartera.bars import BarBlock, Bars, SeriesInfo, check_symbol, parse_interval
from mismartera.bars.instants import to_us
from mismartera.bars.view import SeriesColumns
from mismartera.catalog import inventory, writer
from mismartera.catalog.append import append
from mismartera.catalog.delta import DeltaStore
from mismartera.catalog.listing import ListingRow, list_store
from mismartera.catalog.reader import BlockReader
from mismartera.catalog.remote import open_at
from mismartera.catalog.report import Rejections, WriteReport
from mismartera.catalog.rows import BarsInput, as_file_rows, block_rows, to_rows
from mismartera.catalog.sound import SoundReads
from mismartera.catalog.upsert import valid_rows
from mismartera.catalog.verify import Damage
from mismartera.errors import StoreError


class Availability(NamedTuple):
    """What the store has of a symbol in one interval: first and last start (microseconds, UTC), number of bars."""

    first_us: int
    last_us: int
    rows: int


class DataManager:
    """Bars of many symbols and intervals in one Delta Lake table at ``path``: a folder, or the URI of one.

    A store at ``s3://``, ``gs://``, ``az://`` or ``abfss://`` can be read only; credentials come from the
    environment. ``file://`` is the folder that it names.

    The manager stands on one version of the store: the newest when it was first read, or ``version``. Its own
    writes move it on; those of others are seen after :meth:`refresh`. Reading a store that is missing, damaged,
    foreign or of a newer format raises StoreError; the first write makes a missing one. A store opened at a
    ``version`` cannot be written to. A damaged file is told to ``warn`` (default: the log), once, and left out;
    the rest is read, and the next write that meets the file takes it out of the store. Methods may be called from
    several threads and processes.
    """

    def __init__(
        self, path: str | Path, *, version: int | None = None, warn: Callable[[str], None] | None = None
    ) -> None:
        self._store = open_at(path, version, warn or _log)
        self._sound = SoundReads(self._store)
        self._inventory = inventory.Inventory()
        self._reader = BlockReader()

    @property
    def path(self) -> Path:
        """The store's folder; StoreError if it is in none, and therefore can only be read."""
        return self._writable().path

    @property
    def address(self) -> str:
        """Where the store is: its folder, or its URI."""
        return self._store.address

    @property
    def table_id(self) -> str:
        """What tells the store from another one that takes its place."""
        return self._store.snapshot().table_id

    @property
    def version(self) -> int:
        """The version of the store that is being read."""
        return self._store.snapshot().version

    def exists(self) -> bool:
        """True if there is a store at the path (it may still be damaged)."""
        return self._store.exists()

    def make(self) -> None:
        """Make the store, empty, if there is none."""
        writer.make(self._writable())

    def refresh(self) -> int:
        """Move on to the newest version (a store opened at a version stays there) and return its number."""
        return self._store.refresh().version

    def write_bars(self, symbol: str, interval: str, bars: BarsInput) -> WriteReport:
        """Upsert ``bars`` of one symbol by timestamp, in one atomic commit.

        ``bars``: a sequence of Bar or of mappings, or a frame of Polars, pandas or Arrow, with ``timestamp``
        (timezone-aware), ``open``, ``high``, ``low``, ``close``, ``volume``. A row that breaks a rule is rejected
        and counted, the others are written; writing the same again changes nothing. ValueError for a bad symbol or
        interval, or a Bar of another one.
        """
        return self.write_many([(symbol, interval, bars)])

    def write_many(
        self, items: Iterable[tuple[str, str, BarsInput]], *, note: str = "write", generated: bool = False
    ) -> WriteReport:
        """:meth:`write_bars` for many ``(symbol, interval, bars)`` in one commit: all of it, or nothing.

        ``note`` is kept with the commit. ``generated`` marks the symbols, for good, as made up.
        """
        pieces: dict[str, list[pl.DataFrame]] = {}
        rejections = Rejections()
        offered = 0
        names: set[str] = set()
        for symbol, label, bars in items:
            names.add(symbol)
            interval = parse_interval(label).canonical
            rows, size = to_rows(check_symbol(symbol), interval, bars, rejections)
            offered += size
            good = valid_rows(interval, as_file_rows(symbol, rows), rejections)
            pieces.setdefault(interval, []).append(good)
        if generated:
            writer.mark_generated(self._writable(), sorted(names))
        return writer.upsert(self._writable(), pieces, offered, rejections, note)

    def write_frames(
        self, frames: Iterable[tuple[str, pl.DataFrame]], *, rejections: Rejections, note: str = "import"
    ) -> WriteReport:
        """Upsert ``(interval, frame)`` with the columns of a store file (``layout.FILE_SCHEMA``) in one commit.

        For importers, which have read and typed the rows already; ``rejections`` are theirs so far.
        """
        pieces: dict[str, list[pl.DataFrame]] = {}
        offered = rejections.count
        for interval, frame in frames:
            offered += frame.height
            pieces.setdefault(interval, []).append(valid_rows(interval, frame, rejections))
        return writer.upsert(self._writable(), pieces, offered, rejections, note)

    def write_block(self, interval: str, block: BarBlock, *, note: str = "live") -> WriteReport:
        """Upsert the bars of many symbols in one atomic commit, for writing a little again and again.

        Like :meth:`write_bars` in what is judged and counted, but new bars become a small file of their partition
        instead of a new partition, and only files with revised bars are rewritten. Readers see the same either
        way; :meth:`compact`, once a day, makes the next reads as fast as they can be. ValueError for a bad symbol
        or interval.
        """
        label = parse_interval(interval).canonical
        for symbol in block.symbols:
            check_symbol(symbol)
        rejections = Rejections()
        good = valid_rows(label, block_rows(block), rejections)
        return writer.upsert(self._writable(), {label: [good]}, len(block), rejections, note, append)

    def damages(self) -> tuple[Damage, ...]:
        """The damaged files that were met so far, and left out."""
        return self._sound.damages

    def generated_symbols(self) -> tuple[str, ...]:
        """The symbols whose bars are made up, sorted."""
        return self._store.snapshot().generated

    def compact(self) -> int:
        """Make one file of each partition that :meth:`write_block` or another tool has split; returns how many.

        Reads are faster for it, and give the same. Earlier versions stay readable.
        """
        return writer.compact(self._writable())

    def read_block(self, interval: str, start_us: int, end_us: int, symbols: Sequence[str]) -> BarBlock:
        """Bars that start in ``[start_us, end_us)``, in the order of ``symbols``.

        Instants are microseconds since the epoch, UTC. A symbol without bars has an empty range. Sorted by time
        within a symbol; if another tool has written a key twice, both rows are there. ``symbols`` must not repeat
        (ValueError).
        """
        names = tuple(symbols)
        if len(set(names)) != len(names):
            raise ValueError("a symbol stands twice in the request")
        label = parse_interval(interval).canonical
        return self._sound.read(lambda snapshot: self._reader.read_block(snapshot, label, start_us, end_us, names))

    def get_bars(self, symbol: str, interval: str, start: datetime, end: datetime) -> Bars:
        """Bars of ``symbol`` that start in ``[start, end)``, both timezone-aware (ValueError for naive ones,
        TypeError for what is no datetime).

        Shown in the zone of ``start``. A bar's ``end`` is its start + the interval: the store knows no calendar.
        """
        first, last = to_us(start), to_us(end)
        length = parse_interval(interval).length_us
        block = self.read_block(interval, first, last, [check_symbol(symbol)])
        info = SeriesInfo(zone=start.tzinfo) if start.tzinfo is not None else SeriesInfo()
        ends, counts = block.start + length, np.ones(len(block), dtype=np.int64)
        for column in (ends, counts):
            column.flags.writeable = False
        return Bars(SeriesColumns(symbol, interval, info, block.start, ends, *block.columns, counts))

    def symbols(self) -> tuple[str, ...]:
        """All symbols of the store, sorted."""
        return self._sound.read(self._inventory.symbols)

    def availability(self, symbol: str) -> dict[str, Availability]:
        """What there is of ``symbol`` per interval, shortest first; empty if the store does not know it."""
        name = check_symbol(symbol)
        spans = self._sound.read(lambda snapshot: self._inventory.availability(snapshot, name))
        return {label: Availability(span.first_us, span.last_us, span.bars) for label, span in spans.items()}

    def listing(self) -> list[ListingRow]:
        """What there is of every symbol in every interval, by name and length."""
        return self._sound.read(lambda snapshot: list_store(snapshot, self._inventory))

    def coverage(self, symbol: str, interval: str) -> list[tuple[str, int]]:
        """The UTC dates (ISO) on which bars of ``symbol`` start, each with their number, in order."""
        name, label = check_symbol(symbol), parse_interval(interval).canonical
        return self._sound.read(lambda snapshot: inventory.coverage(snapshot, name, label))

    def known_intervals(self, symbols: Iterable[str]) -> dict[str, frozenset[str]]:
        """The intervals of each of ``symbols`` that the store has any bar of; others are left out."""
        names = tuple(symbols)
        return self._sound.read(lambda snapshot: self._inventory.known_intervals(snapshot, names))

    def damage_to(self, symbol: str) -> str | None:
        """The damaged files met so far that may hold bars of ``symbol``: the first one and what is wrong with it,
        and how many more there are; None if there is none.
        """
        found = [damage for damage in self._sound.damages if damage.file.may_hold(symbol)]
        if not found:
            return None
        return str(found[0]) + (f" (and {len(found) - 1} more)" if len(found) > 1 else "")

    def _writable(self) -> DeltaStore:
        if self._store.is_remote:
            raise StoreError(f"the store {self.address} can only be read: choose a folder for one that is written")
        return self._store


def _log(text: str) -> None:
    from loguru import logger

    logger.warning(text)
