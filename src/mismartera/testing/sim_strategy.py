"""SimStrategy: a strategy that checks each thing that it is told, and may be slow or raise."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from itertools import pairwise
from random import Random

from mismartera.bars import Bar
from mismartera.bars.instants import to_us
from mismartera.session.slice import Slice
from mismartera.session.strategy import Strategy
from mismartera.testing.sim_world import SimulationError, SimWorld

Key = tuple[str, str, int, int]
"""Symbol, interval, start and generation of a bar."""


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
        self.told: dict[Key, None] = {}
        self.last_slice_us = 0
        self.ranks: Mapping[str, int] = {}
        """The order in which symbols were asked for, as it is at each moment."""
        self.is_final: Callable[[Bar], bool] = lambda _: True
        """Did the vendor ever give this bar, after its end?"""
        self.missing_of: Callable[[str], Sequence[str]] = lambda _: ()
        """The bars of a symbol that was just loaded which it should have, and has not."""
        self.has_failed = False
        self.active: bool | None = None
        self.tells_reads = False
        """It emits what it can read of every symbol, before and after it was slow."""

    def on_bar(self, bar: Bar) -> None:
        """I1, I3, I5, I7: fresh, once, nothing of the future, nothing of what was removed."""
        self.is_called("a bar")
        now_us = self.world.now_us()
        lag_us = now_us - bar.end_us
        self.must("I5", lag_us >= 0, "{!r} is from the future", bar)
        self.must("I1", lag_us <= self.threshold_us, "{!r} is stale by {} us", bar, lag_us)
        self.must("I1", self.session.is_active, "{!r} while the session is not active", bar)
        self.must("I7", self.removed.get(bar.symbol, 0) < bar.generation, "{!r} after its removal", bar)
        key = (bar.symbol, bar.interval, bar.start_us, bar.generation)
        self.must("I3", key not in self.told, "{!r} for the second time", bar)
        self.must("I5", self.is_final(bar), "{!r} is not final: nobody has sent it since its end", bar)
        self.told[key] = None
        seen = self.session.bars(bar.symbol, bar.interval)
        self.must("I3", seen is not None and len(seen) > 0, "{!r} cannot be read", bar)
        if seen is not None and len(seen):
            self.must(
                "I5",
                int(seen.end_us[-1]) <= now_us,
                "a bar of {} that has not ended can be read at {}",
                bar.symbol,
                now_us,
            )
            self.must("I11", not seen.close.flags.writeable, "what can be read of {} can be changed", bar.symbol)
            self.must("I3", bar.start_us in seen.start_us, "{!r} is not among what can be read", bar)
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
        """Once per instant, in their order, fresh, nothing removed, its bars by rank and interval."""
        self.is_called("a slice")
        end_us = to_us(slice.end)
        self.must("I4", end_us > self.last_slice_us, "{!r} after a later one, or again", slice)
        self.last_slice_us = end_us
        self.must("I1", self.world.now_us() - end_us <= self.threshold_us, "{!r} is stale", slice)
        places: list[tuple[int, int]] = []
        for symbol, bars in slice.items():
            for bar in bars:
                removed = self.removed.get(symbol, 0)
                self.must("I7", removed < bar.generation, "{!r} in a slice after its removal", bar)
                self.must("I5", bar.end_us == end_us, "{!r} in {!r}", bar, slice)
                places.append((self.ranks.get(symbol, -1), bar.end_us - bar.start_us))
        is_ordered = all(a < b for a, b in pairwise(places))
        self.must("I4", is_ordered, "{!r} is out of the order of rank and interval", slice)

    def on_revision(self, bar: Bar) -> None:
        """Only while active, nothing removed; what is told can be read."""
        self.is_called("a revision")
        self.must("I1", self.session.is_active, f"the revision of {bar!r} while the session is not active")
        self.must(
            "I7", self.removed.get(bar.symbol, 0) < bar.generation, f"a revision of {bar!r}, which was removed"
        )
        seen = self.session.bars(bar.symbol, bar.interval)
        self.must("I3", seen is not None and bar.start_us in seen.start_us, f"the revised {bar!r} cannot be read")

    def on_session_active(self, active: bool, reason: str) -> None:
        """Transitions alternate."""
        self.is_called("the gate")
        self.must("I2", self.active is not active, f"active {active} ({reason}) for the second time")
        self.active = active

    def on_symbol_loaded(self, symbol: str) -> None:
        """I8: what joins has what one has that was there since the open."""
        self.is_called("a symbol that is loaded")
        missing = self.missing_of(symbol)
        self.must("I8", not missing, f"{symbol} is loaded without its bars of {missing[:3]}")

    def live(self) -> None:
        """Be slow for so many seconds, or raise, as drawn."""
        if self.slow_share and self.rng.random() < self.slow_share:
            self.world.sleep(self.rng.choice((0.5, 5.0, 40.0, 100.0)))
        if self.raise_share and self.rng.random() < self.raise_share:
            self.has_failed = True
            raise RuntimeError("a strategy of the simulation raises")

    def must(self, law: str, holds: bool, text: str, *about: object) -> None:  # an assertion
        """End the simulation if ``law`` does not hold: not as an error of the strategy."""
        if not holds:
            raise Violation(f"{law}: {text.format(*about)}")

    def is_called(self, what: str) -> None:
        """I11: one that has raised is called no more."""
        self.must("I11", not self.has_failed, f"a strategy that has failed is told of {what}")


class Violation(KeyboardInterrupt):  # what strategies raise is isolated, but for this
    """A law is broken."""


assert not issubclass(Violation, SimulationError), "it must get through the engine"
