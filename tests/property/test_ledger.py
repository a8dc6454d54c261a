"""However its bars come, a live session's day ends as the bars that a backtest makes of them (R7, I9)."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import date

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from mismartera import TimeManager
from mismartera.bars import SeriesInfo, parse_interval
from mismartera.indicators import resolve_indicator
from mismartera.live.batch import Processing, base_block
from mismartera.live.entry import BACKFILL, Entry, Rows
from mismartera.live.ledger import DayLedger
from mismartera.live.update import Update
from mismartera.session.derive import derive
from mismartera.session.increment import Grown
from mismartera.session.processor import with_indicators
from mismartera.session.series import PRICE_COLUMNS, SeriesBlock
from mismartera.session.symbols import Member

MINUTE = parse_interval("1m")
STREAMS = tuple(map(parse_interval, ("1m", "5m", "15m", "1d")))
SESSION = TimeManager("XNYS").get_trading_session(date(2024, 7, 3))
SPECS = [
    resolve_indicator("SMA", "5m", {"timeperiod": 2}, "close"),
    resolve_indicator("EMA", "1m", {"timeperiod": 3}, "close"),
]
WINDOWS = 24
Values = tuple[float, ...]


@dataclass
class Told:
    """What the engine would have been told: new bars, and changes, by symbol, interval and window."""

    bars: dict[tuple[str, str, int], Values] = field(default_factory=dict)

    def take(self, update: Update) -> None:
        for end_us, grown, _ in update.added:
            for one in grown:
                assert one.end_us == end_us
                for key, values in bars_of(one):
                    assert key not in self.bars, "a new bar comes once"
                    self.bars[key] = values
        for change in update.changed:
            self.bars |= dict(bars_of(change.grown))


def bars_of(grown: Grown) -> Iterable[tuple[tuple[str, str, int], Values]]:
    counts = np.ones(len(grown.owners)) if grown.counts is None else grown.counts
    for k, owner in enumerate(grown.owners.tolist()):
        key = (grown.block.symbols[owner], grown.block.interval.label, grown.window)
        yield key, (*grown.prices[:, k].tolist(), float(counts[k]))


def price(symbol: int, window: int, version: int) -> list[float]:
    low = 10.0 + symbol + 0.37 * ((window * 7 + version * 3) % 11)
    return [low + 0.5, low + 1.0, low, low + 0.25, float(window + 1 + 100 * version)]


class Day:
    """A ledger, what it was given, and what it told."""

    def __init__(self, symbols: int, *, complete_only: bool) -> None:
        self.complete_only = complete_only
        self.ledger = DayLedger(Processing(SESSION, MINUTE, SPECS, complete_only))
        self.told = Told()
        self.truth: dict[str, dict[int, list[float]]] = {}
        self.entries: list[Entry] = []
        for k in range(symbols):
            member = Member(f"S{k}", 1, k, None)
            entry = Entry(member, STREAMS, SeriesInfo(1, SESSION.zone), -1)
            self.entries.append(self.ledger.enter(member, entry))
            self.truth[member.symbol] = {}

    def put(self, changes: dict[int, dict[int, int]], *, as_backlog: bool) -> None:
        rows: dict[Entry, Rows] = {}
        for k, versions in changes.items():
            windows = sorted(versions)
            columns = np.array([price(k, w, versions[w]) for w in windows]).reshape(-1, 5).T.copy()
            rows[self.entries[k]] = Rows(
                np.array(windows), columns, np.full(len(windows), BACKFILL, dtype=np.uint8)
            )
            self.truth[f"S{k}"] |= {w: price(k, w, versions[w]) for w in windows}
        self.told.take(self.ledger.put(rows, as_backlog=as_backlog)[0])

    def append(self, window: int, symbols: list[int]) -> None:
        prices = np.array([price(k, window, 0) for k in symbols]).T.copy()
        self.truth |= {f"S{k}": self.truth[f"S{k}"] | {window: price(k, window, 0)} for k in symbols}
        self.told.take(self.ledger.append(window, [self.entries[k] for k in symbols], prices))

    def end(self, until: int) -> None:
        while self.ledger.ended < until:
            self.told.take(self.ledger.end_window(self.ledger.ended))

    def expected(self, entry: Entry) -> list[SeriesBlock]:
        truth = self.truth[entry.symbol]
        windows = sorted(truth)
        prices = np.array([truth[w] for w in windows]).reshape(-1, 5).T
        owner = np.zeros(len(windows), dtype=np.int64)
        base = base_block(
            SESSION, STREAMS[0], (entry.symbol,), owner, np.array(windows, dtype=np.int64), prices, public=True
        )
        blocks = [base, *derive(base, sorted(STREAMS)[1:], complete_only=self.complete_only)]
        return [
            with_indicators(b, [s for s in SPECS if s.length_us == b.interval.length_us], none) for b in blocks
        ]


def none(*_: object) -> None:
    return None


@given(st.data())
def test_a_day_ends_as_a_backtest_would_have_it_however_its_bars_came(data: st.DataObject) -> None:
    """In order, late, corrected, several at once, after a gap, with symbols that join in between."""
    day = Day(symbols := data.draw(st.integers(1, 4)), complete_only=data.draw(st.booleans()))
    joined: set[int] = set()
    for window in sorted([*range(WINDOWS)] * 2):  # two steps a minute
        step = data.draw(st.sampled_from(("append", "append", "append", "nothing", "join", "late", "gap")))
        some = sorted(data.draw(st.sets(st.integers(0, symbols - 1))))
        if step == "join":
            new = [k for k in some if k not in joined]
            joined |= set(new)
            bars = {k: dict.fromkeys(data.draw(st.sets(st.integers(0, window))), 0) for k in new}
            day.put(bars, as_backlog=True)
        elif step == "late":
            late = {
                k: data.draw(st.dictionaries(st.integers(0, window), st.integers(0, 2), min_size=1))
                for k in some
                if k in joined
            }
            known = {k: v for k, v in late.items() if day.ledger.newest[day.entries[k].index] >= max(v)}
            if known:
                day.put(known, as_backlog=False)
        elif step == "gap":
            newest = {k: int(day.ledger.newest[day.entries[k].index]) for k in some if k in joined}
            missed = {
                k: dict.fromkeys(range(first + 1, window + 1), 1) for k, first in newest.items() if first < window
            }
            if missed:
                day.put(missed, as_backlog=True)
        elif step == "append":
            next_ones = [k for k in some if k in joined and day.ledger.newest[day.entries[k].index] < window]
            if next_ones and window >= day.ledger.ended:
                day.append(window, next_ones)
            elif next_ones:
                day.put({k: {window: 0} for k in next_ones}, as_backlog=True)
        if data.draw(st.booleans()):
            day.end(data.draw(st.integers(day.ledger.ended, window + 1)))
    day.end(len(day.ledger.windows))
    for k in sorted(joined):
        compare(day, day.entries[k])


def compare(day: Day, entry: Entry) -> None:
    assert entry.batch is not None
    told = {key: values for key, values in day.told.bars.items() if key[0] == entry.symbol}
    for block, found in zip(day.expected(entry), entry.batch.processor.blocks, strict=True):
        for name in (*PRICE_COLUMNS, *block.indicators):
            column = block.indicators[name] if name in block.indicators else getattr(block, name)
            assert np.array_equal(found.column(name, entry.row), column, equal_nan=True), name
        for at, window in enumerate(block.window.tolist()):
            values = tuple(float(getattr(block, name)[at]) for name in (*PRICE_COLUMNS, "bar_count"))
            assert told.pop((entry.symbol, block.interval.label, window)) == values
    assert not told, "nothing was told that is not there"
