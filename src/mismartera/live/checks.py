"""Checks: every minute of every symbol ends as a bar, as confirmed without trades, or as a gap (R8).

A minute without a bar at its end + grace is asked for. What REST has is filled in; what it has not was quiet; what
it cannot tell is asked for again. Now and then, and at the end, all bars are compared with it. The intake's thread
only.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from mismartera.bars.instants import SECOND_US, to_iso
from mismartera.errors import KeysRefusedError, MismarteraError
from mismartera.feeds.port import BackfillResult, Feed
from mismartera.live.engine_end import EngineEnd
from mismartera.live.entry import Entry, Mark, Rows
from mismartera.live.ledger import DayLedger
from mismartera.live.questions import CheckSettings, Question, SecondLooks
from mismartera.live.rejections import book_rejected
from mismartera.live.requests import Requests
from mismartera.live.sifting import NOWHERE, Merge, SymbolRows
from mismartera.live.timers import Timers
from mismartera.timing import WallClock

Ints = NDArray[np.int64]
_AGAIN_US = 10 * SECOND_US
_WHOLE_DAY_BARS = 1_000_000
"""Up to so many bars the last comparison is about the whole session; beyond, about what no earlier one covered."""


class Checks:
    """The open questions of one session.

    ``can_fill``: False while the stream is away: what is missing then is its backlog, and only silence is noted.
    """

    def __init__(
        self, settings: CheckSettings, ledger: DayLedger, feed: Feed, requests: Requests, timers: Timers,
        clock: WallClock, engine: EngineEnd, can_fill: Callable[[], bool],
    ) -> None:  # fmt: skip
        self._settings = settings
        self._ledger = ledger
        self._session = ledger.processing.session
        self._feed = feed
        self._requests = requests
        self._timers = timers
        self._clock = clock
        self._engine = engine
        self._can_fill = can_fill
        self._wanted: dict[Entry, dict[int, Question]] = {}
        self._second = SecondLooks()
        self._starts = [to_iso(us) for us in ledger.windows.start.tolist()]
        self._ends = [to_iso(us) for us in ledger.windows.end.tolist()]
        self._is_asking = False
        self._reconciled_us = self._session.open_us
        self._is_over = False

    def begin(self) -> None:
        """The session has opened: compare now and then."""
        self._timers.at(self._session.open_us + self._settings.reconcile_us, self._reconcile_in_turn)

    def stop(self) -> None:
        """Ask nothing more."""
        self._is_over = True

    def want(self, unknown: Iterable[tuple[Entry, Sequence[int]]]) -> None:
        """Nothing more is waited for in these minutes, of which nothing is known: ask, if that is not being done.

        Not before their end + grace: of what is halted nothing is waited for any more before that.
        """
        due_us, ends = 0, self._ledger.windows.end
        for entry, windows in unknown:
            known = self._wanted.setdefault(entry, {})
            for window in windows:
                if window not in known:
                    known[window] = Question(0, int(ends[window]) + self._settings.grace_us)
                    due_us = max(due_us, int(ends[window]) + self._settings.grace_us)
        if due_us > self._clock.now_us():
            self._timers.at(due_us, self._ask)
        if due_us:
            self._ask()

    def forget(self, entry: Entry) -> None:
        """The symbol has left."""
        self._wanted.pop(entry, None)

    def confirm_quiet(self, entry: Entry, windows: Iterable[int]) -> list[int]:
        """There were no trades in these minutes, as far as nothing else is known; which of them is news."""
        marks = self._ledger.marks[entry.index]
        news = [window for window in windows if marks[window] == Mark.UNKNOWN]
        for window in news:
            marks[window] = Mark.QUIET
            self._engine.event_of(entry, "quiet", start=self._starts[window])
        self.drop_settled(entry)
        return news

    def resume(self, entry: Entry, reason: str) -> None:
        """A halt is over."""
        entry.halted_us, entry.is_told_halted = None, False
        self._engine.event_of(entry, "resumed", reason=reason)

    def _doubt(self, entry: Entry, windows: Iterable[int]) -> None:
        """There are bars of these, which the stream is to bring, or its backlog: what was quiet was not."""
        marks = self._ledger.marks[entry.index]
        for window in windows:
            if marks[window] == Mark.QUIET:
                marks[window] = Mark.UNKNOWN
                self._wanted.setdefault(entry, {}).setdefault(window, Question())

    def tell_backfilled(self, entry: Entry, windows: Sequence[int]) -> None:
        """Bars of these minutes came from the vendor's store."""
        first, last = self._starts[windows[0]], self._ends[windows[-1]]
        self._engine.event_of(entry, "backfilled", interval="1m", **{"from": first, "to": last}, bars=len(windows))

    def spliced(
        self, merges: Mapping[Entry, Merge], result: BackfillResult | None, first_us: int, asked_us: int
    ) -> None:
        """Each minute that was asked for has ended as a bar, or without trades, if it is long enough ago."""
        ledger = self._ledger
        for entry, merge in merges.items():
            if filled := merge.filled:
                self.tell_backfilled(entry, filled)
        if result is not None:
            doubts = book_rejected(result.rejected, merges, ledger, self._engine)
            first = int(ledger.windows.start.searchsorted(first_us))
            last = int(ledger.windows.end.searchsorted(asked_us - self._settings.grace_us, side="right"))
            for entry, windows in ledger.unknown(first, max(first, last)):
                if entry in merges:
                    self.confirm_quiet(entry, doubts.without(entry, windows))
        for entry in merges:
            self.drop_settled(entry)
        self.want([(entry, windows) for entry, windows in ledger.unknown(0, ledger.ended) if entry in merges])

    def _ask(self) -> None:
        """Ask for the minutes whose turn it is, unless an answer is on its way."""
        if self._is_asking or self._is_over:
            return
        now_us = self._clock.now_us()
        wanted = self._second.due(now_us, self._ledger.entries)
        for entry, questions in self._wanted.items():
            due = [
                w for w, question in questions.items() if question.due_us is not None and question.due_us <= now_us
            ]
            if due and entry.held is None:
                wanted[entry] = [*wanted.get(entry, ()), *due]
        if not wanted:
            return
        self._is_asking = True
        first = min(min(windows) for windows in wanted.values())
        last = max(max(windows) for windows in wanted.values())
        span = self._ledger.windows

        def answered(result: BackfillResult | MismarteraError, asked_us: int) -> None:
            self._is_asking = False
            if self._is_over:
                return
            if isinstance(result, KeysRefusedError):
                self._engine.feed_failed(str(result))
                return
            if isinstance(result, MismarteraError):
                self._again(wanted)
                return
            self._settle(result, list(wanted), int(span.start[first]), asked_us, only=wanted)
            marks = self._ledger.marks
            self._again({e: [w for w in ws if marks[e.index, w] == Mark.UNKNOWN] for e, ws in wanted.items()})
            self._ask()

        self._fetch(list(wanted), int(span.start[first]), int(span.end[last]), answered)

    def _again(self, wanted: dict[Entry, list[int]]) -> None:
        """Nobody could tell: later, unless it was asked often enough. What is left of a halt was quiet."""
        again_us = self._clock.now_us() + self._settings.retry_us
        is_left = False
        for entry, windows in wanted.items():
            questions = self._wanted.get(entry, {})
            for question in [questions[window] for window in windows if window in questions]:
                question.attempts += 1
                is_spent = question.attempts > self._settings.max_retries
                question.due_us = None if is_spent else again_us  # spent: a gap, unless a comparison finds it
                is_left = is_left or not is_spent
            spent = [window for window, question in questions.items() if question.due_us is None]
            self.confirm_quiet(entry, [w for w in spent if entry.is_halted(self._ledger.windows.start[w])])
            self.drop_settled(entry)
        if is_left:
            self._timers.at(again_us, self._ask)

    def _reconcile_in_turn(self) -> None:
        if self._is_over:
            return
        again_us = _AGAIN_US
        if self._can_fill():  # what is missing while the stream is away is its backlog, and no difference
            self.reconcile(lambda: None, is_last=False)
            again_us = self._settings.reconcile_us
        self._timers.at(self._clock.now_us() + again_us, self._reconcile_in_turn)

    def reconcile(self, then: Callable[[], None], *, is_last: bool) -> None:
        """Compare the session's bars with the vendor's store; ``then`` is called when that is done, or failed."""
        entries = [entry for entry in self._ledger.joined() if entry.held is None or is_last]
        until_us = min(self._clock.now_us(), self._ledger.last_us)
        size = len(entries) * len(self._ledger.windows)
        first_us = self._session.open_us if is_last and size <= _WHOLE_DAY_BARS else self._reconciled_us
        if self._is_over or not entries or first_us >= until_us:
            then()
            return

        def answered(result: BackfillResult | MismarteraError, asked_us: int) -> None:
            if self._is_over:
                return
            asked_us = min(asked_us, self._ledger.last_us + self._settings.grace_us)
            if isinstance(result, KeysRefusedError):
                self._engine.feed_failed(str(result))
            if isinstance(result, MismarteraError):
                self._engine.warn(f"the comparison with the vendor's store failed: {result}")
                if is_last:  # until somebody ends it
                    self._timers.at(self._clock.now_us() + _AGAIN_US, lambda: self.reconcile(then, is_last=True))
                    return
            else:
                span = self._ledger.windows
                due = int(span.end.searchsorted(asked_us - self._settings.grace_us, side="right"))
                self._reconciled_us = int(span.start[due]) if due < len(span) else self._session.close_us
                self._settle(result, entries, first_us, asked_us, only=None)
            then()

        self._fetch(entries, first_us, until_us, answered)

    def _fetch(
        self, entries: Sequence[Entry], first_us: int, last_us: int,
        answered: Callable[[BackfillResult | MismarteraError, int], None],
    ) -> None:  # fmt: skip
        symbols = [entry.symbol for entry in entries]
        asked_us = self._clock.now_us()
        self._requests.ask(
            lambda: self._feed.backfill(symbols, "1m", first_us, last_us),
            lambda result: answered(result, asked_us),
        )

    def _settle(
        self, result: BackfillResult, entries: Sequence[Entry], first_us: int, asked_us: int,
        *, only: dict[Entry, list[int]] | None,
    ) -> None:  # fmt: skip
        """Fill in what was missing, correct what differs, and confirm that the rest was quiet.

        ``only``: minutes that were asked for; None: all that had ended + grace when the request was made.
        """
        ledger = self._ledger
        changes: dict[Entry, Rows] = {}
        silent: dict[Entry, list[int]] = {}
        newest = len(ledger.windows) if only is None or self._can_fill() else NOWHERE
        if only is not None and ledger.heard > ledger.on_time:  # the stream is behind: it will bring the rest
            newest = min(newest, ledger.heard)
        first = int(ledger.windows.start.searchsorted(first_us))
        due = int(ledger.windows.end.searchsorted(asked_us - self._settings.grace_us, side="right"))
        entries = [e for e in entries if ledger.entries.get(e.symbol) is e and e.has_joined and e.held is None]
        entries = [e for e in entries if e.symbol not in result.refused]
        rows_of = SymbolRows(result.block, self._session, ledger.windows)
        doubts = book_rejected(result.rejected, entries, ledger, self._engine)
        for entry in entries:
            if (found := rows_of(entry.symbol)) is None:
                continue
            windows, prices = found
            if len(windows) and windows[-1] >= due:
                windows = windows[windows < due]
            if len(windows) and entry.is_halted(int(ledger.windows.start[windows[-1]])):
                self.resume(entry, "it trades")
            if len(missed := windows[windows <= newest]):
                merge = Merge(ledger, entry)
                merge.backfilled(missed, prices[:, : len(missed)], counts_duplicates=False)
                if len(rows := merge.rows()):
                    changes[entry] = rows
                if merge.filled:
                    self.tell_backfilled(entry, merge.filled)
            self._doubt(entry, windows[windows > newest].tolist())
            filled = frozenset(windows.tolist())
            asked = only[entry] if only is not None else range(first, due)
            quiet = [w for w in asked if w not in filled and w < due]
            if news := self.confirm_quiet(entry, doubts.without(entry, quiet)):
                silent[entry] = news
        if silent and only is not None:
            self._timers.at(self._second.put(silent, self._clock.now_us()), self._ask)
        if changes:
            update, data = ledger.put(changes, as_backlog=False)
            self._engine.replaced(data)
            self._engine.grew(update)
        for entry in entries:
            self.drop_settled(entry)

    def drop_settled(self, entry: Entry) -> None:
        """Ask no more for minutes of which something is known by now."""
        wanted = self._wanted.get(entry)
        if wanted is None:
            return
        marks = self._ledger.marks[entry.index]
        left = {window: question for window, question in wanted.items() if marks[window] == Mark.UNKNOWN}
        if left:
            self._wanted[entry] = left
        else:
            del self._wanted[entry]
