"""Putting rows into partitions: valid rows, then what is new, what is known, and what is revised."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np
import polars as pl
from msgspec import Struct
from numpy.typing import NDArray

from mismartera.bars.instants import to_iso
from mismartera.bars.interval import parse_interval
from mismartera.bars.validation import RULES, broken_rule
from mismartera.catalog.layout import LATEST_US, PRICES, partition_days
from mismartera.catalog.report import EXAMPLES_PER_RULE, Rejections
from mismartera.catalog.rows import arrays

Mask = NDArray[np.bool_]


def valid_rows(interval: str, rows: pl.DataFrame, rejections: Rejections) -> pl.DataFrame:
    """The rows (columns of a store file) that keep every rule of a bar; the others are charged to the first rule
    that they break.
    """
    start, prices = arrays(rows)
    broken = broken_rule(parse_interval(interval), start, *prices)
    broken[(start < 0) | (start >= LATEST_US)] = len(RULES)
    if (broken < 0).all():
        return rows
    for index, rule in enumerate((*RULES, "out_of_range")):
        at = np.flatnonzero(broken == index)
        shown = [_in_words(interval, rule, rows, int(row)) for row in at[:EXAMPLES_PER_RULE]]
        rejections.add(rule, len(at), shown)
    return rows.filter(pl.Series(broken < 0))


def _in_words(interval: str, rule: str, rows: pl.DataFrame, row: int) -> str:
    start = int(rows["timestamp"].to_physical()[row])
    when = to_iso(start) if rule != "out_of_range" else f"{start} us since 1970 (allowed are 1970 to 2099)"
    values = ", ".join(f"{name}={rows[name][row]}" for name in PRICES)
    return f"{rows['symbol'][row]} {interval} {when}: {rule} ({values})"


class Merged(Struct, frozen=True):
    """A partition after an upsert, and what became of the rows that were offered."""

    rows: pl.DataFrame
    accepted: int
    duplicate: int
    revised: int
    changed: bool


def merge(existing: pl.DataFrame | None, offered: pl.DataFrame) -> Merged:
    """Upsert ``offered`` by symbol and timestamp, row after row, into ``existing`` (None: a new partition).

    The result is sorted by symbol and timestamp and holds every key once.
    """
    known = 0 if existing is None else existing.height
    both = offered if existing is None else pl.concat([existing, offered])
    order = pl.int_range(both.height, dtype=pl.Int64, eager=True).alias("__row")
    both = both.with_columns(order).sort("symbol", "timestamp", maintain_order=True)
    fresh = both["__row"].to_numpy() >= known
    both = both.drop("__row")
    repeats, same = _compare_neighbours(both)
    accepted = int((fresh & ~repeats).sum())
    revised = _count_revised(both, fresh, repeats, fresh & repeats & ~same)
    duplicate = int(fresh.sum()) - accepted - revised
    last = np.append(~repeats[1:], np.ones(min(1, len(repeats)), dtype=bool))
    rows = both if last.all() else both.filter(pl.Series(last))
    return Merged(rows, accepted, duplicate, revised, changed=accepted + revised > 0)


def _count_revised(rows: pl.DataFrame, fresh: Mask, repeats: Mask, differs: Mask) -> int:
    """Of a key that was there, one row if its values have changed in the end; of a new key, each that ``differs``
    from the one before.
    """
    if not (repeats[1:] & fresh[:-1]).any():
        return int(differs.sum())
    first = np.flatnonzero(~repeats)
    was_there = ~fresh[first]
    stored = first + np.add.reduceat(~fresh, first, dtype=np.int64) - 1
    final = np.append(first[1:], rows.height) - 1
    changed = np.zeros(len(first), dtype=bool)
    for column in arrays(rows)[1]:
        changed |= column[final] != column[stored]
    of_new_keys = differs & ~was_there[np.cumsum(~repeats) - 1]
    return int(of_new_keys.sum()) + int((changed & was_there).sum())


def _compare_neighbours(rows: pl.DataFrame) -> tuple[Mask, Mask]:
    """For each row: has it the key of the row before, and (only then meaningful) the same values."""
    size = rows.height
    repeats = np.zeros(size, dtype=bool)
    same = np.ones(size, dtype=bool)
    if size < 2:
        return repeats, same
    start, prices = arrays(rows)
    owner = rows["symbol"].rle_id().to_numpy()
    repeats[1:] = (owner[1:] == owner[:-1]) & (start[1:] == start[:-1])
    if repeats.any():
        for column in prices:
            same[1:] &= column[1:] == column[:-1]
    return repeats, same


def by_partition(interval: str, pieces: Sequence[pl.DataFrame]) -> Iterator[tuple[int, pl.DataFrame]]:
    """The rows of ``pieces`` (all of one interval) per partition day, in order of the days and of the input."""
    rows = pl.concat(list(pieces))
    days = partition_days(interval, rows["timestamp"].to_physical().to_numpy())
    order = np.argsort(days, kind="stable")
    days = days[order]
    borders = np.flatnonzero(np.diff(days)) + 1
    ordered = rows if (order == np.arange(len(order))).all() else rows[order]
    for first, last in zip([0, *borders], [*borders, len(days)], strict=True):
        if last > first:
            yield int(days[first]), ordered.slice(int(first), int(last - first))
