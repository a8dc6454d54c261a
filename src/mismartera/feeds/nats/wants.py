"""Wants: the union of what sessions want of a bridge, each by a lease that it must renew.

A session that dies renews nothing, and its symbols go away; those that another one wants stay.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from typing import Final

from msgspec import Struct

from mismartera.feeds.nats.wire import Want

LEASES_MAX: Final = 1_000


class _Lease(Struct):
    instance: str
    revision: int
    symbols: frozenset[str]
    until: float


class Verdict(Struct, frozen=True):
    """What becomes of a request: the symbols that are new for the bridge, or why there is no lease.

    ``is_known`` False: there was no lease before, or not with this revision of its symbols.
    """

    new: tuple[str, ...] = ()
    is_known: bool = True
    refusal: str | None = None


class Wants:
    """``own``: symbols that are always wanted. Times are seconds of one monotonic clock.

    A symbol that nobody wants any more lingers for ``linger_seconds``, so that one who comes back, or comes next,
    finds it subscribed.
    """

    def __init__(self, own: Sequence[str], lease_seconds: float, linger_seconds: float) -> None:
        self._lease_seconds = lease_seconds
        self._linger_seconds = linger_seconds
        self._own = dict.fromkeys(own)
        self._leases: dict[str, _Lease] = {}
        self._counts = Counter[str](self._own.keys())
        self._idle: dict[str, float] = {}

    @property
    def symbols(self) -> frozenset[str]:
        """What is to be subscribed now, lingering symbols included."""
        return frozenset(self._counts) | frozenset(self._idle)

    @property
    def count(self) -> int:
        """How many :attr:`symbols` there are. From any thread."""
        return len(self._counts) + len(self._idle)

    @property
    def sessions(self) -> int:
        """How many leases there are. From any thread."""
        return len(self._leases)

    def take(self, want: Want, now: float) -> Verdict:
        """Give, renew or end a lease."""
        lease = self._leases.get(want.name)
        is_theirs = lease is not None and lease.instance != want.instance
        if lease is not None and is_theirs and now < lease.until and not want.leaving:
            seconds = f"{lease.until - now:.0f} s"
            return Verdict(refusal=f"the name {want.name} is another session's, at least for {seconds}")
        if want.leaving:
            if not is_theirs:
                self._end(want.name, now)
            return Verdict()
        if is_theirs:
            self._end(want.name, now)
            lease = None
        return self._renew(want, lease, now) if want.symbols is None else self._give(want, lease, now)

    def _renew(self, want: Want, lease: _Lease | None, now: float) -> Verdict:
        if lease is None or lease.revision != want.revision:
            return Verdict(is_known=False)
        lease.until = now + self._lease_seconds
        return Verdict()

    def _give(self, want: Want, lease: _Lease | None, now: float) -> Verdict:
        if lease is None and len(self._leases) >= LEASES_MAX:
            return Verdict(refusal=f"it has {LEASES_MAX} sessions, and takes no more")
        before = frozenset[str]() if lease is None else lease.symbols
        after = frozenset(want.symbols or ())
        self._leases[want.name] = _Lease(want.instance, want.revision, after, now + self._lease_seconds)
        new = self._gain(symbol for symbol in dict.fromkeys(want.symbols or ()) if symbol not in before)
        self._lose(sorted(before - after), now)
        return Verdict(new, is_known=lease is not None)

    def tick(self, now: float) -> tuple[str, ...]:
        """Leases whose time is over end. The symbols that are to be unsubscribed, sorted."""
        for name in [name for name, lease in self._leases.items() if now >= lease.until]:
            self._end(name, now)
        over = sorted(symbol for symbol, since in self._idle.items() if now >= since + self._linger_seconds)
        for symbol in over:
            del self._idle[symbol]
        return tuple(over)

    def renew_all(self, now: float) -> None:
        """Nobody could reach the bridge: all leases begin anew."""
        for lease in self._leases.values():
            lease.until = max(lease.until, now + self._lease_seconds)

    def drop(self, symbol: str) -> None:
        """The vendor refuses ``symbol``: nobody wants it any more, until somebody asks again."""
        self._counts.pop(symbol, None)
        self._idle.pop(symbol, None)
        self._own.pop(symbol, None)
        for lease in self._leases.values():
            lease.symbols -= {symbol}

    def _gain(self, symbols: Iterable[str]) -> tuple[str, ...]:
        new = []
        for symbol in symbols:
            if symbol not in self._counts and self._idle.pop(symbol, None) is None:
                new.append(symbol)
            self._counts[symbol] += 1
        return tuple(new)

    def _lose(self, symbols: Iterable[str], now: float) -> None:
        for symbol in symbols:
            self._counts[symbol] -= 1
            if self._counts[symbol] <= 0:
                del self._counts[symbol]
                self._idle[symbol] = now

    def _end(self, name: str, now: float) -> None:
        lease = self._leases.pop(name, None)
        if lease is not None:
            self._lose(sorted(lease.symbols), now)
