"""Intervals: ``<n>s``, ``<n>m``, ``<n>h`` and ``1d`` (one bar per session, from open to close)."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from functools import lru_cache

from mismartera.bars.instants import DAY_US, HOUR_US, MINUTE_US, SECOND_US

_PATTERN = re.compile(r"([1-9][0-9]{0,4})([smh])")
_UNIT_US = {"s": SECOND_US, "m": MINUTE_US, "h": HOUR_US}


@dataclass(frozen=True, slots=True, order=True)
class Interval:
    """A bar's length. Equal and ordered by length: ``60s`` is ``1m``; the label is kept as written."""

    length_us: int
    label: str = field(compare=False)

    @property
    def is_daily(self) -> bool:
        """True for ``1d``: its length is the session's, not 24 hours."""
        return self.length_us == DAY_US

    @property
    def canonical(self) -> str:
        """The one name that the store uses for this length: ``1m`` for ``60s``, ``1h`` for ``60m``."""
        if self.is_daily:
            return "1d"
        for unit in "hm":
            if self.length_us % _UNIT_US[unit] == 0:
                return f"{self.length_us // _UNIT_US[unit]}{unit}"
        return f"{self.length_us // SECOND_US}s"

    def derives_from(self, base: Interval) -> bool:
        """True if bars of this interval can be made of (or are) bars of ``base``."""
        if base.is_daily:
            return self.is_daily
        return self.is_daily or self.length_us % base.length_us == 0

    def __str__(self) -> str:
        return self.label


@lru_cache(maxsize=512)
def parse_interval(label: str) -> Interval:
    """The interval named ``label``; ValueError says what is allowed."""
    if label == "1d":
        return Interval(DAY_US, "1d")
    match = _PATTERN.fullmatch(label)
    length = int(match[1]) * _UNIT_US[match[2]] if match else 0
    if not 0 < length < DAY_US:
        kind = " (quotes and ticks are not supported yet)" if label in {"quotes", "ticks"} else ""
        raise ValueError(
            f"interval {label!r} is not supported{kind}: allowed are '<n>s', '<n>m', '<n>h' "
            "shorter than a day, and '1d', for example '1m', '5m', '1h'"
        )
    return Interval(length, label)


BASE_INTERVALS = (parse_interval("1s"), parse_interval("1m"), parse_interval("1d"))
"""What a session can be built on, finest first; everything else is derived."""
