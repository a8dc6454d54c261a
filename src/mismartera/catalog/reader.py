"""From files to a BarBlock: the engine's hot path. One parallel read, then whole columns."""

from __future__ import annotations

import numpy as np
import polars as pl
from msgspec import Struct
from numpy.typing import NDArray

from mismartera.bars.block import BarBlock
from mismartera.bars.instants import DAY_US
from mismartera.bars.interval import parse_interval
from mismartera.catalog.files import read_files
from mismartera.catalog.layout import PRICES, DataFile, first_partition_day
from mismartera.catalog.snapshot import Snapshot
from mismartera.catalog.verify import FaultError, check_order, explain, symbol_runs

Ints = NDArray[np.int64]

FILTER_SYMBOLS_MAX = 24
"""Up to so many symbols are looked for by the row groups' statistics; for more a day is read whole (measured)."""

FILTER_ROWS_MIN = 1_000_000
"""From so many rows on symbols are looked for, unless they may be most of what is there: what is not wanted must
not fill the memory."""


WHOLE_ROWS_MAX = 32_768
"""So few rows are read whole in any case: looking for a symbol costs as much as they do (measured)."""

KEPT_ROWS_MAX = 131_072
"""So many rows, some 6 MB, are kept for the next one who asks for symbols of the same files."""


def files_between(snapshot: Snapshot, interval: str, start_us: int, end_us: int) -> list[DataFile]:
    """The files that can hold bars of ``interval`` starting in ``[start_us, end_us)``."""
    first = first_partition_day(interval, start_us)
    last = (end_us - 1) // DAY_US
    return [
        file
        for day in _days(snapshot, interval, first, last)
        for file in snapshot.partitions[interval, day]
        if file.may_overlap(start_us, end_us)
    ]


def _days(snapshot: Snapshot, interval: str, first: int, last: int) -> list[int]:
    """The partitions of ``interval`` from ``first`` to ``last``, in order."""
    if last - first < len(snapshot.partitions):
        return [day for day in range(first, last + 1) if (interval, day) in snapshot.partitions]
    return [day for label, day in snapshot.partitions if label == interval and first <= day <= last]


class FileRows(Struct, frozen=True, eq=False):
    """The rows of some files as they stand there: runs of equal ``symbols``, their ``lengths``, and columns."""

    paths: tuple[str, ...]
    symbols: list[str]
    lengths: Ints
    start: Ints
    prices: list[NDArray[np.float64]]


class BlockReader:
    """Reads blocks of a table's bars; what was read whole last is kept, if it is small.

    A file of the table never changes. A symbol that joins a running session finds its day there. Safe to use from
    several threads.
    """

    def __init__(self) -> None:
        self._last: FileRows | None = None

    def read_block(
        self, snapshot: Snapshot, interval: str, start_us: int, end_us: int, symbols: tuple[str, ...]
    ) -> BarBlock:
        """The rows of ``symbols`` with ``start_us <= timestamp < end_us``: see ``DataManager.read_block``."""
        files = files_between(snapshot, interval, start_us, end_us)
        few = len(symbols) <= FILTER_SYMBOLS_MAX
        if few:
            files = [file for file in files if any(file.may_hold(symbol) for symbol in symbols)]
        if not files or not symbols:
            return BarBlock.empty(symbols)
        block = _arranged(self._rows(files, interval, symbols, few=few), symbols)
        if block.start.min(initial=start_us) >= start_us and block.start.max(initial=start_us) < end_us:
            return block
        return block.keep((block.start >= start_us) & (block.start < end_us))

    def _rows(self, files: list[DataFile], interval: str, symbols: tuple[str, ...], *, few: bool) -> FileRows:
        paths, last = tuple(file.path for file in files), self._last
        if last is not None and last.paths == paths:
            return last
        size = sum(file.rows or FILTER_ROWS_MIN for file in files)
        most = len(symbols) * len(files) * _rows_a_day(interval)
        if (size >= FILTER_ROWS_MIN and size > most) or (few and size > WHOLE_ROWS_MAX):
            return _file_rows((), read_files(files, symbols=symbols))
        rows = _file_rows(paths, read_files(files))
        try:
            check_order(files, rows.symbols, rows.lengths, rows.start)
        except FaultError as error:
            raise explain(files, error) from error
        self._last = rows if size <= KEPT_ROWS_MAX else None
        return rows


def _rows_a_day(interval: str) -> int:
    """The most bars of a symbol that a file can hold; daily bars lie there by the year."""
    return 366 if interval == "1d" else DAY_US // parse_interval(interval).length_us


def _file_rows(paths: tuple[str, ...], frame: pl.DataFrame) -> FileRows:
    names, lengths = symbol_runs(frame["symbol"])
    start = frame["timestamp"].to_physical().to_numpy()
    return FileRows(paths, names, lengths, start, [frame[name].to_numpy() for name in PRICES])


def _arranged(rows: FileRows, symbols: tuple[str, ...]) -> BarBlock:
    """The rows of ``symbols`` in their order, each symbol's by time; equal times keep the order of the files."""
    start, columns, lengths = rows.start, rows.prices, rows.lengths
    rank = {symbol: index for index, symbol in enumerate(symbols)}
    owners = np.array([rank.get(name, -1) for name in rows.symbols], dtype=np.int64)
    firsts = np.cumsum(lengths) - lengths
    order = np.argsort(owners, kind="stable")
    order = order[owners[order] >= 0]
    counts = np.bincount(owners[order], weights=lengths[order], minlength=len(symbols)).astype(np.int64)
    offsets = np.concatenate((np.zeros(1, dtype=np.int64), np.cumsum(counts)))
    if not _is_identity(order, len(lengths)):
        places = _expand(firsts[order], lengths[order])
        start = start[places]
        columns = [column[places] for column in columns]
    by_time = _order_within(start, offsets)
    if by_time is not None:
        start = start[by_time]
        columns = [column[by_time] for column in columns]
    return BarBlock(symbols, offsets, start, *columns)


def _is_identity(order: Ints, size: int) -> bool:
    return len(order) == size and bool((order == np.arange(size)).all())


def _expand(firsts: Ints, lengths: Ints) -> Ints:
    """The row numbers of consecutive ranges: ``firsts[k] .. firsts[k] + lengths[k]``."""
    ends = np.cumsum(lengths)
    rows: Ints = np.arange(ends[-1] if len(ends) else 0) + np.repeat(firsts - (ends - lengths), lengths)
    return rows


def _order_within(start: Ints, offsets: Ints) -> Ints | None:
    """The stable order by time within each symbol's range, None if that is the present one."""
    falls = start[1:] < start[:-1]
    borders = offsets[(offsets > 0) & (offsets < len(start))]
    falls[borders - 1] = False  # from one symbol to the next
    if not falls.any():
        return None
    owner = np.repeat(np.arange(len(offsets) - 1), np.diff(offsets))
    return np.asarray(np.lexsort((start, owner)), dtype=np.int64)
