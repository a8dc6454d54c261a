"""RunningIndicator: an indicator that is carried on bar by bar, for many symbols."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from operator import call
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mismartera.indicators.spec import IndicatorSpec

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]


class RunningIndicator:
    """One handle of TA-Lib a symbol, opened on its bars so far as soon as there are enough of them.

    ``past[k]``: open, high, low, close and volume of symbol ``k`` before the first bar to come; None for none.
    ``so_far(k)``: the same of the bars that have come since. Values are bit-identical to those of
    :meth:`IndicatorSpec.compute` over the whole.
    """

    def __init__(
        self,
        spec: IndicatorSpec,
        past: Sequence[Sequence[Floats] | None],
        so_far: Callable[[int], Sequence[Floats]],
    ) -> None:
        self._spec = spec
        self._past = past
        self._so_far = so_far
        self._handles: list[Any] = [None] * len(past)
        self._cold = len(past)
        self._updates: list[Callable[..., Any]] = []
        """Of the handles, once all are open; their bars are not counted any more."""
        self._lengths = np.array([0 if columns is None else len(columns[0]) for columns in past], dtype=np.int64)
        self._unknown = np.nan if len(spec.columns) == 1 else (np.nan,) * len(spec.columns)

    def resume(self, sizes: Ints) -> None:
        """So many bars of each symbol are among ``so_far`` already."""
        self._lengths = self._lengths + sizes

    def next(self, owners: Ints, prices: Floats) -> Mapping[str, Floats]:
        """One more bar for each of ``owners``: their values under each of the spec's names; NaN until warm.

        ``prices`` has a row for open, high, low, close and volume each; they are not among ``so_far`` yet.
        """
        names = self._spec.columns
        if self._updates and len(owners) == len(self._updates) and len(names) == 1:
            columns = [prices[at].tolist() for at in self._spec.inputs]
            return {names[0]: np.fromiter(map(call, self._updates, *columns), np.float64, len(owners))}
        self._lengths[owners] += 1
        if not (self._lengths[owners] > self._spec.lookback).any():
            return {name: np.full(len(owners), np.nan) for name in names}
        inputs = [prices[at].tolist() for at in self._spec.inputs]
        if len(inputs) == 1 == len(names):
            handles = self._handles
            values = [
                handle.update(value) if (handle := handles[owner]) is not None else self._opened(owner, (value,))
                for owner, value in zip(owners.tolist(), inputs[0], strict=True)
            ]
            return {names[0]: np.array(values, dtype=np.float64)}
        rows = [self._one(owner, row) for owner, *row in zip(owners.tolist(), *inputs, strict=True)]
        return dict(zip(names, np.array(rows, dtype=np.float64).reshape(-1, len(names)).T, strict=True))

    def _one(self, owner: int, row: Sequence[float]) -> Any:
        handle = self._handles[owner]
        return self._opened(owner, row) if handle is None else handle.update(*row)

    def _opened(self, owner: int, row: Sequence[float]) -> Any:
        """Not warm so far: open a handle if this bar is enough."""
        if self._lengths[owner] <= self._spec.lookback:
            return self._unknown
        past, so_far = self._past[owner], self._so_far(owner)
        columns = [
            np.concatenate(([] if past is None else past[at], so_far[at], [value]))
            for at, value in zip(self._spec.inputs, row, strict=True)
        ]
        handle = self._spec.open_handle(columns)
        if handle is None:
            return self._unknown
        self._handles[owner] = handle
        self._cold -= 1
        if not self._cold:
            self._updates = [each.update for each in self._handles]
        return handle.value
