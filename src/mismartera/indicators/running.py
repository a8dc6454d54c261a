"""RunningIndicator: an indicator that is carried on bar by bar, for many symbols."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mismartera.indicators.spec import IndicatorSpec

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]


class RunningIndicator:
    """One handle of TA-Lib a symbol, opened on its bars so far as soon as there are enough of them.

    ``past[k]``: open, high, low, close and volume of symbol ``k`` before the first bar to come; None for none.
    Values are bit-identical to those of :meth:`IndicatorSpec.compute` over the whole.
    """

    def __init__(self, spec: IndicatorSpec, past: Sequence[Sequence[Floats] | None]) -> None:
        self._spec = spec
        self._handles: list[Any] = [None] * len(past)
        self._unknown = np.nan if len(spec.columns) == 1 else (np.nan,) * len(spec.columns)
        # The inputs of each symbol that is not warm yet.
        self._seen: list[tuple[list[float], ...] | None] = [
            tuple([] if columns is None else columns[at].tolist() for at in spec.inputs) for columns in past
        ]

    def next(self, owners: Ints, prices: Floats) -> Mapping[str, Floats]:
        """One more bar for each of ``owners``: their values under each of the spec's names; NaN until warm.

        ``prices`` has a row for open, high, low, close and volume each.
        """
        inputs = [prices[at].tolist() for at in self._spec.inputs]
        names = self._spec.columns
        if len(inputs) == 1 == len(names):
            handles = self._handles
            values = [
                handle.update(value) if (handle := handles[owner]) is not None else self._cold(owner, (value,))
                for owner, value in zip(owners.tolist(), inputs[0], strict=True)
            ]
            return {names[0]: np.array(values, dtype=np.float64)}
        rows = [self._one(owner, row) for owner, *row in zip(owners.tolist(), *inputs, strict=True)]
        return dict(zip(names, np.array(rows, dtype=np.float64).reshape(-1, len(names)).T, strict=True))

    def _one(self, owner: int, row: Sequence[float]) -> Any:
        handle = self._handles[owner]
        return self._cold(owner, row) if handle is None else handle.update(*row)

    def _cold(self, owner: int, row: Sequence[float]) -> Any:
        """Not warm so far: open a handle if this bar is enough."""
        seen = self._seen[owner]
        assert seen is not None, "a symbol without a handle keeps its bars"
        for column, value in zip(seen, row, strict=True):
            column.append(value)
        if len(seen[0]) <= self._spec.lookback:
            return self._unknown
        handle = self._spec.open_handle([np.array(column) for column in seen])
        if handle is None:
            return self._unknown
        self._handles[owner], self._seen[owner] = handle, None
        return handle.value
