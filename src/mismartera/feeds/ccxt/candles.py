"""Candles as ccxt gives them: lists of ``[ms since 1970, open, high, low, close, volume]``."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import numpy as np
from msgspec import Struct

from mismartera.bars import Interval
from mismartera.bars.instants import MINUTE_US, SECOND_US
from mismartera.feeds.port import NO_START, Rejected
from mismartera.feeds.sift import RawBars

SETTLE_US: Final = 5 * SECOND_US
"""A candle that no later one follows is taken for finished so long after its end: the exchange's clock may be
behind ours, and then the candle is still forming there."""
_SKEW_US: Final = MINUTE_US
_FIRST_MS: Final = 631_152_000_000
_LAST_MS: Final = 4_102_444_800_000
"""From 1990 to 2100: what lies outside was meant in another unit."""
_UNITS: Final = (("seconds", 1_000.0), ("microseconds", 1e-3), ("nanoseconds", 1e-6))

Values = tuple[float, float, float, float, float]


class Candles(Struct, frozen=True):
    """An answer of an exchange, sorted by start; the last of several candles of one start stands."""

    symbol: str
    rows: dict[int, Values]
    rejected: list[Rejected] = []
    repeated: int = 0
    """Candles that came twice in the answer."""

    @property
    def newest_us(self) -> int | None:
        """The start of the newest candle."""
        return next(reversed(self.rows), None)

    def finished_by_us(self, asked_us: int, interval: Interval) -> int:
        """Candles that end by then are finished: a later one has begun, or some time has passed."""
        newest_us = self.newest_us
        has_later = newest_us is not None and newest_us + interval.length_us > asked_us
        return asked_us if has_later else asked_us - SETTLE_US


def read_candles(symbol: str, answer: object) -> Candles:
    """The candles of ``answer``. What is none is rejected by itself; TypeError if it is no list at all."""
    if not isinstance(answer, Sequence) or isinstance(answer, str | bytes):
        raise TypeError(f"an answer of type {type(answer).__name__} is no list of candles")
    rows: dict[int, Values] = {}
    rejected: list[Rejected] = []
    repeated = 0
    for candle in answer:
        try:
            start_us, values = _read(candle)
        except _CandleError as error:
            rejected.append(Rejected(error.rule, 1, f"{symbol}: {error}", (symbol,), (error.start_us,)))
            continue
        repeated += start_us in rows
        rows[start_us] = values
    return Candles(symbol, dict(sorted(rows.items())), rejected, repeated)


def is_forming(start_us: int, interval: Interval, asked_us: int, finished_by_us: int) -> bool:
    """Not finished, which is no fault. One that begins long after now has a wrong time, and is none of these."""
    return start_us <= asked_us + _SKEW_US and start_us + interval.length_us > finished_by_us


def raw_bars(symbol: str, rows: dict[int, Values]) -> RawBars:
    """``rows`` as columns."""
    values = np.array([(*row, -1.0) for row in rows.values()], np.float64).reshape(len(rows), 6)
    return RawBars([symbol] * len(rows), np.array(list(rows), np.int64), values.T.copy())


class _CandleError(ValueError):
    def __init__(self, text: str, rule: str, start_us: int = NO_START) -> None:
        self.rule = rule
        self.start_us = start_us
        super().__init__(text)


def _read(candle: object) -> tuple[int, Values]:
    if not isinstance(candle, Sequence) or isinstance(candle, str | bytes) or len(candle) < 6:
        raise _CandleError(f"{candle!r:.80} is no candle of time, prices and volume", "malformed")
    start_us = _start_us(candle[0])
    try:
        opens, highs, lows, closes, volume = (_number(value) for value in candle[1:6])
    except (TypeError, ValueError):
        raise _CandleError(f"{candle!r:.80} has values that are no numbers", "malformed", start_us) from None
    return start_us, (opens, highs, lows, closes, volume)


def _number(value: object) -> float:
    """None is not finite, which is a rule of its own."""
    if value is None:
        return float("nan")
    if isinstance(value, bool) or not isinstance(value, int | float | str):
        raise TypeError("no number")
    return float(value)


def _start_us(value: object) -> int:
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise _CandleError(f"{value!r:.40} is no number of milliseconds", "bad_timestamp")
    if not _FIRST_MS <= value < _LAST_MS:
        hint = next((f": it looks like {name}" for name, ms in _UNITS if _FIRST_MS <= value * ms < _LAST_MS), "")
        raise _CandleError(f"{value!r:.40} ms since 1970 is no time of a bar{hint}", "implausible_time")
    return round(value * 1000)
