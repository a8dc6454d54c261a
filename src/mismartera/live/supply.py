"""LiveSupply: the engine's side of a live session: what arrives is put on the tape, what changed is told.

The intake calls from its own thread; everything is carried out on the engine's, through its inbox, in order.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping, Sequence
from typing import Protocol

from mismartera.bars.instants import to_iso
from mismartera.errors import RunFailedError
from mismartera.live.entry import Entry
from mismartera.live.intake import Intake
from mismartera.live.ledger import Change, Update
from mismartera.session.arriving import ArrivedStrip, ArrivingTape
from mismartera.session.gate import GateState
from mismartera.session.loading import Loading
from mismartera.session.parts import SessionParts
from mismartera.session.ports import Field
from mismartera.session.state import SymbolData
from mismartera.session.symbols import Member, SymbolState
from mismartera.session.tape import Tape
from mismartera.timing import TradingSession


class Driver(Protocol):
    """What lets the intake work: a thread, or a simulation."""

    def wake(self) -> None:
        """There is work for it."""
        ...

    def start(self, intake: Intake, on_error: Callable[[BaseException], None]) -> None:
        """Let it work from now on; ``on_error`` is told of a fault of ours."""
        ...

    def stop(self) -> None:
        """Let it end: afterwards nothing calls any more."""
        ...


class LiveSupply:
    """The :class:`~mismartera.session.supply.Supply` of a feed, and the intake's :class:`EngineEnd`."""

    def __init__(self, driver: Driver) -> None:
        self.driver = driver
        self._parts: SessionParts | None = None
        self._intake: Intake | None = None
        self._fail: Callable[[Sequence[tuple[Member, str]]], None] = lambda _: None
        self._announce: Callable[[Member, str], None] = lambda *_: None
        self._lock = threading.Lock()
        self._prepared: list[Entry] = []
        self._versions: dict[Entry, SymbolData] = {}
        """The newest version of each symbol's data, which the engine installs when its turn comes."""
        self._refused: list[tuple[Member, str, int | None]] = []
        self._tape = ArrivingTape()
        self._gone: dict[str, int] = {}
        self._is_open = self._asked_to_settle = self._asked_to_complete = False
        self._is_settled = self._is_complete = self._has_begun = False

    def bind(
        self, parts: SessionParts, intake: Intake, fail: Callable[[Sequence[tuple[Member, str]]], None],
        announce: Callable[[Member, str], None],
    ) -> None:  # fmt: skip
        """Know the other parts: they know this one, too."""
        self._parts, self._intake, self._fail, self._announce = parts, intake, fail, announce

    # Supply: the engine asks

    def expect(self, session: TradingSession) -> None:
        """Let the intake prepare the next session's symbols; those that failed for a while are tried again."""
        registry = self._engine.registry
        members = registry.members(SymbolState.LOADING, SymbolState.LOADED)
        for member in registry.members(SymbolState.FAILED):
            if member.retry_us is not None and registry.advance(member, SymbolState.LOADING):
                members.append(member)
        self._tape, self._gone = ArrivingTape(), {}
        self._is_open = self._asked_to_settle = self._asked_to_complete = False
        self._is_settled = self._is_complete = False
        with self._lock:
            self._prepared, self._refused, self._versions = [], [], {}
        if not self._has_begun:
            self._has_begun = True
            self._engine.streamer.hold(GateState.STALE, "stale")  # the intake will say when the feed is good
        self.driver.start(self._in, self.broke)
        self._in.do(lambda: self._in.expect(session, members))

    def begin(self, members: Sequence[Member], session: TradingSession, *, is_late: bool) -> tuple[Tape, Loading]:
        """The symbols that are prepared are there at the open; the others join."""
        del session, is_late  # the intake knows
        state = self._engine.state
        with self._lock:
            self._is_open = True
            prepared, self._prepared = self._prepared, []
            refused, self._refused = self._refused, []
            versions = dict(self._versions)
        wanted = {member.symbol: member for member in members}
        ready = {entry: versions[entry] for entry in prepared if wanted.get(entry.symbol) is entry.member}
        for entry, found in ready.items():
            found.loaded = entry.member.state is SymbolState.LOADED
        state.put({entry.symbol: found for entry, found in ready.items()})
        taken = frozenset(entry.symbol for entry in ready)
        failed = [(member, reason) for member, reason, _ in refused if wanted.get(member.symbol) is member]
        for member, _, retry_us in refused:
            member.retry_us = retry_us
        self._in.do(lambda: self._in.open(taken))
        refused_ones = [member for member, _ in failed]
        new = [member for member in members if member not in refused_ones]
        self._in.do(lambda: self._in.add(new))  # those that nobody had told it of
        slices = self._engine.streamer.handover.slices
        assert slices is not None, "a live session waits for its slices"
        slices.clear()
        return self._tape, Loading(None, tuple(entry.member for entry in ready), tuple(failed))

    def join(self, members: Sequence[Member], session: TradingSession) -> Loading:  # noqa: ARG002  # see Supply
        """Let the intake bring them in."""
        self._in.do(lambda: self._in.add(members))
        return Loading(None, (), ())

    def leave(self, member: Member) -> None:
        """Let the intake forget it; what is on its way here is dropped."""
        self._gone[member.symbol] = max(member.generation, self._gone.get(member.symbol, 0))
        self._in.do(lambda: self._in.remove(member))

    def is_settled(self, until_us: int) -> bool:
        """True once the intake has said so; it is asked at the first call."""
        if not self._asked_to_settle:
            self._asked_to_settle = True
            self._in.do(lambda: self._in.finish(until_us))
        return self._is_settled

    def is_complete(self) -> bool:
        """The same for the comparison at the end."""
        if not self._asked_to_complete:
            self._asked_to_complete = True
            self._in.do(self._in.complete)
        return self._is_complete

    def end(self) -> None:
        """The run is over: the feed is left, and what was accepted is kept."""
        self.driver.stop()

    # EngineEnd: the intake tells

    def grew(self, update: Update) -> None:
        """New bars to be shown, and bars that changed."""
        if update.added or update.changed:
            self._do(lambda: self._grow(update))

    def replaced(self, data: Mapping[Entry, SymbolData]) -> None:
        """New versions of symbols: read from now on."""
        if not data:
            return
        state, registry = self._engine.state, self._engine.registry
        with registry.changed:
            staying = {entry: found for entry, found in data.items() if registry.is_current(entry.member)}
            with self._lock:
                self._versions |= staying
            installed = {entry: found for entry, found in staying.items() if entry.symbol in state.symbols}
            for entry, found in installed.items():
                found.loaded = state.symbols[entry.symbol].loaded
            state.put({entry.symbol: found for entry, found in installed.items()})

    def prepared(self, data: Mapping[Entry, SymbolData]) -> None:
        """Symbols that are ready for the open."""
        with self._lock:
            self._versions |= data
            self._prepared += data

    def joined(self, data: Mapping[Entry, SymbolData], update: Update) -> None:
        """Symbols that join, with their backlog."""
        with self._lock:
            self._versions |= data
        entries = tuple(data)
        self._do(lambda: self._join(entries, update))

    def is_whole(self, end_us: int) -> None:
        """Nothing more is waited for of the instant ``end_us``."""
        slices = self._engine.streamer.handover.slices
        assert slices is not None, "a live session waits for its slices"
        self._do(lambda: slices.due.append(end_us))

    def hold(self, cause: GateState, reason: str) -> None:
        """See :meth:`Streamer.hold`."""
        self._do(lambda: self._engine.streamer.hold(cause, reason))

    def lift(self, cause: GateState) -> None:
        """See :meth:`Streamer.lift`."""
        self._do(lambda: self._engine.streamer.lift(cause))

    def event(self, name: str, /, **fields: Field) -> None:
        """Publish an event."""
        self._do(lambda: self._engine.publisher.publish(name, **fields))

    def failed(self, entries: Sequence[Entry], reason: str, retry_us: int | None) -> None:
        """Symbols cannot be loaded: for good, or until they are tried again. Before the open it is told there."""
        shown = reason if retry_us is None else f"{reason}; next try at {to_iso(retry_us)}"
        with self._lock:
            if not self._is_open:
                self._refused += [(entry.member, shown, retry_us) for entry in entries]
                return

        def tell() -> None:
            for entry in entries:
                entry.member.retry_us = retry_us
            self._fail([(entry.member, shown) for entry in entries])

        self._do(tell)

    def retried(self, entries: Sequence[Entry]) -> None:
        """Symbols that failed for a while are tried again."""

        def tell() -> None:
            for entry in entries:
                if self._engine.registry.advance(entry.member, SymbolState.LOADING):
                    self._announce(entry.member, "retried")

        self._do(tell)

    def feed_failed(self, reason: str) -> None:
        """The feed has given up for good: so does the run."""

        def end() -> None:
            self._engine.publisher.publish("feed_failed", reason=reason)
            raise RunFailedError(f"the feed has failed: {reason}")

        self._do(end)

    def settled(self) -> None:
        """Nothing more is waited for in this session."""

        def note() -> None:
            self._is_settled = True

        self._do(note)

    def completed(self) -> None:
        """All that can be known of this session is known."""

        def note() -> None:
            self._is_complete = True

        self._do(note)

    def broke(self, error: BaseException) -> None:
        """The intake has failed: a fault of ours, that ends the run."""

        def end() -> None:
            raise error

        self._do(end)

    def warn(self, text: str) -> None:
        """Something that a person should know."""
        self._engine.warn(text)

    # On the engine's thread

    def _grow(self, update: Update) -> None:
        for end_us, grown, batch in update.added:
            self._tape.add(end_us, grown, batch.shared)
            for symbol in self._gone.keys() & batch.shared.infos_by_name.keys():
                if batch.shared.infos_by_name[symbol].generation <= self._gone[symbol]:
                    self._tape.remove(symbol)
        for change in update.changed:
            self._change(change)
        self._engine.streamer.trim()

    def _join(self, entries: Sequence[Entry], update: Update) -> None:
        registry, state = self._engine.registry, self._engine.state
        with registry.changed:
            with self._lock:
                staying = {e: self._versions[e] for e in entries if registry.is_current(e.member)}
            state.put({entry.symbol: found for entry, found in staying.items()})
        self._grow(update)
        self._engine.streamer.join(None, [entry.member for entry in staying])

    def _change(self, change: Change) -> None:
        """Show the new values, if the bar waits to be shown; else tell that it was revised."""
        parts, grown, entry = self._engine, change.grown, change.entry
        if not grown.block.public or not parts.registry.is_current(entry.member):
            return
        if self._tape.replace(entry.symbol, grown, change.batch.shared):
            return
        bar = ArrivedStrip(grown, change.batch.shared).bars(0.0)[0]
        parts.publisher.publish(
            "revision", symbol=bar.symbol, interval=bar.interval, start=to_iso(bar.start_us), open=bar.open,
            high=bar.high, low=bar.low, close=bar.close, volume=bar.volume, bar_count=bar.bar_count,
        )  # fmt: skip
        if parts.gate.active and bar.symbol not in parts.state.inactive:
            with parts.delivery.running():
                parts.analysis.revise(bar)

    def _do(self, command: Callable[[], None]) -> None:
        self._engine.inbox.urge(command)

    @property
    def _engine(self) -> SessionParts:
        assert self._parts is not None, "bound at its making"
        return self._parts

    @property
    def _in(self) -> Intake:
        assert self._intake is not None, "bound at its making"
        return self._intake
