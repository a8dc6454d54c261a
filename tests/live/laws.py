"""What must hold in every live run, whatever happened in it. ``breaches`` names what does not."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import Any

from tests.runs import clock_time

from mismartera.bars.instants import MINUTE_US, to_us
from mismartera.testing.invariants import unbalanced
from mismartera.testing.memory import DumpKey

Line = Mapping[str, Any]


def breaches(lines: Iterable[Line], *, threshold_seconds: float) -> list[str]:
    """What in the events of a live run may not be; ``lines`` as :class:`tests.live.stage.LiveLog` keeps them."""
    walk = _Walk(threshold_seconds)
    for line in lines:
        walk.step(line)
    walk.line = {}
    walk.must(not walk.is_active, "the session is active at the end (I2)")
    return walk.found


class _Walk:
    """The log so far. ``is_active`` is None before the first move: a session that starts late is deactivated."""

    def __init__(self, threshold_seconds: float) -> None:
        self.found: list[str] = []
        self.line: Line = {}
        self.is_active: bool | None = None
        self._threshold_seconds = threshold_seconds
        self._now_us = 0
        self._told: set[tuple[str, str, str, int]] = set()
        self._quiet: set[tuple[str, str]] = set()
        self._removed: set[str] = set()

    def must(self, holds: bool, problem: str) -> None:
        if not holds:
            self.found.append(f"{problem}: {self.line}")

    def step(self, line: Line) -> None:
        self.line = line
        self.must(line["now_us"] >= self._now_us, "time goes back")
        self._now_us = line["now_us"]
        match line["event"]:
            case "bar":
                self._bar(line)
            case "session_opened":
                self.is_active = None
            case "session_activated" | "session_deactivated" as event:
                is_active = event == "session_activated"
                self.must(self.is_active is not is_active, "two equal moves of the session in a row (I2)")
                self.is_active = is_active
            case "quiet":
                key = line["symbol"], line["start"]
                self.must(key not in self._quiet, "a minute is told to be quiet twice")
                self._quiet.add(key)
            case "symbol_removed":
                self._removed.add(line["symbol"])
            case "symbol_pending":
                self._removed.discard(line["symbol"])
                self._quiet = {key for key in self._quiet if key[0] != line["symbol"]}

    def _bar(self, line: Line) -> None:
        key = line["symbol"], line["interval"], line["start"], line["generation"]
        self.must(line["lag_seconds"] <= self._threshold_seconds, "a stale bar is delivered (I1)")
        self.must(self.is_active is True, "a bar is delivered while the session is not active (I1)")
        self.must(key not in self._told, "a bar is delivered twice (I3)")
        self.must(line["end_us"] <= line["now_us"], "a bar is delivered before its end (I5)")
        self.must(line["symbol"] not in self._removed, "a bar of a symbol that was removed (I7)")
        self.must(line["source"] in {"live", "backfill", "revised"}, "a bar without a source")
        self._told.add(key)


def unresolved(
    lines: Iterable[Line], tables: Mapping[DumpKey, list[dict[str, Any]]], open_us: int, until_us: int
) -> list[str]:
    """I10: minutes of a dumped symbol that are neither a bar, nor quiet, nor a gap; and those that are two."""
    quiet: set[tuple[str, int]] = set()
    gaps: set[tuple[str, int]] = set()
    for line in lines:
        if line["event"] == "quiet":
            quiet.add((line["symbol"], _us(line["start"])))
        elif line["event"] == "gap":
            gaps |= {(line["symbol"], us) for us in range(_us(line["from"]), _us(line["to"]), MINUTE_US)}
    problems = []
    for (_, symbol, interval), rows in tables.items():
        bars = {row["timestamp"] for row in rows}
        for start_us in range(open_us, until_us, MINUTE_US) if interval == "1m" else ():
            has_bar, is_gap = start_us in bars, (symbol, start_us) in gaps
            if not has_bar and not is_gap and (symbol, start_us) not in quiet:
                problems.append(f"I10: {symbol}: nothing is known of {clock_time(start_us)}")
            if has_bar and is_gap:
                problems.append(f"I10: {symbol}: a bar and a gap at {clock_time(start_us)}")
    return problems


def uncounted(counts: Mapping[str, Mapping[str, int]]) -> list[str]:
    """R1: symbols whose counts do not balance."""
    return unbalanced(counts)


def _us(text: str) -> int:
    return to_us(datetime.fromisoformat(text))
