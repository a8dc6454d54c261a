"""IndicatorSpec: one TA-Lib function with its parameters and inputs bound."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mismartera.bars import parse_interval
from mismartera.indicators.library import talib_library

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
INPUTS = ("open", "high", "low", "close", "volume")
"""The columns of a bar that an indicator can read, in the order in which ``compute`` takes them."""


@dataclass(frozen=True, slots=True)
class IndicatorSpec:
    """An indicator on the bars of one interval; made by :func:`resolve_indicator`, equal by value.

    ``params`` holds all parameters in TA-Lib's order, defaults included. ``columns`` are the names of the outputs:
    ``SMA_20``, ``MACD_12_26_9_macd``, ``SMA_20_volume``. ``lookback`` is the number of bars without a value at the
    beginning: the first value stands at index ``lookback``.
    """

    name: str
    interval: str
    params: Mapping[str, int | float] = field(hash=False)
    input: str
    columns: tuple[str, ...]
    lookback: int
    _batch: Callable[..., Any] = field(repr=False, compare=False)
    _stream: Callable[..., Any] = field(repr=False, compare=False)
    _inputs: tuple[int, ...] = field(repr=False, compare=False)

    def compute(
        self, open: Floats, high: Floats, low: Floats, close: Floats, volume: Floats
    ) -> tuple[Floats, ...]:
        """A column of doubles for each name in ``columns``, as long as the inputs; NaN until warm.

        The inputs are columns of doubles of one length, oldest bar first, without NaN. The value at a bar
        depends on that bar and those before it only, bit for bit. A warm value can still be NaN or infinite
        where the function is not defined (``ACOS`` of a price above 1).
        """
        columns = (open, high, low, close, volume)
        result = self._batch(*(columns[at] for at in self._inputs), *self.params.values())
        cold = np.arange(len(close)) < self.lookback
        return tuple(self._masked(column, cold) for column in (result if isinstance(result, tuple) else (result,)))

    def compute_pieces(self, columns: Sequence[Floats], offsets: Ints) -> tuple[Floats, ...]:
        """:meth:`compute` of each piece ``offsets[k]:offsets[k + 1]`` of ``columns`` by itself, put together.

        ``columns``: open, high, low, close, volume. One call of TA-Lib a piece and nothing else: there may be many
        short ones.
        """
        inputs = [columns[at] for at in self._inputs]
        batch, params = self._batch, tuple(self.params.values())
        bounds = [(first, last) for first, last in pairwise(offsets.tolist()) if first < last]
        if len(inputs) == 1:
            column = inputs[0]
            pieces = [batch(column[first:last], *params) for first, last in bounds]
        else:
            pieces = [batch(*[column[first:last] for column in inputs], *params) for first, last in bounds]
        outputs = [pieces] if len(self.columns) == 1 else list(zip(*pieces, strict=True))
        if not pieces:
            return tuple(np.empty(0) for _ in self.columns)
        place = np.arange(offsets[-1]) - np.repeat(offsets[:-1], np.diff(offsets))
        cold = place < self.lookback
        return tuple(self._masked(np.concatenate(output), cold) for output in outputs)

    @property
    def inputs(self) -> tuple[int, ...]:
        """Which of ``INPUTS`` it reads, in TA-Lib's order."""
        return self._inputs

    @property
    def length_us(self) -> int:
        """The length of the interval that it is computed on."""
        return parse_interval(self.interval).length_us

    def open_handle(self, inputs: Sequence[Floats]) -> Any:
        """TA-Lib's stream over ``inputs``, the columns that it reads, to be carried on; None if it is not warm.

        ``value`` is the value at the last bar, ``update(...)`` takes one more bar: a number, or one per output.
        """
        if len(inputs[0]) <= self.lookback:
            return None
        try:
            return self._stream(*inputs, *self.params.values())
        except talib_library().InsufficientHistory:
            return None

    def compute_last(
        self, open: Floats, high: Floats, low: Floats, close: Floats, volume: Floats
    ) -> tuple[float, ...]:
        """The values at the last bar, bit-identical to the last ones of :meth:`compute`; NaN if not warm."""
        columns = (open, high, low, close, volume)
        handle = self.open_handle([columns[at] for at in self._inputs])
        if handle is None:
            return (np.nan,) * len(self.columns)
        value = handle.value
        return tuple(float(part) for part in (value if isinstance(value, tuple) else (value,)))

    @staticmethod
    def _masked(column: NDArray[Any], cold: NDArray[np.bool_]) -> Floats:
        values = column.astype(np.float64, copy=False)
        values[cold] = np.nan  # candlestick functions return 0 there, which would pass for a value
        return values
