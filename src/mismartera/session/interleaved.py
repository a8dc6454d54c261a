"""Interleaved: the bars of several strips as one, by (end, rank, interval length)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mismartera.bars import Span
from mismartera.session.strip import Strip
from mismartera.session.windows import session_spans

Ints = NDArray[np.int64]
_RADIX_MAX = 1 << 16


class Interleaved:
    """``strips`` (shortest interval first) in one order of showing, with the reads of a strip that a feed needs.

    A column is put together when it is first asked for, one strip after the other; ``_order`` finds the places in
    it.
    """

    def __init__(self, strips: Sequence[Strip], strip_cuts: Sequence[Ints]) -> None:
        self._strips = strips
        self._order = _order(strips, strip_cuts)
        self._columns: dict[str, NDArray[Any]] = {}
        self._symbols = _objects([symbol for strip in strips for symbol in strip.block.symbols])
        self._labels = _objects([strip.interval.label for strip in strips])
        self._spans = np.concatenate([session_spans(strip.block.session, strip.interval) for strip in strips])
        self._generations = [info.generation for strip in strips for _, info in strip.infos()]
        self.is_base = all(strip.is_base for strip in strips)
        self.generations = frozenset(self._generations)

    def values_of(self, name: str, rows: slice) -> list[Any]:
        """A column at these places."""
        values: list[Any] = self._joined(name)[self._order[rows]].tolist()
        return values

    def symbols_of(self, rows: slice) -> list[str]:
        """The symbols at these places."""
        symbols: list[str] = self._symbols[self._joined("owner")[self._order[rows]]].tolist()
        return symbols

    def labels_of(self, rows: slice) -> list[str]:
        """The intervals at these places."""
        labels: list[str] = self._labels[self._joined("strip")[self._order[rows]]].tolist()
        return labels

    def spans_of(self, rows: slice) -> list[Span]:
        """The spans of the bars at these places."""
        spans: list[Span] = self._spans[self._joined("window")[self._order[rows]]].tolist()
        return spans

    def generations_of(self, rows: slice) -> list[int]:
        """The generations of the symbols at these places."""
        owners = self._joined("owner")[self._order[rows]]
        return [self._generations[owner] for owner in owners.tolist()]

    def _joined(self, name: str) -> NDArray[Any]:
        """The strips' columns one after the other; ``owner``, ``window`` and ``strip`` count through them all."""
        found = self._columns.get(name)
        if found is None:
            strips = self._strips
            if name == "strip":
                found = np.repeat(np.arange(len(strips)), [len(strip.order) for strip in strips])
            else:
                parts = [strip.column(name) for strip in strips]
                if name == "owner":
                    parts = _counted_through(parts, [len(strip.block.symbols) for strip in strips])
                elif name == "window":
                    parts = _counted_through(parts, [len(strip.block.windows) for strip in strips])
                found = np.concatenate(parts)
            self._columns[name] = found
        return found


def _order(strips: Sequence[Strip], strip_cuts: Sequence[Ints]) -> Ints:
    """The order by (instant, rank, length) of the strips' rows, which stand strip by strip."""
    instants = np.arange(len(strip_cuts[0]) - 1)
    instant = np.concatenate([np.repeat(instants, np.diff(cuts)) for cuts in strip_cuts])
    ranks = np.concatenate([strip.column("rank") for strip in strips])
    by_rank = _small(ranks).argsort(kind="stable")
    order: Ints = by_rank[_small(instant)[by_rank].argsort(kind="stable")]
    return order


def _small(keys: Ints) -> NDArray[Any]:
    """``keys`` in a type that NumPy sorts by radix, if they fit."""
    return keys.astype(np.uint16) if not len(keys) or keys.max() < _RADIX_MAX else keys


def _counted_through(parts: Sequence[NDArray[Any]], sizes: Sequence[int]) -> list[NDArray[Any]]:
    firsts = np.cumsum(sizes) - sizes
    return [part.astype(np.int64) + first for part, first in zip(parts, firsts, strict=True)]


def _objects(values: Sequence[str]) -> NDArray[np.object_]:
    found = np.empty(len(values), dtype=object)
    found[:] = values
    return found
