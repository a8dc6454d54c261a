"""Rates: how often somebody may ask."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable

_NAMES_MAX = 1024


class Rates:
    """A bucket of tokens per name, filled at ``per_second`` up to ``burst``. Used on one thread."""

    def __init__(self, per_second: float, burst: float, monotonic: Callable[[], float]) -> None:
        self._per_second = per_second
        self._burst = burst
        self._monotonic = monotonic
        self._buckets: OrderedDict[str, tuple[float, float]] = OrderedDict()

    def take(self, name: str) -> bool:
        """True if ``name`` may ask now."""
        now = self._monotonic()
        left, since = self._buckets.pop(name, (self._burst, now))
        left = min(self._burst, left + (now - since) * self._per_second)
        is_free = left >= 1
        self._buckets[name] = (left - is_free, now)
        while len(self._buckets) > _NAMES_MAX:
            self._buckets.popitem(last=False)
        return is_free
