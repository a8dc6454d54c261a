"""SessionCoordinator: the heart. It decides when; the modules that it holds decide how.

Per session: clear, load, open, stream, close. While streaming: commands from outside, then the instants up to
the next entry of the agenda (or the close), then that entry, and so on. See docs/TOUR.md.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator, Sequence

from mismartera.bars.instants import MINUTE_US
from mismartera.config import SessionConfig
from mismartera.errors import MismarteraError
from mismartera.session.beginning import FROM_NOTHING, Beginning
from mismartera.session.gate import GateState
from mismartera.session.lifecycle import SymbolLifecycle
from mismartera.session.parts import SessionParts
from mismartera.session.symbols import Member, SymbolState, in_rank_order
from mismartera.session.tally import Progress
from mismartera.timing import PacedClock, TradingSession

NEVER_US = 1 << 62
_PASSES_MAX = 1000
_CONFIGURED = "configured"


class SessionCoordinator(SymbolLifecycle):
    """Runs the sessions of a configuration and owns which symbols they have.

    ``run`` is the engine: one thread, synchronous. ``add_symbol``, ``remove_symbol`` and the getters may be
    called from any thread, from a strategy's callback too.
    """

    def __init__(
        self, config: SessionConfig, parts: SessionParts, dates: Sequence[dt.date], until_us: int | None = None,
        beginning: Beginning = FROM_NOTHING,
    ) -> None:  # fmt: skip
        super().__init__(config, parts)
        self.dates = tuple(dates)
        self._until_us = NEVER_US if until_us is None else until_us
        self._is_started = False
        self.inbox = parts.inbox
        self.tally = parts.tally
        parts.registry.begin(beginning.generations)
        for symbol in config.session_data_config.symbols:
            own = beginning.streams.get(symbol)
            member = parts.registry.add(symbol, None if own is None else self._own_streams(symbol, own))
            assert member is not None, "the configuration refuses repeated symbols"
            self._arriving.append((member, _CONFIGURED))

    @property
    def lag_evaluations(self) -> int:
        """Regular evaluations of the lag so far: one per ``catchup_check_interval`` base bars while active."""
        return self._parts.streamer.shown.lag_evaluations

    @property
    def gate_state(self) -> GateState:
        """Why the session is active or not."""
        return self._parts.gate.state

    @property
    def date(self) -> dt.date | None:
        """The date of the current session, or of the last one; None before the first."""
        return self._session.date if self._session else None

    def progress(self) -> Progress:
        """How far the run is."""
        tally, tape = self.tally, self._parts.streamer.tape
        streamed, derived = tally.bars_streamed, tally.derived_bars
        if self._is_open:
            streamed, derived = streamed + tape.base_shown, derived + tape.derived_shown
        delivered = self._parts.streamer.shown.bars_delivered
        return Progress(tally.sessions, len(self.dates), self.time.now_us(), streamed, delivered, derived)

    # The run: on the engine's thread

    def run(self) -> None:
        """All sessions, one after the other. Raises RunFailedError if it cannot go on."""
        parts = self._parts
        parts.delivery.bind_thread()
        if parts.desks is not None:
            parts.desks.start()
        try:
            if all(map(self._run_session, self._sessions())):
                self._warn_of_what_was_late()
                if self._unavailable() and not self.publisher.counts["symbol_loaded"]:
                    raise self._all_failed()
        finally:
            try:
                if self._is_open:
                    self._close("stopped")
                if self._is_started:
                    self._notify("on_stop")
            finally:
                try:
                    parts.supply.end()
                    self._end_desks()
                finally:
                    parts.registry.end()
                    parts.inbox.end()
                    parts.delivery.unbind_thread()

    def _end_desks(self) -> None:
        if self._parts.desks is not None:
            seconds = self._base_config.session_data_config.streaming.command_timeout_seconds
            self._parts.desks.end(seconds, self._parts.warn, self._take_commands)

    def _sessions(self) -> Iterator[TradingSession]:
        for session in map(self.time.get_trading_session, self.dates):
            if session.open_us >= self._until_us:
                return
            yield session

    def _run_session(self, session: TradingSession) -> bool:
        """One session, or its part until the run's end; False if the run was stopped."""
        self._open(session)
        end_us = min(session.close_us, self._until_us)
        while True:
            self._attend()
            if self._parts.inbox.stopping:
                return False
            due_us = self.agenda.next_us
            target_us = end_us if due_us is None else min(due_us, end_us)
            self._parts.streamer.show_until(target_us)
            if self._parts.inbox.attention or not self._parts.streamer.reach(target_us):
                continue
            if self._act() or self._parts.inbox.attention:
                continue
            assert target_us == end_us, "an entry whose time has come acts"
            if self._parts.supply.is_settled(end_us):
                self._close("close", end_us)
                return True
            self._parts.streamer.rest()

    def _open(self, session: TradingSession) -> None:
        """Load what the session starts with, and open it."""
        parts = self._parts
        first, self._session, clock = self._session is None, session, self.time.clock
        late_us = session.open_us + (0 if first else MINUTE_US - 1)  # no bar of one that follows has ended by then
        is_late = clock.now_us() > late_us and not isinstance(clock, PacedClock)  # that always is a little
        if not self._reach_open(session):
            return
        self.time.clock.pause()  # what is done before the first bar takes no time
        parts.clear(session.open_us)
        parts.tally.sessions += 1
        self._take_commands()
        arriving, self._early = [*self._early, *self._take_arriving()], []
        wanted = parts.registry.members(SymbolState.LOADING, SymbolState.LOADED)
        tape, loading = parts.supply.begin(wanted, session, is_late=is_late)
        parts.streamer.begin(tape)
        if first:
            self._is_started = True
            self._notify("on_start")
        self._is_open = True
        self.publisher.publish("session_opened", date=session.date.isoformat())
        self._notify("on_session_open")
        for member, reason in arriving:
            if parts.registry.is_current(member):
                self._announce(member, reason)
        reasons = {member.symbol: reason for member, reason in loading.failed}
        for member in in_rank_order([*loading.members, *(member for member, _ in loading.failed)]):
            if member.symbol in reasons:
                self._fail([(member, reasons[member.symbol])])
            elif member.state is not SymbolState.LOADED:
                parts.streamer.loaded(member)
        is_any_left = parts.registry.desired() or len(self.agenda) or parts.inbox.attention
        if first and loading.failed and not is_any_left:
            raise self._all_failed()
        self.time.clock.resume()
        parts.streamer.open(min(session.close_us, self._until_us), is_late=is_late)

    def _reach_open(self, session: TradingSession) -> bool:
        """Put the clock at the open, unless it is past it: in a backtest the night takes no time."""
        clock = self.time.clock
        at_us = max(session.open_us, clock.now_us())
        if self._parts.tally.sessions == 0:
            clock.start_at(at_us)
        else:
            clock.advance_to(at_us)
        self._parts.supply.expect(session)
        while not self._parts.streamer.reach(at_us):
            self._attend()
            if self._parts.inbox.stopping:
                break
        return not self._parts.inbox.stopping

    def _close(self, reason: str, end_us: int | None = None) -> None:
        """End the session: at its close ``end_us``, or where the run was stopped."""
        parts, session = self._parts, self._session
        assert session is not None, "only an open session can be closed"
        whole_day = reason == "close"
        if whole_day:
            self._notify("on_session_close")
        self._is_open = False
        self._take_commands()
        parts.streamer.close(reason, end_us)
        if end_us is not None:
            self._complete(end_us)
        members = self._of_session()
        if whole_day:
            parts.tally.add_day(members, session.date, parts.quality)
        else:
            for member in members:
                self._book_stopped(member, session)
        tape = parts.streamer.tape
        parts.tally.add_session(tape.base_shown, tape.derived_shown)
        if whole_day:
            for member in members if parts.publisher.wants_gaps else ():
                parts.publisher.publish_gaps(parts.quality.gaps(member.symbol))
            self.publisher.publish("session_closed", date=session.date.isoformat())
            self._record(session.date, self.loaded_in_order())

    def _complete(self, end_us: int) -> None:
        """Wait until all is known of the session: what was never shown is readable, too."""
        parts = self._parts
        while not parts.supply.is_complete() and not parts.inbox.stopping:
            parts.inbox.hold() if parts.inbox.must_hold() else parts.streamer.rest()
            self._take_commands()
        parts.state.reveal(end_us)

    def record_present(self) -> None:
        """Count what a session that was left in its middle has shown, and give the recorders what it holds."""
        parts, session = self._parts, self._session
        if parts.gate.state is GateState.CLOSED or session is None:
            return
        for member in self._of_session():
            parts.tally.add(member, session.date, parts.quality, self.time.now_us())
        parts.tally.add_session(parts.streamer.tape.base_shown, parts.streamer.tape.derived_shown)
        self._record(session.date, self.loaded_in_order())

    def _record(self, day: dt.date, symbols: Sequence[str]) -> None:
        intervals = {symbol: [i.label for i in self._streams_of(symbol) or ()] for symbol in symbols}
        for recorder in self._parts.recorders:
            recorder.record(day, symbols, intervals, self.session_data)

    # Between two instants

    def _attend(self) -> None:
        """Carry out what came through the inbox; hold while paused, with commands and loading going on."""
        parts = self._parts
        self._settle_commands()
        if not parts.inbox.must_hold():
            return
        parts.time.clock.pause()
        if parts.time.clock.is_live:  # it cannot stand still: what is read is gated, too
            parts.streamer.hold(GateState.PAUSED, "paused")
        while parts.inbox.must_hold():
            parts.state.paused_us = self.time.now_us()
            parts.inbox.hold()
            self._settle_commands()
        parts.state.paused_us = None
        parts.time.clock.resume()
        if parts.streamer.hear():
            self._settle_commands()
        parts.streamer.lift(GateState.PAUSED)
        if self._is_open:
            parts.streamer.look()

    def _settle_commands(self) -> None:
        """Commands in their order, then the symbols that they brought, as one batch; and so on until none is left.

        A flood of them does not keep the clock from going on: the rest is attended to after the next instant.
        """
        for _ in range(_PASSES_MAX):
            self._take_commands()
            if not self._arriving or self._parts.inbox.stopping:
                return
            arriving = self._take_arriving()
            if not self._is_open:
                self._early += arriving
            self._join([member for member, _ in arriving])
        self._parts.inbox.look_again()

    def _take_commands(self) -> None:
        for _ in range(_PASSES_MAX):
            fences = self._parts.delivery.fences  # the command of each of them was accepted before it was raised
            commands = self._parts.inbox.take_all()
            for command in commands:
                command()
            self._parts.delivery.purged(fences - self._parts.commands.removals_waiting)
            if not commands or not self._parts.inbox.attention:  # nothing has come meanwhile
                return

    def _act(self) -> bool:
        """The entries whose time has come; those that come last only when nothing else is left to do."""
        now_us = self.time.now_us()
        acted = False
        for _ in range(_PASSES_MAX):
            inbox = self._parts.inbox
            if inbox.stopping or inbox.pausing or (entry := self.agenda.pop_due(now_us)) is None:
                break
            acted = True
            with self._parts.delivery.running():
                entry.action()
            self._take_commands()
        if not acted and not self._parts.inbox.attention and (entry := self.agenda.pop_due(now_us, last=True)):
            acted = True
            entry.action()
        return acted

    def strategy_failed(self, name: str, error: str) -> None:
        """A strategy has raised; the analysis engine calls it no more."""
        self.tally.strategy_errors.append((name, error))
        self.publisher.publish("strategy_error", strategy=name, error=error)

    # Symbols: on the engine's thread

    def _join(self, members: Sequence[Member]) -> None:
        """Symbols join in mid-session: load them as one batch and let the streamer catch up on them."""
        assert self._session is not None, "symbols join a session"
        try:
            loading = self._parts.supply.join(members, self._session)
        except MismarteraError as error:
            self._fail([(member, str(error)) for member in members])
            return
        self._fail(loading.failed)
        if self._is_open:
            self._parts.streamer.join(loading.lane, loading.members)
