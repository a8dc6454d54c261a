"""What is wanted, what the server confirmed, and the request that follows from the difference."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from msgspec import Struct

from mismartera.feeds.desired import Desired

ASKS_MAX = 3
"""A symbol that the server leaves out of so many confirmations is refused."""
_PARTIAL_LISTS_MAX = 2
"""One such list may come from a server that forgot the other symbols."""


class Request(Struct, frozen=True):
    """A change that the server is to confirm: ``action`` is "subscribe" or "unsubscribe"."""

    action: str
    symbols: tuple[str, ...]

    def message(self, channels: Iterable[str]) -> dict[str, object]:
        """The request as the server takes it."""
        return {"action": self.action, **{channel: list(self.symbols) for channel in channels}}


class SubscriptionBook:
    """The subscriptions of one connection. One request is under way at a time; the first asks for all symbols.

    A server whose limit is exceeded, or which does not know one of the symbols, refuses a request as a whole; then
    half of it is asked for, and so on, until as many symbols as possible are subscribed. A confirmation lists all
    that is subscribed; a server that lists what has just changed is understood too.
    """

    def __init__(self, desired: Desired) -> None:
        self._desired = desired
        self._confirmed: dict[str, None] = {}
        self._told: dict[str, int] = {}
        self._pending: Request | None = None
        self._asks: dict[str, int] = {}
        self._batch_max: int | None = None
        self._stuck: set[str] = set()
        self._partial_lists = 0

    @property
    def pending(self) -> Request | None:
        """The request that waits for its confirmation."""
        return self._pending

    def next_request(self) -> Request | None:
        """What to send now, which is then pending; None if nothing is to be changed, or a request is under way."""
        if self._pending is not None:
            return None
        wanted = self._desired.symbols
        extra = [symbol for symbol in self._confirmed if symbol not in wanted and symbol not in self._stuck]
        missing = [symbol for symbol in wanted if symbol not in self._confirmed]
        if extra:
            self._pending = Request("unsubscribe", tuple(extra))
        elif missing:
            self._pending = Request("subscribe", tuple(missing[: self._batch_max]))
        return self._pending

    def confirm(self, listed: Sequence[str]) -> tuple[list[str], list[str]]:
        """The server lists all that it will send. The symbols that are new among them, and those it refused."""
        request = self._pending
        self._confirmed, self._pending = self._after(dict.fromkeys(listed)), None
        new = self.renewed()
        if request is None:
            return new, []
        if request.action == "unsubscribe":  # one that it sends all the same is dropped bar by bar
            self._stuck.update(symbol for symbol in request.symbols if symbol in self._confirmed)
            return new, []
        return new, self._count_asks([symbol for symbol in request.symbols if symbol not in self._confirmed])

    def renewed(self) -> list[str]:
        """The symbols that are subscribed, and wanted since then, or again: nobody was told of them."""
        wanted, request = self._desired.symbols, self._pending
        leaving = request.symbols if request is not None and request.action == "unsubscribe" else ()
        told = {s: wanted[s] for s in self._confirmed if s in wanted and s not in leaving}
        new = [symbol for symbol, number in told.items() if self._told.get(symbol) != number]
        self._told = told
        return new

    def limit_reached(self) -> list[str]:
        """The server's limit of symbols is reached: the symbols to give up, none while halving can help."""
        request, self._pending = self._pending, None
        if request is None or request.action != "subscribe":
            return []
        if len(request.symbols) > 1:
            self._batch_max = len(request.symbols) // 2
            return []
        refused = [symbol for symbol in self._desired.symbols if symbol not in self._confirmed]
        self._desired.discard(refused)
        return refused

    def not_understood(self) -> list[str] | None:
        """The server does not take the pending request: the symbol to give up, none while halving can help.

        None if no request for symbols is under way, so that none of them can be to blame.
        """
        request = self._pending
        if request is None or request.action != "subscribe":
            return None
        self._pending = None
        if len(request.symbols) > 1:
            self._batch_max = len(request.symbols) // 2
            return []
        self._batch_max = None
        self._desired.discard(request.symbols)
        return list(request.symbols)

    def overdue(self) -> None:
        """The pending request was not answered in time: it will be made again."""
        self._pending = None

    def _after(self, listed: dict[str, None]) -> dict[str, None]:
        """What is subscribed now. Twice only what was just asked for, and nothing of before: it lists changes."""
        before, request = self._confirmed, self._pending
        asked = frozenset(request.symbols if request is not None else ())
        is_subscribe = request is not None and request.action == "subscribe"
        if is_subscribe and before and listed and asked.issuperset(listed) and not before.keys() & listed.keys():
            self._partial_lists += 1
        if self._partial_lists < _PARTIAL_LISTS_MAX or request is None:
            return listed
        return before | listed if is_subscribe else {symbol: None for symbol in before if symbol not in asked}

    def _count_asks(self, missing: list[str]) -> list[str]:
        refused = []
        for symbol in missing:
            self._asks[symbol] = self._asks.get(symbol, 0) + 1
            if self._asks[symbol] >= ASKS_MAX:
                refused.append(symbol)
                del self._asks[symbol]
        self._desired.discard(refused)
        return refused
