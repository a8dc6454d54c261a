"""The laws of a simulated session, checked on its events and on what it holds at its end."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from datetime import datetime
from itertools import pairwise
from typing import TYPE_CHECKING, Any

import numpy as np

from mismartera.bars import parse_interval
from mismartera.bars.instants import MINUTE_US, SECOND_US, to_iso, to_us
from mismartera.indicators import resolve_indicator
from mismartera.live.batch import base_block
from mismartera.session.derive import derive
from mismartera.session.processor import with_indicators
from mismartera.session.windows import session_windows
from mismartera.testing.sim_log import must

_LOADING_MAX_US = 240 * SECOND_US
"""Its time-out, the stream's first minute, and a slow strategy."""
_TOLD_WITHIN_US = 180 * SECOND_US

if TYPE_CHECKING:  # they know each other
    from mismartera.testing.simulation import Simulation


def check_events(simulation: Simulation) -> None:
    """I1, I2, I3 on the event log: time, transitions, bars once, none stale, R6's order."""
    lines = simulation.log.lines
    must("I4", all(a["time"] <= b["time"] for a, b in pairwise(lines)), "the log's time goes back")
    gate = [line["event"] for line in lines if line["event"] in {"session_activated", "session_deactivated"}]
    must("I2", all(a != b for a, b in pairwise(gate)), f"two equal transitions in a row: {gate}")
    threshold, until = simulation.threshold_us / 1e6, to_iso(simulation.until_us)
    active, seen = False, set()
    for line in lines:
        if line["event"] in {"session_activated", "session_deactivated"}:
            active = line["event"] == "session_activated"
            must("I2", not active or line["time"] <= until, f"activated after the end, at {line['time']}")
        if line["event"] == "bar":
            key = (line["symbol"], line["interval"], line["start"], line["generation"])
            must("I3", key not in seen, f"{key} is shown twice")
            seen.add(key)
            must("I1", line["lag_seconds"] <= threshold, f"{key} is shown {line['lag_seconds']} s late")
            must("I1", active, f"{key} is shown while the session is not active")


def check_loading(simulation: Simulation) -> None:
    """I6: whoever is on its way is loaded or has failed soon: its time is up, and the stream had its minute."""
    since: dict[str, int] = {}
    for line in [*simulation.log.lines, {"event": "end", "time": to_iso(simulation.until_us)}]:
        now_us = to_us(datetime.fromisoformat(line["time"]))
        symbol = str(line.get("symbol"))
        if line["event"] == "symbol_pending":
            since[symbol] = max(now_us, simulation.session.open_us)
        elif line["event"] in {"symbol_loaded", "symbol_failed", "symbol_removed", "end"}:
            for who in list(since) if line["event"] == "end" else [symbol]:
                first_us = since.pop(who, now_us)
                took_us = now_us - first_us - simulation.world.slept_us(first_us, now_us)
                must("I6", took_us <= _LOADING_MAX_US, f"{who} was on its way for {took_us / 1e6:.0f} s")


def check_told(simulation: Simulation) -> None:
    """I3: whatever minute ended while its symbol was loaded and active, and stayed so, was told: as a bar, or as a
    revision if it came late. What was fetched is told of as ``backfilled``, and may have been the backlog.
    """
    lines = simulation.log.lines
    told = {
        (line["symbol"], line["start"])
        for line in lines
        if line["event"] in {"bar", "revision"} and line["interval"] == "1m"
    }
    for symbol, series in simulation.final.items():
        spans = _listening(lines, symbol, simulation.until_us)
        fetched = [
            (line["from"], line["to"])
            for line in lines
            if line["event"] == "backfilled" and line["symbol"] == symbol
        ]
        for start_us in series["1m"][0].tolist() if "1m" in series else ():
            first_us, last_us = start_us + MINUTE_US, start_us + MINUTE_US + _TOLD_WITHIN_US
            listens = any(first <= first_us and last_us <= last for first, last in spans)
            listens = listens and not simulation.world.slept_us(start_us, last_us)
            start = to_iso(start_us)
            is_told = (symbol, start) in told or any(first <= start < last for first, last in fetched)
            must("I3", is_told or not listens, f"the minute {start} of {symbol} was never told")


def _listening(lines: Sequence[Mapping[str, Any]], symbol: str, until_us: int) -> list[tuple[int, int]]:
    """When the session was active, and had ``symbol``, loaded and active."""
    state = dict.fromkeys(("session", "loaded"), False) | {"symbol": True}
    spans: list[tuple[int, int]] = []
    since_us: int | None = None
    for line in lines:
        event = line["event"]
        if event in {"session_activated", "session_deactivated"}:
            state["session"] = event == "session_activated"
        elif line.get("symbol") == symbol and event in {"symbol_activated", "symbol_deactivated"}:
            state["symbol"] = event == "symbol_activated"
        elif line.get("symbol") == symbol and event.startswith("symbol_"):
            state["loaded"], state["symbol"] = event == "symbol_loaded", True
            if event == "symbol_removed":  # the session's data are those of the last stay
                spans, since_us = [], None
        else:
            continue
        now_us = to_us(datetime.fromisoformat(line["time"]))
        if since_us is not None and not all(state.values()):
            spans.append((since_us, now_us))
            since_us = None
        elif since_us is None and all(state.values()):
            since_us = now_us
    return spans if since_us is None else [*spans, (since_us, until_us)]


def check_end(simulation: Simulation) -> None:
    """I3, I9, I10: what the session holds is what happened; counts balance; each minute has ended."""
    coordinator, until_us = simulation.coordinator, simulation.until_us
    for symbol, counts in coordinator.tally.counts.items():
        fates = sum(count for name, count in counts.items() if name != "received")
        must("I3", counts["received"] == fates, f"the counts of {symbol} do not balance: {counts}")
    must(
        "I6",
        not coordinator.get_pending_symbols() - _young(simulation),
        f"still pending: {coordinator.get_pending_symbols()}",
    )
    for symbol, series in simulation.final.items():
        for label, columns in expected(simulation, symbol, until_us).items():
            if label in series:
                compare(symbol, label, series[label], columns)
    gaps = [line for line in simulation.log.lines if line["event"] == "gap"]
    must("I10", not gaps, f"gaps are left though all is healed: {gaps[:2]}")
    twice = [key for key, times in _quiet_by_stay(simulation).items() if times > 1]
    must("I10", not twice, f"quiet twice: {twice[:3]}")


def _quiet_by_stay(simulation: Simulation) -> Counter[tuple[str, int, str]]:
    """How often each minute was told to be quiet, stay by stay: one that begins anew is told of from the open."""
    stays, quiet = Counter[str](), Counter[tuple[str, int, str]]()
    for line in simulation.log.lines:
        if line["event"] == "symbol_pending":
            stays[line["symbol"]] += line["reason"] != "retried"
        elif line["event"] == "quiet":
            quiet[line["symbol"], stays[line["symbol"]], line["start"]] += 1
    return quiet


def _young(simulation: Simulation) -> set[str]:
    """Symbols that were asked for just before the end."""
    late = to_iso(simulation.until_us - 180_000_000)
    return {
        line["symbol"]
        for line in simulation.log.lines
        if line["event"] == "symbol_pending" and line["time"] >= late
    }


def expected(simulation: Simulation, symbol: str, until_us: int) -> dict[str, Any]:
    """What a backtest of the truth makes of the symbol's session, as far as it has ended by ``until_us``."""
    config = simulation.coordinator.config.session_data_config
    session, minute = simulation.session, parse_interval("1m")
    windows = session_windows(session, minute)
    minutes = [m for s, m in sorted(simulation.market.minutes[symbol].items()) if s + MINUTE_US <= until_us]
    rows = np.array([m.correction or m.values for m in minutes], dtype=np.float64).reshape(-1, 5).T
    starts = np.array([m.start_us for m in minutes], dtype=np.int64)
    owner = np.zeros(len(starts), dtype=np.int64)
    streams = sorted(parse_interval(label) for label in config.streams)
    base = base_block(session, minute, (symbol,), owner, windows.of(starts).astype(np.int64), rows, public=True)
    derived = derive(base, [s for s in streams if s != minute], complete_only=config.derived_bars == "complete")
    specs = [resolve_indicator(i.name, i.interval, i.params, i.input) for i in config.indicators]
    blocks = {}
    for found_block in (base, *derived):
        has_ended = found_block.end <= until_us
        ended = found_block.select(found_block.symbols, np.ones(1, dtype=np.bool_), has_ended)
        block = with_indicators(
            ended, [s for s in specs if s.length_us == ended.interval.length_us], lambda *_: None
        )
        columns = (block.start, block.open, block.high, block.low, block.close, block.volume)
        blocks[block.interval.label] = (*columns, dict(block.indicators))
    return blocks


def compare(symbol: str, label: str, ours: Any, truth: Any) -> None:
    """Bit for bit."""
    starts = set(truth[0].tolist()) ^ set(ours[0].tolist())
    must("I9", not starts, f"{symbol} {label}: bars differ at {[to_iso(us) for us in sorted(starts)[:4]]}")
    for name, a, b in zip(("start", "open", "high", "low", "close", "volume"), ours, truth, strict=False):
        different = np.flatnonzero(a != b)
        must(
            "I9",
            not len(different),
            f"{symbol} {label} {name}: differs at {[to_iso(int(ours[0][k])) for k in different[:3]]}",
        )
    for name, column in truth[6].items():
        must("I9", np.array_equal(ours[6][name], column, equal_nan=True), f"{symbol} {label} {name} differs")
