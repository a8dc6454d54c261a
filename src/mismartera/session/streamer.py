"""Streamer: shows the tape instant by instant, and keeps what is stale from the strategies (R4, R5).

One mechanism for every case: the head of the tape is late or it is not. Late by more than the threshold: the
session is deactivated, the stale instants are passed over in silence (their bars become visible to internal
readers), and at the first one that is fresh, or when none is due, it is activated again. A symbol that joins, a
pause and a slow strategy differ only in how the tape got its late head.
"""

from __future__ import annotations

from collections.abc import Sequence

from mismartera.bars.instants import SECOND_US
from mismartera.session.analysis import AnalysisEngine
from mismartera.session.arriving import TRIM_FROM, ArrivingTape
from mismartera.session.causes import Causes
from mismartera.session.delivery import CallbackError, Delivery
from mismartera.session.gate import Gate, GateState
from mismartera.session.handover import HandOver
from mismartera.session.inbox import Inbox
from mismartera.session.lane import Lane
from mismartera.session.publisher import Publisher
from mismartera.session.shown import Shown
from mismartera.session.state import SessionState
from mismartera.session.stride import Stride
from mismartera.session.symbols import Member, SymbolRegistry, in_rank_order
from mismartera.session.tape import Tape
from mismartera.session.transitions import Transitions
from mismartera.timing import SteppedClock, TimeManager

_WAKING_SECONDS = 0.02  # for whoever takes the feed to be awake, too


class Streamer:
    """Moves the clock along the tape of one session and notifies. Runs on the engine's thread only."""

    def __init__(
        self, gate: Gate, state: SessionState, analysis: AnalysisEngine, delivery: Delivery, publisher: Publisher,
        registry: SymbolRegistry, inbox: Inbox, time: TimeManager, *, scope: str,
    ) -> None:  # fmt: skip
        self._gate = gate
        self._state = state
        self._analysis = analysis
        self._delivery = delivery
        self._publisher = publisher
        self._tell = Transitions(gate, state, analysis, publisher, registry)
        self._causes = Causes(gate, self._tell)
        self.handover = HandOver(gate, time, analysis, delivery, self._tell, by_symbol=scope == "symbol")
        self._registry = registry
        self._inbox = inbox
        self._clock = time.clock
        self._zone = time.zone
        self._is_stepped = isinstance(time.clock, SteppedClock)
        self._by_symbol = scope == "symbol"
        self._joining: list[Member] = []
        self._stride: Stride | None = None
        if isinstance(time.clock, SteppedClock):
            self._stride = Stride(time.clock, state, delivery, inbox)
        self.shown = Shown(gate, by_instant=self._is_stepped)
        self.tape = Tape()

    def begin(self, tape: Tape) -> None:
        """A session opens with the bars of ``tape``: nothing of it has been shown."""
        self.shown.book()
        self.tape = tape
        self.shown.begin(self.tape)
        self._joining = []

    def hold(self, cause: GateState, reason: str, lag_us: int = 0) -> None:
        """See :meth:`Causes.hold`."""
        self._causes.hold(cause, reason, lag_us)

    def lift(self, cause: GateState) -> None:
        """The cause is gone; without any the session catches up and is active."""
        if self._causes.lift(cause):
            self.look()

    def open_again(self) -> None:
        """See :meth:`Transitions.open_again`."""
        self._tell.open_again()

    def loaded(self, member: Member) -> None:
        """See :meth:`Transitions.loaded`."""
        self._tell.loaded(member)

    def join(self, lane: Lane | None, members: Sequence[Member]) -> None:
        """Put the bars of symbols that join on the tape; the symbols are loaded once they are caught up."""
        self.shown.book()
        if lane is not None:
            self.tape.append(lane)
        self.shown.begin(self.tape)
        self._joining += members
        for member in members:
            self._state.behind_us[member.symbol] = 0
        self.look()

    def drop(self, symbol: str) -> None:
        """Take a symbol that was removed, or has failed, off the tape."""
        self._joining = [member for member in self._joining if member.symbol != symbol]
        self.shown.book()
        self.tape.remove(symbol)
        self.shown.begin(self.tape)

    def reach(self, at_us: int) -> bool:
        """Bring the clock to ``at_us``; False if something wants attention before it is there."""
        while (seconds := self._clock.wall_seconds_until(at_us)) > 0:
            if self._wait(seconds):
                return False
        late_us = self._clock.now_us() - at_us
        if late_us < 0:
            self._clock.advance_to(at_us)
        return late_us <= self._gate.threshold_us or not self.hear()

    def hear(self) -> bool:
        """True if something wants attention: live, after a sleep of the machine, that the data are stale."""
        return self._clock.is_live and self._wait(_WAKING_SECONDS)

    def _wait(self, seconds: float | None) -> bool:
        with self._delivery.resting():
            return self._inbox.wait(seconds)

    def trim(self) -> None:
        """Forget what was shown of a tape that grows."""
        if isinstance(self.tape, ArrivingTape) and self.tape.position >= TRIM_FROM:
            self.shown.book()
            self.tape.trim()
            self.shown.begin(self.tape)

    def rest(self) -> None:
        """Nothing is left to do before something wants attention."""
        self._wait(None)

    def show_until(self, limit_us: int) -> None:
        """Show the instants that end by ``limit_us``, or until something wants attention.

        The first one is shown in any case: whatever came before it was attended to just now.
        """
        tape, clock, inbox, causes = self.tape, self._clock, self._inbox, self._causes
        ends, threshold_us, may_stride = tape.ends, self._gate.threshold_us, not self._analysis.wants_slices
        if causes.hide:
            self.look()
            return
        self._deliver_due()
        with self._delivery.running():
            while tape.position < len(ends) and not causes.hide:
                end_us = ends[tape.position]
                if end_us > limit_us:
                    return
                if self._is_stepped:
                    now_us = clock.now_us()
                    if end_us >= now_us:
                        if may_stride and self._has_strode(limit_us):
                            if inbox.attention:
                                return
                            continue
                        clock.advance_to(end_us)
                        now_us = end_us
                elif not 0 <= (now_us := clock.now_us()) - end_us <= threshold_us:
                    if not self.reach(end_us):
                        return
                    now_us = clock.now_us()
                if now_us - end_us > threshold_us:
                    self.look()
                else:
                    self._show(end_us, now_us - end_us)
                self._deliver_due()
                if inbox.attention:
                    return

    def _deliver_due(self) -> None:
        if self.handover.slices is not None:
            self.handover.deliver_due(self.tape.head_end)

    def _has_strode(self, limit_us: int) -> bool:
        """Show what ends by ``limit_us`` to the only listener; False if it is not as simple as that.

        Nobody wants slices.
        """
        tape, analysis = self.tape, self._analysis
        callback = analysis.sole_listener
        if self._stride is None or callback is None or self._state.behind_us or self._delivery.has_fences:
            return False
        if (feed := tape.sole_feed()) is None:
            return False
        try:
            self.shown.add(-self._stride.walk(tape, feed, callback, tape.due(limit_us)))
        except CallbackError as raised:
            try:
                analysis.failed(raised)
            except BaseException:  # a callback ended the run
                self.shown.add(-analysis.bars_not_begun)
                raise
            self.shown.add(-raised.dropped)
        return True

    def look(self) -> None:
        """Evaluate the lag at once: pass over what is stale, and activate when nothing stale is due any more."""
        with self._delivery.running():
            now_us = self._clock.now_us()
            while (head_us := self.tape.head_end) is not None and self._gate.is_stale(now_us - head_us):
                position = self.tape.position
                self._pass_stale(now_us)
                assert self.tape.position > position, "what is stale is passed over"
                now_us = self._clock.now_us()
            self._caught_up(now_us)

    def _show(self, end_us: int, lag_us: int) -> None:
        tape, state, analysis = self.tape, self._state, self._analysis
        k = tape.position
        if state.behind_us:
            self._state.pin(end_us)
        state.watermark_us = max(state.watermark_us, end_us)
        tape.position = k + 1
        if self._is_stepped:
            lag_seconds = lag_us / SECOND_US
            if analysis.wants_bars:
                try:
                    self.shown.add(-analysis.deliver_bars(tape.bars(k, lag_seconds)))
                except BaseException:  # a callback ended the run
                    self.shown.add(-analysis.bars_not_begun)
                    raise
            if analysis.wants_slices:
                analysis.deliver_slice(tape.parts(k), end_us, self._zone, lag_seconds)
        elif not self.handover.show(tape, k, self.shown):
            self.look()
        if state.behind_us:
            self._unpin()

    def _pass_stale(self, now_us: int) -> None:
        """Deactivate, and let all bars go by whose lag is above the threshold."""
        tape, fresh_us = self.tape, now_us - self._gate.threshold_us
        if self._by_symbol:
            for symbol, end_us in tape.oldest_by_symbol(tape.position, tape.due(fresh_us - 1)).items():
                self._tell.withhold([symbol], now_us - end_us, by_symbol=True)
        elif self._gate.active:
            head = tape.head(tape.position)
            self._tell.deactivate("lag", now_us - head.end_us, head.symbol)
        self._pass_over(fresh_us - 1)

    def _pass_over(self, last_us: int) -> None:
        """Let all bars go by that end by ``last_us``, which is past: only internal readers see them."""
        self.shown.book()
        self.tape.skip_before(last_us + 1)
        self.shown.begin(self.tape)
        self._state.pin(last_us)
        self._state.watermark_us = max(self._state.watermark_us, last_us)

    def _caught_up(self, now_us: int) -> None:
        """Nothing stale is due: activate what was deactivated, and let those that join be loaded."""
        head_us = self.tape.head_end
        due = head_us is not None and head_us <= now_us
        if self._causes.keep_from_loading:
            return
        if self._causes.allow(now_us) and not self._inbox.stopping:
            head = self.tape.head(self.tape.position) if due else None
            self._tell.activate("caught_up", now_us - head.end_us if head else 0, head.symbol if head else None)
        oldest = self.tape.oldest_by_symbol(self.tape.position, self.tape.due(now_us)) if self._by_symbol else {}
        joining, self._joining = {member.symbol: member for member in self._joining}, []
        waiting = [m for m in self._registry.members() if m.symbol in joining or m.symbol in self._state.inactive]
        for member in in_rank_order(waiting):
            symbol = member.symbol
            if symbol in self._state.inactive:
                self._state.release(symbol)
                lag_us = now_us - oldest.get(symbol, now_us)
                self._tell.symbol("symbol_activated", "caught_up", lag_us, symbol, member.generation)
            if joining.get(symbol) is member:
                self._tell.loaded(member)
        if self._state.behind_us:
            self._unpin()

    def open(self, end_us: int, *, is_late: bool) -> None:
        """The session is open until ``end_us``, and everything that it starts with is loaded.

        A start after the open begins deactivated, with what has ended since as its backlog.
        """
        self._gate.open(end_us)
        now_us = self._clock.now_us()
        if is_late:
            head = self.tape.head(self.tape.position) if self.tape.due(now_us) else None
            self._tell.deactivate("backlog", now_us - head.end_us if head else 0, head.symbol if head else None)
            self.look()
        else:
            self._causes.open()

    def close(self, reason: str, end_us: int | None = None) -> None:
        """The session has ended, at ``end_us`` if not in its middle: no more notifications, and reads go on."""
        if self._gate.active:
            self._tell.deactivate(reason, 0, None, GateState.CLOSED)
        elif self._gate.state is not GateState.CLOSED:  # in the middle of a catch-up
            self._pass_over(end_us or 0)  # what waits, and nobody is told of
            self.handover.drop()
            self._tell.cause(GateState.CLOSED, reason)

    def _unpin(self) -> None:
        """Once the backlog is shown, nobody is behind. In a pause all of it is visible, and not yet delivered."""
        if self._state.paused_us is not None:
            return
        head_us = self.tape.head_end
        if head_us is None or head_us > self._state.watermark_us:
            self._state.behind_us = {}
