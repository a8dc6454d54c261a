"""SymbolRegistry: which symbols the session has, in which state (R6). Safe to use from any thread."""

from __future__ import annotations

import threading
from collections.abc import Mapping, Sequence
from enum import StrEnum

from msgspec import Struct

from mismartera.errors import UsageError
from mismartera.session.reader import Streams


class SymbolState(StrEnum):
    """A symbol is in exactly one of these; one that the registry does not hold is absent."""

    PENDING = "pending"
    LOADING = "loading"
    LOADED = "loaded"
    FAILED = "failed"


class Member(Struct):
    """A symbol's stay in the run. A removed and added symbol is a new member of the next generation, ranking
    last. ``announced``: it was published as pending; of one that was not, no removal is told either. ``is_told``:
    it was published as loaded. ``is_spent``: its generation was fenced, and is not given again. ``retry_us``: it
    has failed for a while, and is tried again then: it stays desired. ``reason``: why it has failed; of one that
    is tried again, why it had, until it is loaded.
    """

    symbol: str
    generation: int
    rank: int
    streams: Streams | None
    state: SymbolState = SymbolState.PENDING
    reason: str = ""
    announced: bool = False
    is_told: bool = False
    is_spent: bool = False
    retry_us: int | None = None


class Standing(Struct, frozen=True):
    """How a symbol stands, at the moment of asking. ``intervals``: what was requested for it."""

    symbol: str
    state: SymbolState
    reason: str
    generation: int
    rank: int
    intervals: tuple[str, ...]


class Stay:
    """One stay of a symbol in the run, followed from any thread, whatever becomes of its name afterwards."""

    def __init__(self, member: Member, registry: SymbolRegistry) -> None:
        self._member = member
        self._registry = registry

    @property
    def state(self) -> SymbolState | None:
        """The stay's state; None once the symbol was removed."""
        state = self._member.state
        return state if state is SymbolState.FAILED or self._registry.is_current(self._member) else None

    @property
    def reason(self) -> str:
        """Why it failed, or had failed before it was tried again; "" if it has not."""
        return self._member.reason


class SymbolRegistry:
    """The members of the session. The add or removal counts from the moment at which this registry takes it."""

    def __init__(self) -> None:
        self.changed = threading.Condition(threading.RLock())
        self._members: dict[str, Member] = {}
        self._generations: dict[str, int] = {}
        self._ranks = 0
        self._ended = False

    def begin(self, generations: Mapping[str, int]) -> None:
        """How many stays symbols had in the session that this one goes on with."""
        self._generations = dict(generations)

    def add(self, symbol: str, streams: Streams | None = None) -> Member | None:
        """A new pending member; None if the symbol is in the session or on its way."""
        with self.changed:
            self._check_running()
            present = self._members.get(symbol)
            if present is not None and present.state is not SymbolState.FAILED:
                return None
            generation = self._generations.get(symbol, 0) + 1
            self._generations[symbol] = generation
            member = Member(symbol, generation, self._ranks, streams)
            self._ranks += 1
            self._members.pop(symbol, None)
            self._members[symbol] = member
            return member

    def remove(self, symbol: str) -> Member | None:
        """Take a member out; None if the symbol is not in the session (a failed one is not)."""
        with self.changed:
            self._check_running()
            member = self._members.get(symbol)
            if member is None or not _is_desired(member):
                return None
            del self._members[symbol]
            self.changed.notify_all()
            return member

    def is_current(self, member: Member) -> bool:
        """False once ``member`` was removed (or removed and added again)."""
        return self._members.get(member.symbol) is member

    def advance(self, member: Member, state: SymbolState, reason: str = "") -> bool:
        """Move ``member`` on; False if it was removed meanwhile."""
        with self.changed:
            if not self.is_current(member):
                return False
            member.state = state
            member.reason = reason or (member.reason if state is SymbolState.LOADING else "")
            if state is not SymbolState.FAILED:
                member.retry_us = None
            # a failed stay does not count as one
            is_new = not (member.is_told or member.is_spent)
            failed = state is SymbolState.FAILED and member.retry_us is None and is_new
            self._generations[member.symbol] = member.generation - failed
            self.changed.notify_all()
            return True

    def members(self, *states: SymbolState) -> list[Member]:
        """The members in one of ``states`` (all states if none is named), in rank order."""
        with self.changed:
            return [m for m in self._members.values() if not states or m.state in states]

    def generation_of(self, symbol: str) -> int:
        """The generation of the last stay of ``symbol`` so far; 0 if there was none."""
        return self._generations.get(symbol, 0)

    def get(self, symbol: str) -> Member | None:
        """The member of this name, failed ones included."""
        return self._members.get(symbol)

    def symbols(self, *states: SymbolState) -> tuple[str, ...]:
        """The names of :meth:`members`."""
        return tuple(member.symbol for member in self.members(*states))

    def never_announced(self) -> tuple[str, ...]:
        """Symbols that were asked for, and that no session has begun to load."""
        return tuple(member.symbol for member in self.members(SymbolState.PENDING) if not member.announced)

    def desired(self) -> tuple[str, ...]:
        """The symbols that the session has or is about to have, in rank order."""
        return tuple(member.symbol for member in self.members() if _is_desired(member))

    def wait_loaded(self, symbol: str, timeout: float | None) -> bool:
        """True once ``symbol`` is loaded; False if it failed or is not there; TimeoutError after ``timeout`` s."""

        def settled() -> bool:
            member = self._members.get(symbol)
            return self._ended or member is None or member.state in {SymbolState.LOADED, SymbolState.FAILED}

        with self.changed:
            if not self.changed.wait_for(settled, timeout):
                raise TimeoutError(f"{symbol} is not loaded after {timeout} s")
            member = self._members.get(symbol)
            return member is not None and member.state is SymbolState.LOADED

    def end(self) -> None:
        """The run is over: waiting threads go on, further changes raise."""
        with self.changed:
            self._ended = True
            self.changed.notify_all()

    def _check_running(self) -> None:
        if self._ended:
            raise UsageError("the run has ended: symbols can no longer be added or removed")


def _is_desired(member: Member) -> bool:
    return member.state is not SymbolState.FAILED or member.retry_us is not None


def in_rank_order(members: Sequence[Member]) -> list[Member]:
    """``members`` sorted by rank."""
    return sorted(members, key=lambda member: member.rank)
