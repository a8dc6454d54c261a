"""Views: what is asked of a running system, as plain objects for JSON. Reads market data through the gate only.

Everything here runs on the server's threads, and reads what the engine has published.
"""

from __future__ import annotations

import secrets
from typing import Any

from mismartera.bars import Bars, parse_interval
from mismartera.bars.instants import SECOND_US, to_iso
from mismartera.server.recent import RecentEvents
from mismartera.server.refusal import Refusal
from mismartera.server.slots import Slots
from mismartera.session.symbols import Standing, SymbolState
from mismartera.system.manager import SystemManager
from mismartera.system.outcome import Outcome
from mismartera.timing import PacedClock, TradingSession


class SessionView:
    """Reads of one system. ``run`` tells it from every other one, so that numbers of events are not mixed up."""

    def __init__(self, system: SystemManager, recent: RecentEvents) -> None:
        self.system = system
        self.recent = recent
        self.run = secrets.token_hex(8)
        self._coordinator = system.coordinator
        self._time = system.get_time_manager()
        self._data = system.session_data
        self.slots = Slots()

    @property
    def is_over(self) -> bool:
        """True once the run has ended, however."""
        return self.system.outcome not in {Outcome.NOT_STARTED, Outcome.RUNNING}

    @property
    def now_us(self) -> int:
        """The engine's clock; after the run's end where it stood then."""
        return self.recent.last_us if self.is_over else self._time.now_us()

    def trading_session(self) -> TradingSession | None:
        """The present session, or the last one; None before the first."""
        day = self._coordinator.date
        return None if day is None else self._time.get_trading_session(day)

    def session(self) -> dict[str, Any]:
        """How the session stands."""
        system, coordinator, recent = self.system, self._coordinator, self.recent
        session, clock, progress = self.trading_session(), self._time.clock, coordinator.progress()
        standings = coordinator.standings()
        is_live, is_over, span = system.config.mode == "live", self.is_over, recent.span
        counted = {state.value: 0 for state in SymbolState}
        for standing in standings:
            counted[standing.state] += 1
        return {
            "run": self.run, "seq": recent.seq, "name": system.config.session_name, "mode": system.config.mode,
            "outcome": str(system.outcome), "is_over": is_over,
            "date": None if session is None else session.date.isoformat(),
            "open": None if session is None else to_iso(session.open_us),
            "close": None if session is None else to_iso(session.close_us),
            "zone": str(self._time.zone), "now": to_iso(self.now_us), "state": span.state, "reason": span.reason,
            "is_active": self._data.is_session_active(), "is_paused": system.is_paused and not is_over,
            "lag_seconds": self.lag_seconds,
            "speed": None if is_live else clock.speed if isinstance(clock, PacedClock) else 0.0,
            "can_step": not is_live and not is_over,
            "can_set_speed": isinstance(clock, PacedClock) and not is_over,
            "streams": list(system.config.session_data_config.streams),
            "sessions_begun": progress.sessions_begun, "sessions": progress.sessions,
            "bars_streamed": progress.bars_streamed, "bars_delivered": progress.bars_delivered,
            "derived_bars": progress.derived_bars, "symbols": counted,
            "strategies": len(system.strategies), "strategy_errors": len(coordinator.tally.strategy_errors),
        }  # fmt: skip

    def states(self) -> dict[str, Any]:
        """The session's states over time, and how long it was in each."""
        spans = [
            {"from": to_iso(span.from_us), "state": span.state, "reason": span.reason}
            for span in self.recent.spans.copy()
        ]
        return {"now": to_iso(self.now_us), "states": spans, "seconds": self.recent.seconds(self.now_us)}

    @property
    def lag_seconds(self) -> float:
        """The session's lag: how far the clock is past the end of the oldest bar that was not shown."""
        due_us = None if self.is_over else self._coordinator.next_instant_us
        return 0.0 if due_us is None else round(max(0, self.now_us - due_us) / SECOND_US, 3)

    def lag_of(self, standing: Standing, bars: Bars | None = None) -> tuple[int | None, float]:
        """The end of the newest bar that was shown, and the lag: how long the one after it has been due."""
        session, now_us = self.trading_session(), self.now_us
        if session is None:
            return None, 0.0
        label = finest(standing.intervals)
        if bars is None:
            bars = self._read(standing.symbol, label, internal=True)
        end_us = int(bars.end_us[-1]) if bars is not None and len(bars) else None
        due_us = self.slots.next_end(session, label, session.open_us if end_us is None else end_us)
        return end_us, 0.0 if due_us is None else max(0, now_us - due_us) / SECOND_US

    def bars(self, symbol: str, interval: str) -> tuple[Bars | None, str | None]:
        """What may be read of a series, and why it is nothing or empty. Refusal for what nobody can read."""
        try:
            parse_interval(interval)
        except ValueError as error:
            raise Refusal(422, "bad_interval", str(error)) from error
        standing = self.standing(symbol)
        try:
            bars = self._data.get_bars(symbol, interval)
        except ValueError as error:
            raise Refusal(422, "bad_interval", str(error)) from error
        if bars is None:
            return None, self.why_empty(symbol, standing)
        return bars, None if len(bars) else "no bar yet"

    def standing(self, symbol: str) -> Standing:
        """How a symbol stands; Refusal if the session does not have it."""
        found = self._coordinator.standing(symbol)
        if found is None:
            raise Refusal(
                404, "unknown_symbol",
                f"the session does not have {symbol[:40]!a}: GET /api/symbols lists what it has",
            )  # fmt: skip
        return found

    def why_empty(self, symbol: str, standing: Standing | None = None) -> str:
        """Why a read of ``symbol`` answers nothing at this moment."""
        standing = standing or self._coordinator.standing(symbol)
        if self.system.outcome is Outcome.NOT_STARTED:
            return "the run has not started"
        if standing is None:
            return "removed"
        if standing.state is SymbolState.FAILED:
            return f"failed: {standing.reason}"
        if standing.state is not SymbolState.LOADED:
            return f"{standing.state.value}: not caught up yet"
        if symbol in self.recent.withheld:
            return f"deactivated: {self.recent.withheld[symbol]} of {symbol}"
        span = self.recent.span
        return f"deactivated: {span.reason}" if span.state != "active" else "deactivated a moment ago: ask again"

    def indicators(self, symbol: str) -> dict[str, dict[str, float | None]] | None:
        """The newest values of a symbol's indicators, by interval and name; None if they may not be read."""
        found: dict[str, dict[str, float | None]] = {}
        for label in self.standing(symbol).intervals:
            bars = self._data.get_bars(symbol, label)
            if bars is None:
                return None
            names = bars.indicator_names
            if names:
                last = bars[-1:]
                found[label] = {n: (float(last.indicator(n)[0]) if len(last) else None) for n in names}
        return found

    def events(self, after: int, limit: int) -> dict[str, Any]:
        """Events after a number."""
        found, missed = self.recent.after(after, limit)
        return {
            "run": self.run, "seq": self.recent.seq, "oldest": self.recent.oldest, "missed": missed,
            "events": [event.as_json() for event in found],
        }  # fmt: skip

    def _read(self, symbol: str, label: str, *, internal: bool = False) -> Bars | None:
        try:
            return self._data.get_bars(symbol, label, internal=internal)
        except ValueError:  # its streams have changed: removed and added again with others
            return None


def finest(intervals: tuple[str, ...]) -> str:
    """The shortest of some intervals."""
    return intervals[0] if len(intervals) == 1 else min(intervals, key=parse_interval)
