"""SymbolLifecycle: symbols come, fail and leave: what the engine does about it, and tells (R6)."""

from __future__ import annotations

from collections.abc import Sequence

from mismartera.config import SessionConfig
from mismartera.errors import RunFailedError
from mismartera.session.commands import SymbolCommands
from mismartera.session.gate import GateState
from mismartera.session.parts import SessionParts
from mismartera.session.sights import SightedMeasures
from mismartera.session.state import SymbolData
from mismartera.session.symbols import Member, SymbolState
from mismartera.timing import TimeManager, TradingSession


class SymbolLifecycle(SymbolCommands):
    """The coordinator's side of :class:`SymbolCommands` on the engine's thread.

    ``_arriving`` are members that were added and are not asked for yet, ``_early`` those that are told of at the
    open; each with the reason that is told.
    """

    def __init__(self, config: SessionConfig, parts: SessionParts) -> None:
        super().__init__(config, parts)
        self._session: TradingSession | None = None
        self._is_open = False
        self._arriving: list[tuple[Member, str]] = []
        self._early: list[tuple[Member, str]] = []
        self.time: TimeManager = parts.time
        self.publisher = parts.publisher
        self.agenda = parts.agenda

    def _arriving_now(self, member: Member, before: Member | None) -> None:
        if before is not None and before.generation < member.generation:  # something of it may be there
            self._book_out(before, self._parts.state.drop(before.symbol))
        self._arriving.append((member, "added"))
        if self._is_open:
            self._announce(member, "added")

    def _announce(self, member: Member, reason: str) -> None:
        member.announced = True
        self.publisher.publish("symbol_pending", symbol=member.symbol, reason=reason)

    def _take_arriving(self) -> list[tuple[Member, str]]:
        arriving, self._arriving = self._arriving, []
        return [(m, reason) for m, reason in arriving if self._parts.registry.advance(m, SymbolState.LOADING)]

    def announce(self, member: Member, reason: str) -> None:
        """``member`` is on its way again: told now, or at the open. On the engine's thread."""
        if self._is_open:
            self._announce(member, reason)
        else:
            self._early.append((member, reason))

    def fail(self, failed: Sequence[tuple[Member, str]]) -> None:
        """Symbols that were on their way cannot be had. On the engine's thread. RunFailedError if none is left."""
        self._fail(failed)
        is_any_left = self._parts.registry.desired() or len(self.agenda) or self._arriving
        if not is_any_left and not self.publisher.counts["symbol_loaded"]:
            raise self._all_failed()

    def _fail(self, failed: Sequence[tuple[Member, str]]) -> None:
        for member, reason in failed:
            self._give_up(member)
            if self._parts.registry.advance(member, SymbolState.FAILED, reason):
                self.publisher.publish("symbol_failed", symbol=member.symbol, reason=reason)
                self._notify("on_symbol_failed", member.symbol)

    def _give_up(self, member: Member) -> None:
        """A symbol that had data has failed for good: nothing of it is read or delivered any more.

        What came of one that is tried again is kept for then.
        """
        if member.retry_us is None and self._parts.registry.is_current(member) and self._has_data(member):
            member.is_spent = True
            data = self._parts.state.drop(member.symbol)
            self._parts.delivery.fence(member.symbol, member.generation)
            self._book_out(member, data)

    def _has_data(self, member: Member) -> bool:
        return member.state is SymbolState.LOADED or member.symbol in self._parts.state.symbols

    def _book_out(self, member: Member, data: SymbolData | None) -> None:
        parts, symbol = self._parts, member.symbol
        if self._session is not None and member.state is SymbolState.LOADED:
            measures = SightedMeasures(parts.quality, parts.sights)
            parts.tally.add(member, self._session.date, measures, self.time.now_us())
        if self._session is not None and parts.gate.state is not GateState.CLOSED:
            self._book_derived(symbol, data, self._session)
        parts.quality.forget(symbol)
        parts.supply.leave(member)
        parts.streamer.drop(symbol)

    def _book_stopped(self, member: Member, session: TradingSession) -> None:
        """What a member's part of a session came to that was stopped."""
        parts = self._parts
        parts.tally.add(member, session.date, parts.quality, self.time.now_us())
        self._book_derived(member.symbol, parts.state.symbols.get(member.symbol), session)

    def _book_derived(self, symbol: str, data: SymbolData | None, session: TradingSession) -> None:
        """Count what was shown of the derived bars of a symbol that sees no close: what ends before the next
        instant.
        """
        if data is not None:
            head_us = self._parts.streamer.tape.head_end
            shown_us = session.close_us if head_us is None else head_us - 1
            self._parts.tally.derived_unclosed[symbol] += data.derived_by(shown_us)

    def _leaving(self, member: Member, data: SymbolData | None) -> None:
        """The rest of a removal: the fence stands already."""
        symbol = member.symbol
        self._book_out(member, data)
        if member.announced:
            self.publisher.publish("symbol_removed", symbol=symbol, reason="removed")
            self._notify("on_symbol_removed", symbol)

    def _warn_of_what_was_late(self) -> None:
        additions = (f"the addition of {symbol}" for symbol in self._parts.registry.never_announced())
        for what in (*self.agenda.labels(), *additions):
            self._parts.warn(f"{what} lies after the last session of the run: it did not act")

    def _all_failed(self) -> RunFailedError:
        return RunFailedError("; ".join(f"{m.symbol} failed: {m.reason}" for m in self._unavailable()))

    def _unavailable(self) -> list[Member]:
        """Symbols that have failed, and those that have, and are being tried again."""
        return [member for member in self._parts.registry.members() if member.reason]

    def _of_session(self) -> list[Member]:
        """Symbols whose bars were the session's: those that are loaded, and those that it ended too early for."""
        registry, quality = self._parts.registry, self._parts.quality
        waiting = registry.desired()
        return [
            member for member in registry.members()
            if member.state is SymbolState.LOADED
            or (member.symbol in waiting and quality.counts(member.symbol, None) is not None)
        ]  # fmt: skip

    def _notify(self, callback: str, *args: object) -> None:
        with self._parts.delivery.running():
            self._parts.analysis.notify(callback, *args)
