"""Back-off: waits that double, up to a cap, with jitter so that many clients do not come back together."""

from __future__ import annotations

from random import Random


class Backoff:
    """Waits of ``first_seconds``, twice that and so on up to ``cap_seconds``, each times a random 0.5 to 1.

    ``rng`` is seeded by the caller, so that a run can be repeated.
    """

    def __init__(self, rng: Random, first_seconds: float = 1.0, cap_seconds: float = 30.0) -> None:
        assert 0 < first_seconds <= cap_seconds, "waits grow up to the cap"
        self._rng = rng
        self._first_seconds = first_seconds
        self._cap_seconds = cap_seconds
        self._failures = 0

    @property
    def cap_seconds(self) -> float:
        """No wait is longer."""
        return self._cap_seconds

    def next_seconds(self, at_least_seconds: float = 0.0) -> float:
        """How long to wait after one more failure, never above the cap; ``at_least_seconds`` is jittered too."""
        doubled = self._first_seconds * 2.0 ** min(self._failures, 30)
        self._failures += 1
        longest = min(max(doubled, 2 * at_least_seconds), self._cap_seconds)
        return longest * self._rng.uniform(0.5, 1.0)

    def reset(self) -> None:
        """It worked: begin again with short waits."""
        self._failures = 0
