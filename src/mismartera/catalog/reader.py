"""From files to a BarBlock: the engine's hot path. One parallel read, then whole columns."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import polars as pl
from numpy.typing import NDArray

from mismartera.bars.block import BarBlock
from mismartera.bars.instants import DAY_US
from mismartera.catalog.delta import Snapshot
from mismartera.catalog.files import read_files
from mismartera.catalog.layout import PRICES, DataFile, first_partition_day

Ints = NDArray[np.int64]

FILTER_SYMBOLS_MAX = 24
"""Up to so many symbols are looked for by the row groups' statistics; for more a day is read whole (measured)."""

FILTER_ROWS_MIN = 1_000_000
"""From so many rows on symbols are always looked for: what is not wanted must not fill the memory."""


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


def read_block(
    snapshot: Snapshot, interval: str, start_us: int, end_us: int, symbols: tuple[str, ...]
) -> BarBlock:
    """The rows of ``symbols`` with ``start_us <= timestamp < end_us``: see ``DataManager.read_block``."""
    files = files_between(snapshot, interval, start_us, end_us)
    few = len(symbols) <= FILTER_SYMBOLS_MAX
    if few:
        files = [file for file in files if any(file.may_hold(symbol) for symbol in symbols)]
    if not files or not symbols:
        return BarBlock.empty(symbols)
    filtered = few or sum(file.rows or FILTER_ROWS_MIN for file in files) >= FILTER_ROWS_MIN
    frame = read_files(files, symbols=symbols if filtered else ())
    block = _arranged(frame, symbols)
    inside = (block.start >= start_us) & (block.start < end_us)
    return block.keep(inside)


def _arranged(frame: pl.DataFrame, symbols: tuple[str, ...]) -> BarBlock:
    """The rows of ``symbols`` in their order, each symbol's by time; equal times keep the order of the files."""
    start = frame["timestamp"].to_physical().to_numpy()
    columns = [frame[name].to_numpy() for name in PRICES]
    lengths, owners = symbol_runs(frame["symbol"], symbols)
    firsts = np.cumsum(lengths) - lengths
    order = np.argsort(owners, kind="stable")
    order = order[owners[order] >= 0]
    counts = np.bincount(owners[order], weights=lengths[order], minlength=len(symbols)).astype(np.int64)
    offsets = np.concatenate((np.zeros(1, dtype=np.int64), np.cumsum(counts)))
    if not _is_identity(order, len(lengths)):
        rows = _expand(firsts[order], lengths[order])
        start = start[rows]
        columns = [column[rows] for column in columns]
    by_time = _order_within(start, offsets)
    if by_time is not None:
        start = start[by_time]
        columns = [column[by_time] for column in columns]
    return BarBlock(symbols, offsets, start, *columns)


def symbol_runs(column: pl.Series, symbols: Sequence[str]) -> tuple[Ints, Ints]:
    """The runs of equal symbols in ``column``: their lengths, and whose they are (index in ``symbols`` or -1)."""
    column = column.rechunk()
    changes = (column[1:] != column[:-1]).arg_true().to_numpy().astype(np.int64) + 1
    firsts = np.concatenate((np.zeros(min(1, len(column)), dtype=np.int64), changes))
    rank = {symbol: index for index, symbol in enumerate(symbols)}
    owners = [rank.get(name, -1) for name in column.gather(firsts).to_list()]
    return np.diff(np.append(firsts, len(column))), np.array(owners, dtype=np.int64)


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
