"""Metrics: the session's figures in Prometheus' text format."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping

from mismartera.bars import parse_interval
from mismartera.server.recent import STATES
from mismartera.server.views import SessionView, finest
from mismartera.session.door import COUNTS
from mismartera.session.symbols import SymbolState

CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"
_Sample = tuple[Mapping[str, str], float]
_Family = tuple[str, str, str, list[_Sample]]


class Metrics:
    """Makes the text. Counters never fall: what was told once is the least that is told later."""

    def __init__(self, view: SessionView) -> None:
        self._view = view
        self._told: dict[str, float] = {}
        self.streams = 0
        self.slow_clients = 0
        self.busy_seconds: defaultdict[str, float] = defaultdict(float)
        """Per strategy, sampled by the stream's clock."""

    def text(self) -> str:
        """All figures as they are now."""
        lines: list[str] = []
        for name, kind, meaning, samples in (*self._session(), *self._bars(), *self._others()):
            lines += [f"# HELP mismartera_{name} {meaning}", f"# TYPE mismartera_{name} {kind}"]
            for labels, value in samples:
                shown = ",".join(f'{key}="{_escaped(text)}"' for key, text in labels.items())
                full = f"mismartera_{name}{{{shown}}}" if shown else f"mismartera_{name}"
                told = max(value, self._told.get(full, 0.0)) if kind == "counter" else value
                self._told[full] = told
                lines.append(f"{full} {told:g}" if abs(told) < 1e6 else f"{full} {told!r}")
        return "\n".join(lines) + "\n"

    def _session(self) -> Iterable[_Family]:
        view = self._view
        standings = view.system.coordinator.standings()
        lags = [(s, view.lag_of(s)[1]) for s in standings if s.state is not SymbolState.FAILED]
        by_state = Counter(standing.state for standing in standings)
        span, seconds = view.recent.span, view.recent.seconds(view.now_us)
        yield (
            "lag_seconds", "gauge", "Event-time lag: how long the next bar of the symbol has been due.",
            [({"symbol": s.symbol}, lag) for s, lag in lags],
        )  # fmt: skip
        backlog = sum(lag / _seconds(finest(s.intervals)) for s, lag in lags)
        yield (
            "backlog_bars",
            "gauge",
            "Bars that are due and not shown, of all symbols.",
            [({}, float(int(backlog)))],
        )
        yield (
            "session_state", "gauge", "1 for the state that the session is in.",
            [({"state": state}, float(state == span.state)) for state in STATES],
        )  # fmt: skip
        yield (
            "session_state_seconds_total", "counter", "Seconds of the engine's time in each state.",
            [({"state": state}, seconds[state]) for state in STATES],
        )  # fmt: skip
        yield (
            "session_active",
            "gauge",
            "1 while strategies are notified.",
            [({}, float(view.system.session_data.is_session_active()))],
        )
        yield "run_over", "gauge", "1 once the run has ended.", [({}, float(view.is_over))]
        yield (
            "symbols", "gauge", "Symbols by state.",
            [({"state": state.value}, float(by_state[state])) for state in SymbolState],
        )  # fmt: skip

    def _bars(self) -> Iterable[_Family]:
        coordinator = self._view.system.coordinator
        progress = coordinator.progress()
        yield (
            "bars_total", "counter", "Received bars by outcome.",
            [({"outcome": outcome}, float(n)) for outcome, n in self._outcomes().items()],
        )  # fmt: skip
        yield "bars_streamed_total", "counter", "Base bars shown.", [({}, float(progress.bars_streamed))]
        yield (
            "bars_delivered_total",
            "counter",
            "Bars delivered to strategies.",
            [({}, float(progress.bars_delivered))],
        )

    def _others(self) -> Iterable[_Family]:
        coordinator, view = self._view.system.coordinator, self._view
        counts = coordinator.publisher.counts
        yield (
            "feed_connects_total",
            "counter",
            "Connections of the live feed.",
            [({}, float(counts["feed_connected"]))],
        )
        yield (
            "feed_reconnects_total", "counter", "Connections of the live feed after the first.",
            [({}, float(max(0, counts["feed_connected"] - 1)))],
        )  # fmt: skip
        yield (
            "feed_disconnects_total", "counter", "Connections of the live feed that were lost.",
            [({}, float(counts["feed_disconnected"]))],
        )  # fmt: skip
        yield (
            "gaps_total", "counter", "Gaps of finished sessions, by symbol.",
            [({"symbol": symbol}, float(n)) for symbol, n in dict(coordinator.tally.gaps).items()],
        )  # fmt: skip
        yield (
            "strategy_busy_seconds_total", "counter",
            "Wall seconds in callbacks, sampled ten times a second while a clock runs (not at speed 0).",
            [({"strategy": name}, total) for name, total in dict(self.busy_seconds).items()],
        )  # fmt: skip
        yield (
            "strategy_errors_total", "counter", "Strategies that have raised.",
            [({}, float(len(coordinator.tally.strategy_errors)))],
        )  # fmt: skip
        if (backlog := view.system.journal_backlog()) is not None:
            yield (
                "journal_entries_waiting", "gauge", "Entries of the journal that are not durable yet.",
                [({}, float(backlog.entries))],
            )  # fmt: skip
            if backlog.wal_bytes is not None:
                yield (
                    "journal_wal_bytes", "gauge", "SQLite's write-ahead log: it grows while a reader stays.",
                    [({}, float(backlog.wal_bytes))],
                )  # fmt: skip
        yield "events_total", "counter", "Events of the session but bars and gaps.", [({}, float(view.recent.seq))]
        yield "stream_clients", "gauge", "Clients of /api/stream.", [({}, float(self.streams))]
        yield (
            "stream_slow_clients_total", "counter", "Clients of /api/stream that were closed as too slow.",
            [({}, float(self.slow_clients))],
        )  # fmt: skip

    def _outcomes(self) -> dict[str, int]:
        coordinator = self._view.system.coordinator
        total: Counter[str] = Counter()
        for counts in [counts.copy() for counts in coordinator.tally.counts.copy().values()]:
            total.update(counts)
        if coordinator.gate_state != "closed":  # a session that has closed is booked
            for symbol in coordinator.loaded_in_order():
                total.update(coordinator.get_counts_so_far(symbol) or {})
        return {name: total[name] for name in COUNTS}


def _seconds(interval: str) -> float:
    return parse_interval(interval).length_us / 1e6


def _escaped(text: str) -> str:
    return text.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")
