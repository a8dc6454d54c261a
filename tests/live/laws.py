"""What must hold in every live run, whatever happened in it. ``breaches`` names what does not."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from datetime import datetime
from typing import Any

from tests.runs import clock_time

from mismartera.bars.instants import MINUTE_US, to_us
from mismartera.testing.invariants import unbalanced
from mismartera.testing.memory import DumpKey

Line = Mapping[str, Any]


def breaches(lines: Iterable[Line], *, threshold_seconds: float) -> list[str]:
    """What in the events of a live run may not be; ``lines`` as :class:`tests.live.stage.LiveLog` keeps them."""
    return [f"{problem}: {line}" for problem, line in _walk(lines, threshold_seconds)]


def _walk(lines: Iterable[Line], threshold_seconds: float) -> Iterator[tuple[str, Line]]:
    before_us = 0
    is_active: bool | None = None  # a session that starts late is deactivated first
    told: set[tuple[str, str, str, int]] = set()
    quiet: set[tuple[str, str]] = set()
    removed: set[str] = set()
    for line in lines:
        if line["now_us"] < before_us:
            yield "time goes back", line
        before_us = line["now_us"]
        match line["event"]:
            case "bar":
                key = line["symbol"], line["interval"], line["start"], line["generation"]
                if line["lag_seconds"] > threshold_seconds:
                    yield "a stale bar is delivered (I1)", line
                if not is_active:
                    yield "a bar is delivered while the session is not active (I1)", line
                if key in told:
                    yield "a bar is delivered twice (I3)", line
                if line["end_us"] > line["now_us"]:
                    yield "a bar is delivered before its end (I5)", line
                if line["symbol"] in removed:
                    yield "a bar of a symbol that was removed (I7)", line
                if line["source"] not in {"live", "backfill", "revised"}:
                    yield "a bar without a source", line
                told.add(key)
            case "session_activated" | "session_deactivated":
                if is_active is (line["event"] == "session_activated"):
                    yield "two equal moves of the session in a row (I2)", line
                is_active = line["event"] == "session_activated"
            case "session_opened":
                is_active = None
            case "quiet":
                if (line["symbol"], line["start"]) in quiet:
                    yield "a minute is told to be quiet twice", line
                quiet.add((line["symbol"], line["start"]))
            case "symbol_removed":
                removed.add(line["symbol"])
            case "symbol_pending":
                removed.discard(line["symbol"])
                quiet = {key for key in quiet if key[0] != line["symbol"]}
    if is_active:
        yield "the session is active at the end (I2)", {}


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
