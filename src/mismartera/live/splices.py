"""Splices: subscribe and hold first, backfill second, merge by key, release (R6). A reconnect is the same for all.

While a symbol is being spliced, its live bars are held, and nothing of it is shown.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from mismartera.bars.instants import SECOND_US
from mismartera.errors import FeedRefusedError, FeedUnavailableError, KeysRefusedError, MismarteraError
from mismartera.feeds.port import Feed
from mismartera.live.answers import Answer, Denials, PastSource, fetch
from mismartera.live.checks import Checks
from mismartera.live.deadlines import Deadlines
from mismartera.live.engine_end import EngineEnd
from mismartera.live.entry import Entry, Rows
from mismartera.live.flow import Flow
from mismartera.live.ledger import DayLedger
from mismartera.live.requests import Requests
from mismartera.live.sifting import Merge, SymbolRows
from mismartera.live.timers import Timers
from mismartera.live.update import Update
from mismartera.session.state import SymbolData
from mismartera.timing import WallClock

RECENT_SESSIONS = 10
"""A symbol without any bar in so many sessions is not one that can be traded."""
_RETRY_SECONDS = (2, 5, 10, 20, 30)


class Splices:
    """Brings symbols of one session in, and back after the stream was away. The intake's thread only."""

    def __init__(
        self, ledger: DayLedger, feed: Feed, past: PastSource, flow: Flow, checks: Checks, requests: Requests,
        timers: Timers, clock: WallClock, engine: EngineEnd, *, grace_us: int, load_timeout_us: int,
    ) -> None:  # fmt: skip
        self._ledger = ledger
        self._session = ledger.processing.session
        self._feed = feed
        self._past = past
        self._flow = flow
        self._checks = checks
        self._requests = requests
        self._timers = timers
        self._clock = clock
        self._engine = engine
        self._grace_us = grace_us
        self._confirmed: set[Entry] = set()
        self._asked: set[Entry] = set()
        self._failures = 0
        self._unproven: set[Entry] = set()
        self._starting: set[Entry] = set()
        self._away: set[Entry] = set()
        self._denials = Denials(load_timeout_us)
        self._proof_us = int(ledger.windows.end[0]) + grace_us
        self.is_open = self._is_over = False
        self.prepared: dict[Entry, SymbolData] = {}
        self._deadlines = Deadlines(
            ledger, flow, timers, clock, engine, give_up=self._fail, bring_in=self._bring_in_again,
            not_before_us=self._proof_us, timeout_us=load_timeout_us, grace_us=grace_us,
        )  # fmt: skip

    @property
    def is_fetching(self) -> bool:
        """True while what was missed is being fetched, or the session has not begun with all of its symbols."""
        if not self.is_open and self._clock.now_us() >= self._ledger.windows.end[0]:
            return True  # it will begin with a backlog
        return bool(self._starting or self._away)

    def start(self, entries: Sequence[Entry]) -> None:
        """Bring these symbols in."""
        self._feed.subscribe([entry.symbol for entry in entries])
        self._deadlines.begin(entries)

    def open(self, taken: frozenset[str], waited: frozenset[str], *, is_late: bool) -> None:
        """The session has opened; the engine has taken these symbols, which were prepared, and none besides.

        It is stale until those of ``waited`` are there: at once if ``is_late``, else when its first minute ends.
        """
        self.is_open = True
        entries = [entry for symbol, entry in self._ledger.entries.items() if symbol in waited]
        if is_late:
            self._starting.update(entries)
        else:
            self._timers.at(int(self._ledger.windows.end[0]), lambda: self._wait_for(entries))
        late = {entry: self._ledger.data(entry) for entry in self.prepared if entry.symbol not in taken}
        self.prepared = {}
        if late:
            self._engine.joined(late, Update())
            self._deadlines.joined(late)
        self._ask()

    def _wait_for(self, entries: Iterable[Entry]) -> None:
        """Nothing can be said of the session while these are not there."""
        self._starting |= {e for e in entries if self._ledger.entries.get(e.symbol) is e and not e.has_joined}
        self._flow.reflect()

    def confirmed(self, symbols: Sequence[str]) -> None:
        """The vendor has confirmed them, on the present connection."""
        self._confirmed |= {e for symbol in symbols if (e := self._ledger.entries.get(symbol)) is not None}
        self._ask()

    def are_confirmed(self, entries: Iterable[Entry]) -> bool:
        """True if the vendor has confirmed all of these on the present connection."""
        return self._confirmed.issuperset(entries)

    def disconnected(self) -> None:
        """What was asked for is asked for again once data flow; symbols must be confirmed anew."""
        self._confirmed.clear()
        self._asked.clear()
        for entry in self._ledger.entries.values():
            entry.halted_us = None  # the end of a halt may be missed; that it was told, it says

    def recover(self, window: int) -> None:
        """Data flow again, the newest of ``window``: hold them where something before it is not known."""
        for entry, _ in self._ledger.unknown(0, window):
            if entry.held is None:
                entry.held = []
                self._away.add(entry)
        self._ask()

    def stop(self) -> None:
        """The session is over: nothing is asked or released any more."""
        self._is_over = True
        self._deadlines.stop()

    def give_up(self) -> None:
        """The session has ended: what is still held is taken as it is; the last comparison does the rest."""
        self._asked.clear()
        self._deadlines.stop()
        changes: dict[Entry, Rows] = {}
        for entry in self._ledger.joined():
            held, entry.held = entry.held, None
            merge = Merge(self._ledger, entry)
            merge.arrived(held or ())
            if len(rows := merge.rows()):
                changes[entry] = rows
        if changes:
            update, data = self._ledger.put(changes, as_backlog=True)
            self._engine.replaced(data)
            self._engine.grew(update)

    def heard(self, entries: Iterable[Entry]) -> None:
        """Bars of these are held, or their time is over: whether they trade at all can be known now."""
        known = self._unproven.intersection(entries)
        if known:
            self._unproven -= known
            self._ask()

    def left(self, entry: Entry) -> None:
        """The symbol is the session's no more."""
        for group in (self._confirmed, self._asked, self._unproven, self._starting, self._away):
            group.discard(entry)
        self._denials.forget(entry)
        self.prepared.pop(entry, None)

    def _ask(self) -> None:
        """Fetch what is missing of the symbols that wait; those that join are confirmed first."""
        if self._is_over:
            return
        waiting = [entry for entry in self._ledger.entries.values() if entry.held is not None]
        waiting = [entry for entry in waiting if entry.has_joined or entry in self._confirmed]
        waiting = [entry for entry in waiting if entry not in self._asked and entry not in self._unproven]
        for is_back in (True, False):
            entries = [entry for entry in waiting if entry.has_joined is is_back]
            if entries:
                self._fetch(entries, is_back=is_back)

    def _fetch(self, entries: Sequence[Entry], *, is_back: bool) -> None:
        self._asked.update(entries)
        epoch, session = self._flow.epoch, self._session
        symbols = [entry.symbol for entry in entries]
        first_us = min(map(self._ledger.unresolved_us, entries)) if is_back else session.open_us
        asked_us = min(self._clock.now_us(), self._ledger.last_us + self._grace_us)
        last_us = min(asked_us, self._ledger.last_us)

        def call() -> Answer:
            past = None if is_back else self._past
            return fetch(self._feed, past, symbols, session, (first_us, last_us), asked_us)

        def done(answer: Answer | MismarteraError) -> None:
            staying = [entry for entry in entries if entry in self._asked]
            if epoch != self._flow.epoch:  # of a connection before: asked again, or nobody ever would
                self._asked.difference_update(entries)
                self._ask()
                return
            if self._is_over:
                return
            if isinstance(answer, MismarteraError):
                self._unanswered(staying, answer)
                return
            found = self._answered(staying, answer)
            if len(found) == len(staying):
                self._failures = 0
            self._release(found, answer, first_us)

        self._requests.ask(call, done)

    def _unanswered(self, entries: Sequence[Entry], error: MismarteraError) -> None:
        """The service is down: tried again; symbols that are to join fail when their time is over."""
        if isinstance(error, KeysRefusedError):
            self._engine.feed_failed(str(error))
            return
        if not entries:
            return  # those that it was for have failed, or left, meanwhile
        seconds = float(_RETRY_SECONDS[min(self._failures, len(_RETRY_SECONDS) - 1)])
        if isinstance(error, FeedUnavailableError):
            seconds = max(seconds, error.retry_after_seconds)
        self._failures += 1
        self._engine.warn(f"the backfill of {len(entries)} symbols failed, next try in {seconds:g} s: {error}")

        def again() -> None:
            self._asked.difference_update(entries)
            self._ask()

        self._timers.at(self._clock.now_us() + round(seconds * SECOND_US), again)

    def _answered(self, entries: Sequence[Entry], answer: Answer) -> list[Entry]:
        """Those of which the vendor's store has said something; of the others, it is asked again for a while."""
        is_all = frozenset(entries).issuperset(self._ledger.joined())
        found, denied = self._denials.told_apart(entries, answer, self._clock.now_us(), is_all=is_all)
        if denied:
            self._unanswered(denied, FeedRefusedError(answer.refused[denied[0].symbol]))
        return found

    def _release(self, entries: Sequence[Entry], answer: Answer, first_us: int) -> None:
        """Merge what was fetched with what was held, and let it be shown."""
        ledger = self._ledger
        self._asked.difference_update(entries)
        reasons = {entry: reason for entry in entries if (reason := self._refusal(entry, answer)) is not None}
        for entry, reason in reasons.items():
            self.refused(entry, reason)
        entries = [e for e in entries if e not in reasons and e not in self._unproven]
        entries = [e for e in entries if ledger.entries.get(e.symbol) is e]
        joining = frozenset(entry for entry in entries if not entry.has_joined)
        changes: dict[Entry, Rows] = {}
        merges: dict[Entry, Merge] = {}
        rows_of = None if answer.result is None else SymbolRows(answer.result.block, self._session, ledger.windows)
        for entry in entries:
            merge = merges[entry] = Merge(ledger, entry)
            if rows_of is not None:
                merge.fetched(rows_of)
            merge.arrived(entry.held or ())
            entry.held = None
            self._starting.discard(entry)
            self._away.discard(entry)
            if answer.past is not None:
                entry.history = answer.past.histories.get(entry.symbol, entry.history)
            rows = merge.rows()
            if len(rows) or not entry.has_joined:
                changes[entry] = rows
        if not ledger.joined():
            self._flow.began(answer.asked_us)
        update, data = ledger.put(changes, as_backlog=True)
        self._checks.spliced(merges, answer.result, first_us, answer.asked_us)
        self._hand_over(update, data, joining)
        self._flow.reflect()

    def _hand_over(self, update: Update, data: dict[Entry, SymbolData], joining: frozenset[Entry]) -> None:
        new = {entry: found for entry, found in data.items() if entry in joining}
        self._engine.replaced({entry: found for entry, found in data.items() if entry not in joining})
        if not self.is_open:
            self.prepared |= new
            self._engine.prepared(new)
            self._engine.grew(update)
        elif new:
            self._engine.joined(new, update)
            self._deadlines.joined(new)
        else:
            self._engine.grew(update)

    def _refusal(self, entry: Entry, answer: Answer) -> str | None:
        if entry.symbol in answer.refused:
            return answer.refused[entry.symbol]
        if answer.past is None or entry.symbol not in answer.past.unknown or entry.held:
            return None
        if answer.asked_us < self._proof_us:  # it may begin to trade today: the first minute will tell
            self._unproven.add(entry)
            self._starting.discard(entry)
            self._timers.at(self._proof_us, lambda: self.heard([entry]))
            return None
        return f"{entry.symbol} has no bar in the last {RECENT_SESSIONS} sessions"

    def refused(self, entry: Entry, reason: str) -> None:
        """The vendor will never have it."""
        self._fail(entry, reason, None)

    def _fail(self, entry: Entry, reason: str, retry_us: int | None) -> None:
        self.left(entry)
        self._feed.unsubscribe([entry.symbol])
        if retry_us is None and not entry.has_joined:
            self._ledger.leave(entry)  # one that has joined is let go by the engine, once it is booked
        self._engine.failed([entry], reason, retry_us)
        self._flow.reflect()

    def _bring_in_again(self, entry: Entry) -> None:
        entry.held = []
        self.start([entry])
