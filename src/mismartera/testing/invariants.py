"""Invariants of a backtest's event log, checked line by line: what must hold whatever the configuration.

``breaches`` takes the lines of ``--events`` (parsed, with or without ``seq``) and names each that breaks one.
The ids: I1 no stale delivery; I2 the gate's moves; I3 exactly once; I4 the order of showing; I5 no look-ahead;
I6 the states of a symbol; I7 the fence of a removal; I11 a strategy that failed is silent; I14 determinism.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any

from mismartera.bars.instants import SECOND_US, to_us
from mismartera.bars.interval import parse_interval

Line = Mapping[str, Any]
_COUNTED = ("accepted", "duplicate", "revised", "late", "out_of_hours", "rejected")


def breaches(lines: Iterable[Line], *, threshold_seconds: float) -> list[str]:
    """What in the log of a whole run breaks an invariant: one text for each, with its id, the line and the reason.

    ``threshold_seconds``: the run's ``catchup_threshold_seconds``. Empty for a sound log.
    """
    walk = _Walk(threshold_seconds)
    for number, line in enumerate(lines, start=1):
        walk.step(number, line)
    walk.end()
    return walk.found


def unbalanced(counts: Mapping[str, Mapping[str, int]]) -> list[str]:
    """The symbols whose counts (summary key ``counts``) do not balance (R1): one text for each."""
    return [
        f"R1: {symbol} received {of['received']}, but its parts are {sum(of[name] for name in _COUNTED)}"
        for symbol, of in counts.items()
        if of["received"] != sum(of[name] for name in _COUNTED)
    ]


def first_difference(one: Sequence[Line], other: Sequence[Line]) -> str | None:
    """I14: where two logs part, byte for byte as they would be written; None if they are the same."""
    for number, (a, b) in enumerate(zip(one, other, strict=False), start=1):
        if _written(a) != _written(b):
            return f"I14: line {number}: {_written(a)} is not {_written(b)}"
    if len(one) != len(other):
        shared = min(len(one), len(other))
        extra = (one if len(one) > shared else other)[shared]
        return f"I14: line {shared + 1}: only one log has {_written(extra)}"
    return None


def dump_breaches(lines: Iterable[Line], dumps: Mapping[tuple[str, str, str], Sequence[Line]]) -> list[str]:
    """I3: bars that were delivered of a last generation but are not, or differ, in the session's ``dumps``.

    ``dumps`` as in :class:`~mismartera.testing.memory.MemoryDumps`. A series is told by its last stay: a
    symbol that left before the close has no dump, one that came back is held against its bars since then.
    """
    found: list[str] = []
    day, delivered = "", dict[tuple[str, str], list[Line]]()
    for line in lines:
        if line["event"] == "session_opened":
            day, delivered = line["date"], {}
        elif line["event"] in {"symbol_pending", "symbol_removed"}:
            delivered = {key: bars for key, bars in delivered.items() if key[0] != line["symbol"]}
        elif line["event"] == "bar":
            delivered.setdefault((line["symbol"], line["interval"]), []).append(line)
        elif line["event"] == "session_closed":
            for (symbol, interval), bars in delivered.items():
                rows = {row["timestamp"]: row for row in dumps.get((day, symbol, interval), ())}
                found += [f"I3: {_written(bar)} is not in the dump" for bar in bars if not _is_dumped(bar, rows)]
    return found


def _is_dumped(bar: Line, rows: Mapping[int, Line]) -> bool:
    row = rows.get(_us(bar["start"]))
    columns = ("open", "high", "low", "close", "volume", "bar_count")
    return row is not None and all(row[name] == bar[name] for name in columns)


class _Walk:
    """The log so far: the clock, the gate, the symbols' states, and what was shown last."""

    def __init__(self, threshold_seconds: float) -> None:
        self.found: list[str] = []
        self.threshold = threshold_seconds
        self.number = 0
        self.line: Line = {}
        self.now_us = 0
        self.is_open = self.is_active = False
        self.has_opened = False
        self.states: dict[str, str] = {}
        self.generations: dict[str, int] = {}
        self.ranks: dict[str, int] = {}
        self.ranks_given = 0
        self.withheld: set[str] = set()
        self.last_start: dict[tuple[str, str, int], int] = {}
        self.last_place: tuple[int, int, int] | None = None
        self.last_gap: tuple[int, int] | None = None
        self.failed_strategies: set[str] = set()
        self.handlers: dict[str, Callable[[Line], None]] = {
            "bar": self.bar, "session_opened": self.opened, "session_closed": self.closed,
            "session_activated": self.activated, "session_deactivated": self.deactivated,
            "symbol_activated": self.shown_again, "symbol_deactivated": self.hidden, "gap": self.gap,
            "signal": self.signal, "strategy_error": self.strategy_error,
        }  # fmt: skip

    def step(self, number: int, line: Line) -> None:
        """Check ``line`` against what came before it."""
        self.number, self.line = number, line
        now_us = _us(line["time"])
        self.must("I4", now_us >= self.now_us, "time goes back")
        self.must("I14", line.get("seq", number) == number, "seq is not the line's number")
        if now_us > self.now_us or line["event"] != "bar":
            self.last_place = None  # bars are in order within a time, and anew after a command
        self.now_us = now_us
        if line["event"] in _MOVES:
            self.move(line)
        elif line["event"] in self.handlers:
            self.handlers[line["event"]](line)

    def end(self) -> None:
        """The run is over."""
        self.line = {"event": "the end of the log"}
        on_their_way = [symbol for symbol, state in self.states.items() if state == "symbol_pending"]
        self.must("I6", not on_their_way, f"{on_their_way} never came to be loaded, failed or removed")
        self.must("I2", not self.is_active, "the session is still active")

    def must(self, law: str, holds: bool, why: str) -> None:
        if not holds:
            self.found.append(f"{law}: line {self.number}: {why}: {_written(self.line)}")

    # Bars

    def bar(self, line: Line) -> None:
        symbol, length_us = line["symbol"], parse_interval(line["interval"]).length_us
        start_us, end_us, lag_us = _us(line["start"]), _us(line["end"]), round(line["lag_seconds"] * SECOND_US)
        self.must("I1", line["lag_seconds"] <= self.threshold, "a stale bar is delivered")
        self.must("I1", self.is_active, "a bar is delivered while the session is not active")
        self.must("I1", symbol not in self.withheld, "a bar of a symbol that is withheld is delivered")
        self.must("I5", end_us <= self.now_us, "a bar is delivered before its end")
        self.must("I5", self.now_us == end_us + lag_us, "the clock does not stand at the bar's end plus its lag")
        self.must("I3", start_us < end_us and line["bar_count"] >= 1, "a bar is empty")
        state, generation = self.states.get(symbol), line["generation"]
        self.must("I7", state != "symbol_removed", "a bar is delivered after the symbol was removed")
        self.must(
            "I6", state in {"symbol_loaded", "symbol_removed"}, f"a bar is delivered of a symbol in state {state}"
        )
        self.must(
            "I7", generation == self.generations.get(symbol), "the generation is not that of the last addition"
        )
        last = self.last_start.get((symbol, line["interval"], generation))
        self.must("I3", last is None or start_us > last, "a bar is delivered again, or before an older one")
        self.last_start[symbol, line["interval"], generation] = start_us
        place = end_us, self.ranks.get(symbol, -1), length_us
        self.must("I4", self.last_place is None or place > self.last_place, "out of (end, rank, interval length)")
        self.last_place = place

    # The gate

    def opened(self, _: Line) -> None:
        self.must("I2", not self.is_open, "a session opens while one is open")
        self.is_open, self.has_opened, self.last_gap = True, False, None
        self.withheld.clear()

    def closed(self, _: Line) -> None:
        self.must("I2", self.is_open and not self.is_active, "a session closes that is not open, or still active")
        self.is_open = False

    def activated(self, line: Line) -> None:
        self.must("I2", self.is_open and not self.is_active, "an activation of a session that is active or closed")
        self.must("I2", line["lag_seconds"] <= self.threshold, "an activation above the threshold")
        self.must(
            "I2", (line["reason"] == "open") != self.has_opened, "the first activation is 'open', no other is"
        )
        self.is_active = self.has_opened = True

    def deactivated(self, line: Line) -> None:
        self.must("I2", self.is_active, "a deactivation of a session that is not active")
        lags = line["lag_seconds"] > self.threshold
        self.must("I2", lags == (line["reason"] == "lag"), "a deactivation by lag at or below the threshold")
        self.is_active = False

    def hidden(self, line: Line) -> None:
        self.must("I2", line["symbol"] not in self.withheld, "a symbol is withheld twice")
        self.must("I2", line["lag_seconds"] > self.threshold, "a symbol is withheld without lag")
        self.withheld.add(line["symbol"])

    def shown_again(self, line: Line) -> None:
        self.must("I2", line["symbol"] in self.withheld, "a symbol is activated that was not withheld")
        self.must("I2", line["lag_seconds"] <= self.threshold, "a symbol is activated above the threshold")
        self.withheld.discard(line["symbol"])

    # Symbols and gaps

    def move(self, line: Line) -> None:
        symbol, event = line["symbol"], line["event"]
        before = self.states.get(symbol)
        self.must("I6", before in _MOVES[event], f"{event} of a symbol whose last event is {before}")
        self.states[symbol] = event
        if event == "symbol_pending":
            self.generations[symbol] = self.generations.get(symbol, 0) + 1
            self.ranks[symbol] = self.ranks_given = self.ranks_given + 1
        elif event == "symbol_failed":
            self.generations[symbol] -= 1  # a stay that failed does not count as one
        elif event == "symbol_removed":
            self.withheld.discard(symbol)

    def gap(self, line: Line) -> None:
        place = self.ranks.get(line["symbol"], -1), _us(line["from"])
        self.must("I4", self.last_gap is None or place > self.last_gap, "gaps out of (rank, time)")
        self.must("I2", self.is_open and not self.is_active, "a gap is told outside a session's end")
        self.must("I6", self.states.get(line["symbol"]) == "symbol_loaded", "a gap of a symbol that is not loaded")
        self.must("I3", _us(line["from"]) < _us(line["to"]) and line["missing"] >= 1, "an empty gap")
        self.last_gap = place

    # Strategies

    def strategy_error(self, line: Line) -> None:
        self.must("I11", line["strategy"] not in self.failed_strategies, "a strategy fails a second time")
        self.failed_strategies.add(line["strategy"])

    def signal(self, line: Line) -> None:
        self.must("I11", line["strategy"] not in self.failed_strategies, "a strategy that failed still acts")


_MOVES: dict[str, tuple[str | None, ...]] = {
    "symbol_pending": (None, "symbol_failed", "symbol_removed"),
    "symbol_loaded": ("symbol_pending",),
    "symbol_failed": ("symbol_pending",),
    "symbol_removed": ("symbol_pending", "symbol_loaded"),
}
"""What the last event of a symbol must have been before each (None: it was never seen)."""


def _us(text: str) -> int:
    return to_us(datetime.fromisoformat(text))


def _written(line: Line) -> str:
    return json.dumps(line, sort_keys=True, default=str)
