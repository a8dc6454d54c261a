"""SimStrategy: a strategy that checks each thing that it is told, and may be slow or raise."""

from __future__ import annotations

from random import Random

from mismartera.bars import Bar
from mismartera.bars.instants import SECOND_US, to_us
from mismartera.session.slice import Slice
from mismartera.session.strategy import Strategy
from mismartera.testing.sim_world import SimulationError, SimWorld


class SimStrategy(Strategy):
    """``removed``: the generations of symbols up to which they were removed. ``told`` keeps the bars' keys."""

    def __init__(
        self, world: SimWorld, rng: Random, threshold_us: int, *, slow_share: float, raise_share: float
    ) -> None:
        super().__init__()
        self.world = world
        self.rng = rng
        self.threshold_us = threshold_us
        self.slow_share = slow_share
        self.raise_share = raise_share
        self.removed: dict[str, int] = {}
        self.told: set[tuple[str, str, int, int]] = set()
        self.slices: set[int] = set()
        self.active: bool | None = None
        self.tells_reads = False
        """It emits what it can read of every symbol, before and after it was slow."""

    def on_bar(self, bar: Bar) -> None:
        """I1, I3, I5, I7: fresh, once, nothing of the future, nothing of what was removed."""
        now_us = self.world.now_us()
        lag_us = now_us - bar.end_us
        self.must(lag_us >= 0, f"{bar!r} is from the future")
        self.must(lag_us <= self.threshold_us, f"{bar!r} is stale by {lag_us / SECOND_US} s")
        self.must(self.session.is_active, f"{bar!r} while the session is not active")
        self.must(self.removed.get(bar.symbol, 0) < bar.generation, f"{bar!r} after its removal")
        key = (bar.symbol, bar.interval, bar.start_us, bar.generation)
        self.must(key not in self.told, f"{bar!r} for the second time")
        self.told.add(key)
        seen = self.session.bars(bar.symbol, bar.interval)
        self.must(seen is not None and len(seen) > 0, f"{bar!r} cannot be read")
        if seen is not None and len(seen):
            self.must(to_us(seen[-1].end) <= now_us, f"{seen[-1]!r} can be read at {now_us}")
            self.must(bar.start_us in seen.start_us, f"{bar!r} is not among what can be read")
        self.tell_reads(bar)
        self.live()
        self.tell_reads(bar)

    def tell_reads(self, bar: Bar) -> None:
        """Emit what can be read now."""
        if self.tells_reads:
            session = self.session
            for symbol in session.symbols:
                read = session.bars(symbol, bar.interval)
                told = "shut" if read is None else f"{len(read)} {read.close.sum():.3f}"
                told = f"{told} {session.quality(symbol)}"
                self.session.emit(symbol, f"{session.now.isoformat()} {session.is_active} {told}")

    def on_slice(self, slice: Slice) -> None:
        """Once per instant, fresh, nothing removed."""
        end_us = to_us(slice.end)
        self.must(end_us not in self.slices, f"a second slice of {slice.end}")
        self.slices.add(end_us)
        self.must(self.world.now_us() - end_us <= self.threshold_us, f"a stale slice of {slice.end}")
        for symbol, bars in slice.items():
            for bar in bars:
                self.must(self.removed.get(symbol, 0) < bar.generation, f"{bar!r} in a slice after its removal")

    def on_revision(self, bar: Bar) -> None:
        """Only while active, nothing removed."""
        self.must(self.session.is_active, f"the revision of {bar!r} while the session is not active")
        self.must(self.removed.get(bar.symbol, 0) < bar.generation, f"a revision of {bar!r} after its removal")

    def on_session_active(self, active: bool, reason: str) -> None:
        """Transitions alternate."""
        self.must(self.active is not active, f"active {active} ({reason}) for the second time")
        self.active = active

    def live(self) -> None:
        """Be slow for so many seconds, or raise, as drawn."""
        if self.slow_share and self.rng.random() < self.slow_share:
            self.world.sleep(self.rng.choice((0.5, 5.0, 40.0, 100.0)))
        if self.raise_share and self.rng.random() < self.raise_share:
            raise RuntimeError("a strategy of the simulation raises")

    def must(self, holds: bool, text: str) -> None:  # an assertion
        """End the simulation if this does not hold: not as an error of the strategy."""
        if not holds:
            raise Violation(text)


class Violation(KeyboardInterrupt):  # what strategies raise is isolated, but for this
    """A law is broken."""


assert not issubclass(Violation, SimulationError), "it must get through the engine"
