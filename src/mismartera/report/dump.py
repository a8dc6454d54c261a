"""The dump of ``--dump``: each finished session as Parquet, one file per symbol and interval.

``DIR/<date>/<symbol>/<interval>.parquet`` (the symbol percent-encoded) has the columns ``timestamp`` (UTC,
microseconds), ``open``, ``high``, ``low``, ``close``, ``volume``, ``bar_count`` and one per indicator, null until
it is warm. A symbol without bars gives a file without rows. A file is complete or not there; files of an earlier
run that this one does not write stay as they are.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import suppress
from datetime import date
from io import BytesIO
from pathlib import Path
from typing import TYPE_CHECKING

from mismartera.bars import Bars, encode_symbol
from mismartera.errors import RunFailedError, UsageError
from mismartera.session.ports import Reads

if TYPE_CHECKING:  # heavy, and only needed when a session is written
    import polars as pl


class SessionDump:
    """A recorder that writes each session's bars below ``folder``. A failing write raises RunFailedError."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def prepare(self) -> bool:
        """Make the folder; True if it holds something already. UsageError if it cannot be made or written to."""
        probe = self._folder / ".mismartera-dump"
        try:
            self._folder.mkdir(parents=True, exist_ok=True)
            is_used = any(path != probe for path in self._folder.iterdir())
            probe.touch()
            probe.unlink()
        except OSError as error:
            reason = error.strerror or str(error)
            raise UsageError(f"the dump cannot be written to {self._folder}: {reason}") from error
        return is_used

    def record(
        self, day: date, symbols: Sequence[str], intervals: Mapping[str, Sequence[str]], data: Reads
    ) -> None:
        """Write the session of ``day``."""
        try:
            for symbol in symbols:  # one after the other: Polars spreads a file over its own threads
                folder = self._folder / day.isoformat() / encode_symbol(symbol)
                folder.mkdir(parents=True, exist_ok=True)
                for interval in intervals[symbol]:
                    bars = data.get_bars(symbol, interval, internal=True)
                    if bars is not None:  # else the symbol was removed since the close
                        _write(folder, interval, bars)
        except OSError as error:
            reason = error.strerror or str(error)
            raise RunFailedError(f"the dump of {day} cannot be written to {self._folder}: {reason}") from error


def to_frame(bars: Bars) -> pl.DataFrame:
    """The columns of a dumped file; an indicator is null until it is warm."""
    import polars as pl

    columns = {
        "open": bars.open, "high": bars.high, "low": bars.low, "close": bars.close, "volume": bars.volume,
        "bar_count": bars.bar_count,
    }  # fmt: skip
    start = pl.Series("timestamp", bars.start_us).cast(pl.Datetime("us", "UTC"))
    indicators = [
        pl.Series(name, bars.indicator(name), dtype=pl.Float64, nan_to_null=True) for name in bars.indicator_names
    ]
    return pl.DataFrame([start, *(pl.Series(name, values) for name, values in columns.items()), *indicators])


def _write(folder: Path, interval: str, bars: Bars) -> None:
    partial, content = folder / f".{interval}.parquet.partial", BytesIO()
    to_frame(bars).write_parquet(content, compression="lz4", statistics=False)
    try:
        partial.write_bytes(content.getbuffer())  # of a disk that is full Polars says "out of specification"
        partial.replace(folder / f"{interval}.parquet")
    except OSError:
        with suppress(OSError):
            partial.unlink()
        raise
