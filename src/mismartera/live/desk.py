"""EngineDesk: what arrives is put on the tape, what changed is told.

The intake calls from its own thread; everything is carried out on the engine's, through its inbox, in order.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Protocol

from mismartera.bars.instants import to_iso
from mismartera.errors import RunFailedError
from mismartera.live.entry import Entry
from mismartera.live.update import Change, Update
from mismartera.live.watchdog import Watchdog
from mismartera.session.arriving import ArrivedStrip, ArrivingTape
from mismartera.session.gate import GateState
from mismartera.session.inbox import INTAKE
from mismartera.session.parts import SessionParts
from mismartera.session.ports import Field
from mismartera.session.slice_desk import SliceDesk
from mismartera.session.state import SymbolData
from mismartera.session.symbols import Member, SymbolState
from mismartera.timing import TradingSession

_NO_BARS_US = 1 << 62


class Symbols(Protocol):
    """The coordinator, as far as symbols that arrive later need it. On the engine's thread."""

    def fail(self, failed: Sequence[tuple[Member, str]]) -> None:
        """Symbols that were on their way cannot be had."""
        ...

    def announce(self, member: Member, reason: str) -> None:
        """``member`` is on its way again."""
        ...


class EngineDesk:
    """The intake's :class:`~mismartera.live.engine_end.EngineEnd`.

    ``is_settled`` and ``is_complete`` are what the intake has said of the session; ``tape`` is the session's.
    """

    def __init__(self, parts: SessionParts, symbols: Symbols, slices: SliceDesk, watchdog: Watchdog) -> None:
        self._parts = parts
        self._symbols = symbols
        self._slices = slices
        self._watchdog = watchdog
        self._prepared: list[Entry] = []
        self._versions: dict[Entry, SymbolData] = {}
        """The newest version of each symbol's data, which the engine installs when its turn comes."""
        self._refused: list[tuple[Member, str, int | None]] = []
        self._gone: dict[str, int] = {}
        self._told: list[Callable[[], None]] = []
        """What the intake has told, and not sent."""
        self._is_open = False
        self._session: TradingSession | None = None
        self.tape = ArrivingTape()
        self.is_settled = self.is_complete = False

    # On the engine's thread: the supply

    def clear(self, session: TradingSession) -> None:
        """``session`` is the next one."""
        self._session = session
        self.tape, self._gone = ArrivingTape(), {}
        self.is_settled = self.is_complete = False
        self._prepared, self._refused, self._versions = [], [], {}
        self._is_open = False

    def open(self, members: Sequence[Member]) -> tuple[list[Member], list[tuple[Member, str]]]:
        """Install what is prepared of ``members``; those, and the ones that are refused, with the reasons."""
        self._slices.clear()
        self._is_open = True
        prepared, refused = self._prepared, self._refused
        self._prepared, self._refused = [], []
        wanted = {member.symbol: member for member in members}
        failed = [(member, reason) for member, reason, _ in refused if wanted.get(member.symbol) is member]
        for member, _ in failed:
            wanted.pop(member.symbol, None)
        ready = {entry: self._versions[entry] for entry in prepared if wanted.get(entry.symbol) is entry.member}
        for entry, found in ready.items():
            found.loaded = entry.member.state is SymbolState.LOADED
        self._parts.state.put({entry.symbol: found for entry, found in ready.items()})
        for member, _, retry_us in refused:
            member.retry_us = retry_us
        return [entry.member for entry in ready], failed

    def retry(self, member: Member) -> None:
        """A symbol that failed for a while is tried again with the next session."""
        self._symbols.announce(member, "retried")

    def leave(self, member: Member) -> None:
        """Drop what is on its way of a symbol."""
        self._gone[member.symbol] = max(member.generation, self._gone.get(member.symbol, 0))
        self._versions = {entry: data for entry, data in self._versions.items() if entry.member is not member}

    # The intake tells

    def grew(self, update: Update) -> None:
        """New bars to be shown, and bars that changed."""
        if update.added:
            self._send(update, lambda: self._grow(update))
        elif update.changed:
            self._do(lambda: self._grow(update))

    def replaced(self, data: Mapping[Entry, SymbolData]) -> None:
        """New versions of symbols: read from now on."""
        if data:
            self._do(lambda: self._install(data))

    def prepared(self, data: Mapping[Entry, SymbolData]) -> None:
        """Symbols that are ready for the open."""
        self._do(lambda: self._prepare(data))

    def joined(self, data: Mapping[Entry, SymbolData], update: Update) -> None:
        """Symbols that join, with their backlog: it makes nobody stale while a callback runs."""
        self._do(lambda: self._join(data, update))

    def is_whole(self, end_us: int) -> None:
        """Nothing more is waited for of the instant ``end_us``."""
        self._do(lambda: self._slices.due.append(end_us))

    def hold(self, cause: GateState, reason: str, lag_us: int = 0) -> None:
        """See :meth:`Streamer.hold`."""
        self._do(lambda: self._parts.streamer.hold(cause, reason, lag_us))

    def lift(self, cause: GateState) -> None:
        """See :meth:`Streamer.lift`."""
        self._do(lambda: self._parts.streamer.lift(cause))

    def event(self, name: str, /, **fields: Field) -> None:
        """Publish an event."""
        self._do(lambda: self._parts.publisher.publish(name, **fields))

    def event_of(self, entry: Entry, name: str, /, **fields: Field) -> None:
        """Publish an event about a symbol, unless it was removed meanwhile: what follows is of its next stay."""

        def publish() -> None:
            if self._parts.registry.is_current(entry.member):
                self._parts.publisher.publish(name, symbol=entry.symbol, **fields)

        self._do(publish)

    def failed(self, entries: Sequence[Entry], reason: str, retry_us: int | None) -> None:
        """Symbols cannot be loaded: for good, or until they are tried again. Before the open it is told there."""
        shown = reason if retry_us is None else f"{reason}; next try at {to_iso(retry_us)}"

        def tell() -> None:
            if not self._is_open:
                self._refused += [(entry.member, shown, retry_us) for entry in entries]
                return
            for entry in entries:
                entry.member.retry_us = retry_us
            self._symbols.fail([(entry.member, shown) for entry in entries])

        self._do(tell)

    def retried(self, entries: Sequence[Entry]) -> None:
        """Symbols that failed for a while are tried again."""

        def tell() -> None:
            for member in [entry.member for entry in entries if entry.member.state is SymbolState.FAILED]:
                if self._parts.registry.advance(member, SymbolState.LOADING):
                    self.retry(member)

        self._do(tell)

    def feed_failed(self, reason: str) -> None:
        """The feed has given up for good: so does the run."""

        def end() -> None:
            self._parts.publisher.publish("feed_failed", reason=reason)
            raise RunFailedError(f"the feed has failed: {reason}")

        self._do(end)

    def settled(self) -> None:
        """Nothing more is waited for in this session."""

        def note() -> None:
            self.is_settled = True

        self._do(note)

    def completed(self) -> None:
        """All that can be known of this session is known."""

        def note() -> None:
            self.is_complete = True

        self._do(note)

    def broke(self, error: BaseException) -> None:
        """The intake has failed: a fault of ours, that ends the run."""

        def end() -> None:
            raise error

        self._parts.inbox.urge(end, INTAKE)  # at once, and from any thread

    def send(self) -> None:
        """See :meth:`EngineEnd.send`."""
        if self._told:
            told, self._told = self._told, []
            self._parts.inbox.urge_all(told, INTAKE)

    def warn(self, text: str) -> None:
        """Something that a person should know."""
        self._parts.warn(text)

    def look_after(self) -> None:
        """See :meth:`Watchdog.look`."""
        self._watchdog.look()

    # On the engine's thread: what was told

    def _grow(self, update: Update) -> None:
        for end_us, grown, batch in update.added:
            infos = batch.shared.infos_by_name
            gone = [s for s, last in self._gone.items() if s in infos and infos[s].generation <= last]
            self.tape.add(end_us, grown, batch.shared, gone)
        for change in update.changed:
            self._change(change)
        self._parts.streamer.trim()

    def _prepare(self, data: Mapping[Entry, SymbolData]) -> None:
        current = self._current(data)
        self._versions |= current
        self._prepared += current

    def _current(self, data: Mapping[Entry, SymbolData]) -> dict[Entry, SymbolData]:
        """Without symbols that were removed meanwhile, and without what is of a session before."""
        is_current, session = self._parts.registry.is_current, self._session
        return {
            entry: found
            for entry, found in data.items()
            if is_current(entry.member) and all(block.session is session for block in found.blocks.values())
        }

    def _install(self, data: Mapping[Entry, SymbolData]) -> None:
        state, registry = self._parts.state, self._parts.registry
        with registry.changed:  # a removal on another thread takes symbols out
            staying = self._current(data)
            self._versions |= staying
            installed = {entry: found for entry, found in staying.items() if entry.symbol in state.symbols}
            for entry, found in installed.items():
                found.loaded = state.symbols[entry.symbol].loaded
            state.put({entry.symbol: found for entry, found in installed.items()})

    def _join(self, data: Mapping[Entry, SymbolData], update: Update) -> None:
        registry = self._parts.registry
        with registry.changed:  # a removal on another thread takes symbols out
            staying = self._current(data)
            self._versions |= staying
            self._parts.state.put({entry.symbol: found for entry, found in staying.items()})
        self._grow(update)
        self._parts.streamer.join(None, [entry.member for entry in staying])

    def _change(self, change: Change) -> None:
        """Show the new values, if the bar waits to be shown; else tell that it was revised."""
        parts, grown, entry = self._parts, change.grown, change.entry
        if not grown.block.public or not parts.registry.is_current(entry.member):
            return
        if self.tape.replace(entry.symbol, grown, change.batch.shared):
            return
        parts.state.fill_in(grown.end_us, self.tape.head_end)
        bar = ArrivedStrip(grown, change.batch.shared).bars(0.0)[0]
        parts.publisher.publish(
            "revision", symbol=bar.symbol, interval=bar.interval, start=to_iso(bar.start_us), open=bar.open,
            high=bar.high, low=bar.low, close=bar.close, volume=bar.volume, bar_count=bar.bar_count,
        )  # fmt: skip
        parts.streamer.open_again()
        if parts.gate.active and bar.symbol not in parts.state.inactive:
            with parts.delivery.running():
                parts.analysis.revise(bar, self._is_active)

    def _is_active(self) -> bool:
        parts = self._parts
        with parts.registry.changed, parts.state.lock:  # the locks of a look
            parts.sights.look(parts.state)
            return parts.state.active

    def _send(self, update: Update, command: Callable[[], None]) -> None:
        """Let the engine take new bars; until then it is known that they wait."""
        sent = self._watchdog.sent
        sent.append(update.added[0][0] if update.added else _NO_BARS_US)

        def take() -> None:
            command()
            sent.popleft()

        self._do(take)

    def _do(self, command: Callable[[], None]) -> None:
        self._told.append(command)
