"""The reference model: what a backtest at speed 0 must say, told bar by bar (the oracle of the property tests).

It follows the rules of docs/DESIGN.md in the plainest way: one list of bars yet to come, walked in the order
(end, rank, interval length); nothing is vectorised, cached or shared with the engine. It knows no strategies, and
so no command but the ``schedule``.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from mismartera.bars.instants import SECOND_US, to_iso
from mismartera.bars.interval import parse_interval
from mismartera.config import SessionConfig
from mismartera.testing.reference_bars import Day, RefBar, Store, make_day
from mismartera.testing.reference_symbol import Item, RefSymbol
from mismartera.timing import TimeManager

__all__ = ["RefBar", "ReferenceResult", "reference_run"]

_COUNTS = ("received", "accepted", "duplicate", "revised", "late", "out_of_hours", "rejected")


@dataclass
class ReferenceResult:
    """What a run must leave behind.

    ``events``: the lines of ``--events`` without ``seq``. ``dumps``: by (ISO date, symbol, interval) the rows
    of the ``--dump`` file, ``timestamp`` in UTC microseconds, an indicator None until warm. ``counts``,
    ``quality`` and ``lag_evaluations`` as in the summary. ``failed``: some symbols are failed at the end
    and none was ever loaded; the run stopped where none could come any more.
    """

    events: list[dict[str, Any]] = field(default_factory=list)
    dumps: dict[tuple[str, str, str], list[dict[str, Any]]] = field(default_factory=dict)
    counts: dict[str, dict[str, int]] = field(default_factory=dict)
    quality: dict[str, dict[str, dict[str, dict[str, float | None]]]] = field(default_factory=dict)
    lag_evaluations: int = 0
    failed: bool = False


def reference_run(config: SessionConfig, bars: Store, time_manager: TimeManager) -> ReferenceResult:
    """The result of a backtest of ``config`` at speed 0 over the stored ``bars``, without strategies."""
    run = _Run(config, bars, time_manager)
    run.whole_run()
    return run.result


class _Entry(NamedTuple):
    at_us: int
    add: str | None
    remove: str | None
    streams: Sequence[str] | None


class _Run:
    def __init__(self, config: SessionConfig, store: Store, time_manager: TimeManager) -> None:
        self.result = ReferenceResult()
        self.config = config
        self.settings = config.session_data_config
        self.streaming = self.settings.streaming
        self.store = store
        self.time_manager = time_manager
        self.symbols: list[RefSymbol] = []  # in rank order, pending or loaded
        self.generations: dict[str, int] = {}
        self.failed: set[str] = set()
        self.ranks_given = 0
        entries = [
            _Entry(time_manager.parse_time(entry.at.isoformat()), entry.add, entry.remove, entry.streams)
            for entry in config.schedule
        ]
        self.entries = sorted(entries, key=lambda entry: entry.at_us)  # stable: those of one time in their order
        self.day: Day
        self.now_us = 0
        self.coming: deque[Item] = deque()  # in the order of R4
        self.base_bars_shown = 0

    def whole_run(self) -> None:
        period = self.config.backtest_config
        assert period is not None and self.config.mode == "backtest", "the reference model knows backtests only"
        for number, on in enumerate(self.time_manager.trading_dates(period.start_date, period.end_date)):
            self.day = make_day(self.config, self.time_manager, on)
            self.open_session(is_first=number == 0)
            if self.result.failed:
                return
            self.stream_session()
            self.close_session()
        was_loaded = any(event["event"] == "symbol_loaded" for event in self.result.events)
        self.result.failed = bool(self.failed) and not was_loaded

    # The three parts of a session.

    def open_session(self, *, is_first: bool) -> None:
        self.now_us, self.base_bars_shown = self.day.open_us, 0
        self.event("session_opened", date=self.day.date.isoformat())
        if is_first:
            for name in self.settings.symbols:
                self.start_symbol(name, None, "configured")
            for symbol in list(self.symbols):
                if self.load(symbol):
                    self.event("symbol_loaded", symbol=symbol.name, reason="caught_up")
            if self.settings.symbols and not self.symbols and not self.entries:
                self.result.failed = True
                return
        else:
            for symbol in self.symbols:
                symbol.read(self.config, self.store, self.day)
        self.coming = deque(sorted(item for symbol in self.symbols for item in symbol.items()))
        self.event("session_activated", reason="open", lag_seconds=0.0, symbol=None)

    def stream_session(self) -> None:
        """Step from time to time, of bars and of entries; at one time the bars come first."""
        while True:
            times = [self.coming[0].end_us] if self.coming else []
            times += [entry.at_us for entry in self.entries[:1] if entry.at_us <= self.day.close_us]
            if not times:
                return
            self.now_us = max(min(times), self.now_us)  # an entry from before the open acts at the open
            instant = []
            while self.coming and self.coming[0].end_us <= self.now_us:
                instant.append(self.coming.popleft())
            self.show(instant)
            due = [entry for entry in self.entries if entry.at_us <= self.now_us]
            self.entries = self.entries[len(due) :]
            if due:
                self.act(due)

    def close_session(self) -> None:
        self.now_us = self.day.close_us
        day = self.day.date.isoformat()
        self.event("session_deactivated", reason="close", lag_seconds=0.0, symbol=None)
        for symbol in self.symbols:
            self.settle(symbol, left_early=False)
            for interval, rows in symbol.dump(self.config, self.store, self.time_manager, self.day):
                self.result.dumps[day, symbol.name, interval] = rows
            if self.settings.gap_filler.enable_session_quality:
                self.tell_gaps(symbol)
        self.event("session_closed", date=day)

    def tell_gaps(self, symbol: RefSymbol) -> None:
        base = symbol.loaded_base().label
        for from_us, to_us, missing in symbol.gaps(self.day):
            place = {"from": to_iso(from_us), "to": to_iso(to_us)}
            self.event("gap", symbol=symbol.name, interval=base, missing=missing, **place)

    def show(self, instant: Sequence[Item]) -> None:
        """Show the bars of one end to all; the lag is evaluated at every N-th base bar of the session."""
        every = self.streaming.catchup_check_interval
        first = self.base_bars_shown
        self.base_bars_shown += len([item for item in instant if item.is_base])
        if any(position % every == 0 for position in range(first, self.base_bars_shown)):
            self.result.lag_evaluations += 1
        for item in instant:
            if item.label is not None:
                bar = item.bar
                self.event(
                    "bar", symbol=item.symbol.name, interval=item.label, start=to_iso(bar.start_us),
                    end=to_iso(bar.end_us), open=bar.open, high=bar.high, low=bar.low, close=bar.close,
                    volume=bar.volume, bar_count=bar.bar_count, lag_seconds=self.lag_seconds(item),
                    generation=item.symbol.generation,
                )  # fmt: skip

    # Commands.

    def act(self, entries: Sequence[_Entry]) -> None:
        """Apply the entries of one time in their order, then load all that is pending as one merged backlog."""
        for entry in entries:
            if entry.add is not None:
                self.start_symbol(entry.add, entry.streams, "added")
            if entry.remove is not None:
                self.remove(entry.remove)
        self.join([symbol for symbol in list(self.symbols) if not symbol.is_loaded and self.load(symbol)])

    def start_symbol(self, name: str, streams: Sequence[str] | None, reason: str) -> None:
        if any(symbol.name == name for symbol in self.symbols):
            return
        self.failed.discard(name)
        self.generations[name] = self.generations.get(name, 0) + 1
        intervals = [parse_interval(label) for label in streams or self.settings.streams]
        self.symbols.append(RefSymbol(name, self.ranks_given, self.generations[name], intervals))
        self.ranks_given += 1
        self.event("symbol_pending", symbol=name, reason=reason)

    def load(self, symbol: RefSymbol) -> bool:
        """Read a pending symbol's session; one that nothing can be derived for fails and leaves."""
        symbol.is_loaded = symbol.read(self.config, self.store, self.day)
        if symbol.is_loaded:
            self.result.counts[symbol.name] = dict.fromkeys(_COUNTS, 0)
        else:
            self.symbols.remove(symbol)
            self.failed.add(symbol.name)
            self.generations[symbol.name] -= 1  # a stay that failed does not count as one
            reason = f"the store has no bars of {symbol.name} that its streams derive from"
            self.event("symbol_failed", symbol=symbol.name, reason=reason)
        return symbol.is_loaded

    def remove(self, name: str) -> None:
        for symbol in [symbol for symbol in self.symbols if symbol.name == name]:
            self.symbols.remove(symbol)
            self.coming = deque(item for item in self.coming if item.symbol is not symbol)
            if symbol.is_loaded:
                self.settle(symbol, left_early=True)
            self.event("symbol_removed", symbol=name, reason="removed")

    def settle(self, symbol: RefSymbol, *, left_early: bool) -> None:
        """Account for a symbol's session at its close, or up to now if the symbol leaves."""
        counts = self.result.counts[symbol.name]
        for row in symbol.rows:
            if row.end_us <= self.now_us or not left_early:
                counts["received"] += 1
                counts[row.kind] += 1
        if self.settings.gap_filler.enable_session_quality:
            days = self.result.quality.setdefault(symbol.name, {})
            days[self.day.date.isoformat()] = symbol.quality(self.day, self.now_us)

    # Catch-up: the stale head of the merged backlog is processed in silence, the rest is delivered.

    def join(self, joining: Sequence[RefSymbol]) -> None:
        items = sorted(item for symbol in joining for item in symbol.items())
        self.coming = deque(sorted([*self.coming, *(item for item in items if item.end_us > self.now_us)]))
        backlog = [item for item in items if item.end_us <= self.now_us]
        own = [(symbol, [item for item in backlog if item.symbol is symbol]) for symbol in joining]
        if self.streaming.catchup_scope == "session":
            self.deactivate("session", backlog)
            self.activate("session", backlog, None)
            own = [(symbol, []) for symbol in joining]  # nothing left to judge symbol by symbol
        for _, bars in own:
            self.deactivate("symbol", bars)
        for symbol, bars in own:
            self.activate("symbol", bars, symbol.name)
            self.event("symbol_loaded", symbol=symbol.name, reason="caught_up")
        fresh = [item for item in backlog if not self.is_stale(item)]
        for end_us in sorted({item.end_us for item in fresh}):
            self.show([item for item in fresh if item.end_us == end_us])

    def deactivate(self, scope: str, backlog: Sequence[Item]) -> None:
        if backlog and self.is_stale(backlog[0]):
            lag, name = self.lag_seconds(backlog[0]), backlog[0].symbol.name
            self.event(f"{scope}_deactivated", reason="lag", lag_seconds=lag, symbol=name)

    def activate(self, scope: str, backlog: Sequence[Item], drained: str | None) -> None:
        """Undo :meth:`deactivate` at the first bar that is not stale; a ``drained`` backlog has no lag."""
        if backlog and self.is_stale(backlog[0]):
            fresh = [item for item in backlog if not self.is_stale(item)]
            lag, name = (self.lag_seconds(fresh[0]), fresh[0].symbol.name) if fresh else (0.0, drained)
            self.event(f"{scope}_activated", reason="caught_up", lag_seconds=lag, symbol=name)

    def is_stale(self, item: Item) -> bool:
        return self.lag_seconds(item) > self.streaming.catchup_threshold_seconds

    def lag_seconds(self, item: Item) -> float:
        return (self.now_us - item.end_us) / SECOND_US

    def event(self, name: str, **fields: Any) -> None:
        self.result.events.append({"time": to_iso(self.now_us), "event": name, **fields})
