"""The event log of ``--events``: one JSON object a line, in order, the same bytes for the same run.

A line is ``json.dumps(event, sort_keys=True, separators=(",", ":"))``: ASCII, floats in their shortest form that
reads back to the same double, numbers that are not finite as null. ``seq`` counts from 1; ``time``, ``start`` and
``end`` are ISO 8601 in UTC. No value comes from the wall clock. A bar's ``time`` is the engine's clock: its end
and its lag.
"""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from contextlib import suppress
from functools import lru_cache
from io import BufferedWriter, FileIO
from pathlib import Path
from typing import cast

import msgspec

from mismartera.bars import Bar
from mismartera.bars.instants import SECOND_US, to_iso
from mismartera.errors import RunFailedError, UsageError
from mismartera.session.ports import Field

_BUFFER_BYTES = 1 << 18


_PLAIN_MIN, _PLAIN_MAX = 1e-4, 1e16
"""Python writes doubles below and from here on with an exponent."""


class _BarLine(msgspec.Struct, gc=False):
    """A ``bar`` event, its keys in order. ``source`` is left out of a backtest's."""

    bar_count: int
    close: float
    end: str
    event: str
    generation: int
    high: float
    interval: str
    lag_seconds: float
    low: float
    open: float
    seq: int
    source: str | msgspec.UnsetType
    start: str
    symbol: str
    time: str
    volume: float


class EventLog:
    """A sink that writes the events to a file.

    :meth:`open` before the run, :meth:`close` after it. Lines are buffered; :meth:`flush` may be called from
    another thread. A write that fails raises RunFailedError once and ends the run; what comes after it is dropped.
    """

    wants_bars = wants_gaps = True

    def __init__(self, path: Path) -> None:
        self._path = path
        self._file: BufferedWriter | None = None
        self._seq = 0
        self._end_us = -1
        self._lag_seconds = 0.0
        self._end = self._time = ""

    def open(self) -> None:
        """Begin an empty file; UsageError if there can be none."""
        try:
            self._file = BufferedWriter(FileIO(self._path, "w"), _BUFFER_BYTES)
        except OSError as error:
            raise UsageError(f"the events cannot be written to {self._path}: {_reason(error)}") from error

    def event(self, name: str, now_us: int, fields: Mapping[str, Field]) -> None:
        """Write an event that is not a bar."""
        self._seq += 1
        self._write(event_line({**fields, "event": name, "seq": self._seq, "time": to_iso(now_us)}))

    def bar(self, bar: Bar) -> None:
        """Write a bar."""
        # The hot path: made by msgspec, whose bytes are those of json.dumps for numbers that need no exponent.
        if not (
            bar.low >= _PLAIN_MIN
            and bar.high < _PLAIN_MAX
            and (_PLAIN_MIN <= bar.volume < _PLAIN_MAX or bar.volume == 0.0)
            and (bar.lag_seconds == 0.0 or bar.lag_seconds >= _PLAIN_MIN)
        ):
            self._slow_bar(bar)
            return
        if bar.end_us != self._end_us or bar.lag_seconds != self._lag_seconds:
            self._stamp(bar)
        self._seq = seq = self._seq + 1
        line = _BarLine(
            bar.bar_count, bar.close, self._end, "bar", bar.generation, bar.high, bar.interval,
            bar.lag_seconds, bar.low, bar.open, seq, bar.source or msgspec.UNSET, _iso(bar.start_us), bar.symbol,
            self._time, bar.volume,
        )  # fmt: skip
        self._write(_encode_lines((line,)))

    def flush(self) -> None:
        """Let readers of the file see what was written so far."""
        if self._file is not None:
            try:
                self._file.flush()
            except OSError as error:
                raise self._failed(self._file, error) from error

    def close(self) -> None:
        """Write what is buffered and close the file; nothing happens if it is closed already."""
        file, self._file = self._file, None
        if file is not None:
            try:
                file.close()
            except OSError as error:
                raise self._failed(file, error) from error

    def _write(self, line: bytes) -> None:
        file = self._file
        if file is None:
            return
        try:
            file.write(line)
        except OSError as error:
            raise self._failed(file, error) from error

    def _failed(self, file: BufferedWriter, error: OSError) -> RunFailedError:
        self._file = None
        with suppress(OSError):
            file.raw.close()  # the buffer could not be written, and trying again would only fail again
        return RunFailedError(f"the events cannot be written to {self._path}: {_reason(error)}")

    def _stamp(self, bar: Bar) -> None:
        """All bars of an instant share their end and the clock."""
        self._end_us, self._lag_seconds = bar.end_us, bar.lag_seconds
        self._end, self._time = _iso(bar.end_us), _iso(_clock_us(bar))

    def _slow_bar(self, bar: Bar) -> None:
        self._seq += 1
        self._write(
            event_line({**bar_fields(bar), "event": "bar", "seq": self._seq, "time": _iso(_clock_us(bar))})
        )


def bar_fields(bar: Bar) -> dict[str, Field]:
    """The fields of a ``bar`` event."""
    return {
        "symbol": bar.symbol, "interval": bar.interval, "start": to_iso(bar.start_us), "end": to_iso(bar.end_us),
        "open": bar.open, "high": bar.high, "low": bar.low, "close": bar.close, "volume": bar.volume,
        "bar_count": bar.bar_count, "lag_seconds": bar.lag_seconds, "generation": bar.generation,
        **({"source": bar.source} if bar.source else {}),
    }  # fmt: skip


def event_line(fields: Mapping[str, Field]) -> bytes:
    """One line of the log. TypeError for a value that is neither text, number, bool nor None."""
    try:
        line = _to_json(fields)
    except ValueError:  # a number that is not finite
        line = _to_json({key: _finite(value) for key, value in fields.items()})
    return (line + "\n").encode("ascii")


def _finite(value: Field) -> Field:
    return None if isinstance(value, float) and not math.isfinite(value) else value


def _scalar(value: object) -> Field:
    """A strategy may emit a NumPy scalar, which JSON does not know."""
    item = getattr(value, "item", None)
    if item is None:
        raise TypeError(f"an event holds text, numbers, true, false and null: found {type(value).__name__}")
    return cast("Field", item())


def _clock_us(bar: Bar) -> int:
    return bar.end_us + round(bar.lag_seconds * SECOND_US)


def _reason(error: OSError) -> str:
    return error.strerror or str(error)


_iso = lru_cache(maxsize=4096)(to_iso)
_to_json = json.JSONEncoder(sort_keys=True, separators=(",", ":"), allow_nan=False, default=_scalar).encode
_encode_lines = msgspec.json.Encoder().encode_lines
