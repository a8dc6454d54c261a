"""HandOver: notifies of an instant while the clock runs: the lag is measured at each bar and slice (R5)."""

from __future__ import annotations

from mismartera.bars import with_lag
from mismartera.bars.instants import SECOND_US
from mismartera.session.analysis import AnalysisEngine
from mismartera.session.delivery import Delivery
from mismartera.session.gate import Gate
from mismartera.session.shown import Shown
from mismartera.session.slice_desk import SliceDesk
from mismartera.session.tape import Tape
from mismartera.session.transitions import Transitions
from mismartera.timing import TimeManager


class HandOver:
    """A slow callback can make the rest of its own instant stale; then the rest is passed over in silence.

    ``slices``, if bars arrive one by one: an instant is a slice once it is complete, see :meth:`deliver_due`.
    """

    def __init__(
        self, gate: Gate, time: TimeManager, analysis: AnalysisEngine, delivery: Delivery, tell: Transitions,
        *, by_symbol: bool,
    ) -> None:  # fmt: skip
        self._gate = gate
        self._clock = time.clock
        self._zone = time.zone
        self._analysis = analysis
        self._delivery = delivery
        self._tell = tell
        self._by_symbol = by_symbol
        self.slices: SliceDesk | None = None

    def show(self, tape: Tape, k: int, shown: Shown) -> bool:
        """Notify of instant ``k``; False if a part of it was stale by then, and was withheld."""
        end_us = tape.ends[k]
        if self._analysis.wants_bars or self._delivery.fences:
            if not self._show_bars(tape, k, shown):
                return False
        else:
            shown.add(tape.public_shown(k, k + 1))
        parts = tape.parts(k) if self._analysis.wants_slices else []
        if not parts:
            return True
        if self.slices is not None:
            self.slices.showed(end_us, parts)
            return True
        lag_us = self._clock.now_us() - end_us
        if self._gate.is_stale(lag_us):
            self._tell.withhold([bar.symbol for bar in tape.bars(k)], lag_us, by_symbol=self._by_symbol)
            return False
        self._analysis.deliver_slice(parts, end_us, self._zone, lag_us / SECOND_US)
        return True

    def _show_bars(self, tape: Tape, k: int, shown: Shown) -> bool:
        gate, end_us, now = self._gate, tape.ends[k], self._clock.now_us

        def is_fresh() -> bool:
            return not gate.is_stale(now() - end_us)

        bars, is_stale, is_fenced = tape.bars(k), gate.is_stale, self._delivery.is_fenced
        for number, bar in enumerate(bars):
            lag_us = now() - end_us
            if is_stale(lag_us):
                self._tell.withhold([bar.symbol for bar in bars[number:]], lag_us, by_symbol=self._by_symbol)
                return False
            if is_fenced(bar.symbol, bar.generation):
                continue
            self._tell.open_again()
            shown.add(1)
            self._analysis.deliver_while(with_lag(bar, lag_us / SECOND_US), is_fresh)
        return True

    def drop(self) -> None:
        """Nobody is told of what has not been delivered."""
        if self.slices is not None:
            self.slices.clear()

    def deliver_due(self, head_us: int | None) -> None:
        """Notify of the instants that are complete, and of which nothing waits to be shown."""
        due = self.slices.due if self.slices is not None else None
        while due and (head_us is None or due[0] < head_us):
            self._deliver_slice(due.popleft())

    def _deliver_slice(self, end_us: int) -> None:
        """All that is waited for of the instant was shown: notify of it as a whole, unless it is stale by now."""
        parts = [*map(self._delivery.staying, self.slices.take(end_us))] if self.slices is not None else []
        parts = [part for part in parts if len(part)]
        lag_us = self._clock.now_us() - end_us
        if parts and self._gate.active and not self._gate.is_stale(lag_us):
            self._tell.open_again()
            with self._delivery.running():
                self._analysis.deliver_slice(parts, end_us, self._zone, lag_us / SECOND_US)
