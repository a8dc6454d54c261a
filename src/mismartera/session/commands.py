"""SymbolCommands: what a run's symbols are asked and told, from any thread (R6)."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Collection

from mismartera.bars import check_symbol
from mismartera.config import SessionConfig
from mismartera.errors import UsageError
from mismartera.session.parts import SessionParts
from mismartera.session.quality import Quality
from mismartera.session.reader import Streams, parse_streams
from mismartera.session.state import SymbolData
from mismartera.session.symbols import Member, Standing, Stay, SymbolState


class SymbolCommands(ABC):
    """The coordinator's side that other threads use. Additions and removals act at once; the engine follows."""

    def __init__(self, config: SessionConfig, parts: SessionParts) -> None:
        self._base_config = config
        self._parts = parts
        self._streams: Streams = parse_streams(config.session_data_config.streams)
        self.session_data = parts.session_data

    def add_symbol(self, symbol: str, streams: Collection[str] | None = None) -> bool:
        """Ask for ``symbol``, with its own ``streams`` or the session's; returns at once.

        True if accepted: it is pending, will be loaded between two instants and stays for the following
        sessions. False if it is in the session or on its way. ValueError for a bad name or interval, UsageError
        after the run's end.
        """
        check_symbol(symbol)
        own = None if streams is None else parse_streams(streams)
        with self._parts.registry.changed:
            self._parts.inbox.check_room()
            before = self._parts.registry.get(symbol)
            member = self._parts.registry.add(symbol, own)
            if member is None:
                return False
            self._parts.state.own_streams[symbol] = own or ()
            labels = None if own is None else tuple(interval.label for interval in own)
            self._parts.commands.accept("add", symbol, labels, lambda: self._arriving_now(member, before))
            return True

    def remove_symbol(self, symbol: str) -> bool:
        """Drop ``symbol`` at once; False if it is not in the session.

        After the return no notification of it starts and no read returns its data. From another thread it waits
        for a callback that is running; if that takes longer than ``command_timeout_seconds``, it raises
        TimeoutError, with the symbol removed all the same. UsageError after the run's end.
        """
        parts = self._parts
        with parts.registry.changed:
            parts.inbox.check_room()
            member = parts.registry.remove(symbol)
            if member is None:
                return False
            data = parts.state.drop(symbol)
            parts.commands.accept("remove", symbol, None, lambda: self._leaving(member, data))
            fence = parts.delivery.fence(symbol, member.generation)
        timeout = self._base_config.session_data_config.streaming.command_timeout_seconds
        try:
            parts.delivery.await_fence(symbol, fence, timeout)
            if parts.desks is not None and not parts.desks.fence(timeout):
                raise TimeoutError(
                    f"{symbol} is removed, but a callback has been running for more than {timeout} s"
                )
        finally:
            parts.inbox.look_again()  # the engine may have carried out the command before the fence stood
        return True

    def act(self, label: str, entry: Callable[[], object]) -> None:
        """An ``entry`` of the schedule acts."""
        entry()
        self._parts.commands.acted(label)

    def tell(self, command: Callable[[], None]) -> None:
        """Carry ``command`` out at once on the engine's thread, and from another one in its turn there."""
        if self._parts.delivery.on_engine_thread():
            command()
        else:
            self._parts.inbox.urge(command)

    def generation_of(self, symbol: str) -> int:
        """The generation of the last stay of ``symbol`` so far; 0 if there was none."""
        return self._parts.registry.generation_of(symbol)

    def get_loaded_symbols(self) -> frozenset[str]:
        """Symbols that are loaded."""
        return frozenset(self.loaded_in_order())

    def get_pending_symbols(self) -> frozenset[str]:
        """Symbols on their way: pending or loading, until the very step in which they are loaded."""
        return frozenset(self._parts.registry.symbols(SymbolState.PENDING, SymbolState.LOADING))

    def get_failed_symbols(self) -> dict[str, str]:
        """Symbols that could not be loaded, each with its reason."""
        return {member.symbol: member.reason for member in self._parts.registry.members(SymbolState.FAILED)}

    def get_streamed_data(self) -> dict[str, list[str]]:
        """Per loaded symbol the requested intervals that come from the store as they are."""
        return self._parts.state.labels(self.loaded_in_order(), derived=False)

    def get_generated_data(self) -> dict[str, list[str]]:
        """Per loaded symbol the requested intervals that are derived."""
        return self._parts.state.labels(self.loaded_in_order(), derived=True)

    def wait_loaded(self, symbol: str, timeout: float | None = None) -> bool:
        """True once ``symbol`` is loaded; False if it failed, was removed, or is not there.

        TimeoutError after ``timeout`` seconds; UsageError on the engine's own thread, which would wait for itself.
        """
        if self._parts.delivery.on_engine_thread():
            raise UsageError("wait_loaded on the engine's own thread would wait for itself: use on_symbol_loaded")
        return self._parts.registry.wait_loaded(symbol, timeout)

    def get_quality(self, symbol: str) -> Quality | None:
        """Expected and present base bars of the session so far; None if gated or not loaded."""
        intervals = self._streams_of(symbol)
        if intervals is None or self.session_data.get_bars(symbol, intervals[0].label) is None:
            return None
        return self._parts.quality.quality(symbol, self._parts.state.visible_us(symbol))

    def get_counts(self, symbol: str) -> dict[str, int] | None:
        """R1's counts of ``symbol`` in the present session; None if it is not there."""
        return self._parts.quality.counts(symbol, None)

    def get_counts_so_far(self, symbol: str) -> dict[str, int] | None:
        """The same up to the clock, where the session's bars are known ahead."""
        return self._parts.quality.counts(symbol, self._parts.state.visible_us(symbol))

    def busy_strategies(self) -> list[str]:
        """The strategies whose callbacks run at this moment, as far as the engine takes note (not at speed 0)."""
        analysis, desks = self._parts.analysis, self._parts.desks
        calling = analysis.calling
        name = analysis.name_of(calling) if calling is not None else None
        return [*([name] if name else []), *(desk.name for desk in (desks.desks if desks else ()) if desk.is_busy)]

    def loaded_in_order(self) -> tuple[str, ...]:
        """The loaded symbols in rank order."""
        return self._parts.registry.symbols(SymbolState.LOADED)

    def standings(self) -> list[Standing]:
        """How all symbols stand that are in the session, on their way, or failed; in rank order."""
        return [self._standing(member) for member in self._parts.registry.members()]

    def standing(self, symbol: str) -> Standing | None:
        """How ``symbol`` stands; None if the session does not have it."""
        member = self._parts.registry.get(symbol)
        return None if member is None else self._standing(member)

    def follow(self, symbol: str) -> Stay | None:
        """The present stay of ``symbol``, to be asked later what became of it; None if there is none."""
        member = self._parts.registry.get(symbol)
        return None if member is None else Stay(member, self._parts.registry)

    @property
    def next_instant_us(self) -> int | None:
        """The end of the next instant that waits to be shown; None if none is known. Exact in a pause only."""
        try:
            return self._parts.streamer.tape.head_end
        except IndexError:  # the tape was being changed
            return None

    @property
    def config(self) -> SessionConfig:
        """The configuration with the symbols as they are now."""
        return self._base_config.with_symbols(self._parts.registry.desired())

    def _own_streams(self, symbol: str, labels: Collection[str]) -> Streams:
        own = parse_streams(labels)
        self._parts.state.own_streams[symbol] = own
        return own

    def _streams_of(self, symbol: str) -> Streams | None:
        member = self._parts.registry.get(symbol)
        return None if member is None else member.streams or self._streams

    def _standing(self, member: Member) -> Standing:
        intervals = tuple(interval.label for interval in member.streams or self._streams)
        return Standing(member.symbol, member.state, member.reason, member.generation, member.rank, intervals)

    @abstractmethod
    def _arriving_now(self, member: Member, before: Member | None) -> None:
        """On the engine's thread: ``member`` was added; ``before`` is the stay of its name that had failed."""

    @abstractmethod
    def _leaving(self, member: Member, data: SymbolData | None) -> None:
        """On the engine's thread: ``member`` was removed, which had ``data``."""
