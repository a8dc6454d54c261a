"""Digest: what a report needs of a session's events, in bounded memory however long the log is."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Mapping
from datetime import datetime

from msgspec import Struct

from mismartera.bars import Bar
from mismartera.bars.instants import SECOND_US, to_us
from mismartera.bars.interval import parse_interval
from mismartera.report.document.coverage import Coverage
from mismartera.report.document.series import Candle, CandleSeries, PeakSeries, duration
from mismartera.report.document.timeline import Timeline
from mismartera.session.ports import Field

CANDLES_MAX, CHARTS_MAX = 600, 40
"""Candles per symbol, and symbols with a chart."""
LAGS_MAX = 1000
EVENTS_MAX, SIGNALS_MAX, ERRORS_MAX, SIGNAL_NAMES_MAX, MARKS_MAX = 500, 200, 100, 100, 60

_QUIET_EVENTS = {"gap", "quiet", "revision", "backfilled", "signal", "strategy_error"}
"""Not in the list of events: they are many, or have a list of their own."""


class Mark(Struct, frozen=True):
    """A moment on a chart; ``order`` is its place among all events but bars."""

    at_us: int
    kind: str
    text: str
    order: int


class SymbolDigest(Struct):
    """What the events tell of one symbol."""

    state: str = "-"
    reason: str = ""
    bars: int = 0
    joins: int = 0
    max_lag_seconds: float = 0.0
    revisions: int = 0
    chart: CandleSeries | None = None
    marks: list[Mark] = []


class Entry(Struct, frozen=True):
    """A line of a list: an event, a signal or an error."""

    at_us: int
    name: str
    symbol: str
    text: str


class Digest:
    """A sink of events that keeps figures and what fits in a document; it can take a run's events directly.

    The order is that of the log. The first :data:`CHARTS_MAX` symbols that have bars get a chart.
    """

    wants_bars = wants_gaps = True

    def __init__(self) -> None:
        self.counts: Counter[str] = Counter()
        self.bars: Counter[str] = Counter()
        self.symbols: dict[str, SymbolDigest] = {}
        self.timeline = Timeline()
        self.coverage = Coverage()
        self.lags = PeakSeries(LAGS_MAX)
        self.max_lag: tuple[float, str, int] = (0.0, "", 0)
        self.events: list[Entry] = []
        self.signals: list[Entry] = []
        self.signal_counts: Counter[tuple[str, str]] = Counter()
        self.errors: list[Entry] = []
        self.marks: list[Mark] = []
        self.charts = 0
        self.closes = 0
        """Deactivations that are a session's end, or the run's."""
        self.last_us = 0

    def event(self, name: str, now_us: int, fields: Mapping[str, Field]) -> None:
        """Take an event that is not a bar."""
        self.counts[name] += 1
        self.last_us = now_us
        if name == "session_opened":
            self.timeline.opened(_text(fields, "date"), now_us)
            self.coverage.opened(now_us)
        elif name == "session_closed":
            loaded = [symbol for symbol, digest in self.symbols.items() if digest.state == "loaded"]
            self.coverage.closed(now_us, loaded)
            self.timeline.closed(now_us)
        elif name == "gap":
            self._gap(fields)
        elif name == "revision":
            self._revision(fields)
        elif name == "signal":
            self._signal(now_us, fields)
        elif name == "strategy_error":
            if len(self.errors) < ERRORS_MAX:
                entry = Entry(now_us, _text(fields, "strategy"), "", _text(fields, "error"))
                self.errors.append(entry)
        elif name not in _QUIET_EVENTS:
            self._change(name, now_us, fields)
        if name not in _QUIET_EVENTS and len(self.events) < EVENTS_MAX:
            self.events.append(Entry(now_us, name, _text(fields, "symbol"), _details(fields)))
        self.timeline.seen(now_us)

    def bar(self, bar: Bar) -> None:
        """Take a bar."""
        prices = (bar.open, bar.high, bar.low, bar.close, bar.volume)
        self.take_bar(bar.symbol, bar.interval, bar.start_us, bar.end_us, prices, bar.lag_seconds)

    def take_bar(
        self, symbol: str, interval: str, start_us: int, end_us: int,
        prices: tuple[float, float, float, float, float], lag_seconds: float,
    ) -> None:  # fmt: skip
        """Take a bar: its open, high, low, close and volume."""
        self.counts["bar"] += 1
        self.bars[interval] += 1
        digest = self.symbol(symbol)
        digest.bars += 1
        open_us = self.timeline.open_us
        anchor_us = start_us if open_us is None else open_us
        now_us = self.last_us = end_us + round(lag_seconds * SECOND_US)
        self._lag(now_us, symbol, lag_seconds)
        self.coverage.bar(start_us)
        self.timeline.seen(now_us)
        if digest.chart is None:
            if self.charts >= CHARTS_MAX:
                return
            self.charts += 1
            digest.chart = CandleSeries(CANDLES_MAX)
        digest.chart.add(interval, parse_interval(interval).length_us, Candle(start_us, anchor_us, *prices))

    def symbol(self, symbol: str) -> SymbolDigest:
        """What is known of ``symbol``, which may be new."""
        found = self.symbols.get(symbol)
        if found is None:
            found = self.symbols[symbol] = SymbolDigest()
        return found

    def finish(self) -> None:
        """The log ends: a session that was not closed ends with its last event."""
        self.timeline.ended(self.last_us)

    def _change(self, name: str, now_us: int, fields: Mapping[str, Field]) -> None:
        subject, _, what = name.partition("_")
        if subject == "symbol":
            self._symbol_change(what, now_us, fields)
        if subject == "session":
            self._session_change(what, now_us, fields)
        lag = fields.get("lag_seconds")
        if isinstance(lag, float | int):
            self._lag(now_us, _text(fields, "symbol"), float(lag))

    def _symbol_change(self, what: str, now_us: int, fields: Mapping[str, Field]) -> None:
        symbol, reason = _text(fields, "symbol"), _text(fields, "reason")
        digest = self.symbol(symbol)
        if what in {"pending", "loaded", "failed", "removed"}:
            digest.state, digest.reason = what, reason
        if what == "pending" and reason == "configured":
            return
        kind = "added" if what == "pending" else what
        if kind == "added":
            digest.joins += 1
        if kind == "loaded" and not digest.joins:
            return  # with the session's first ones: no moment to point at
        if len(digest.marks) < MARKS_MAX:
            digest.marks.append(self._mark(now_us, kind, fields))
        self.timeline.moment(now_us, kind, symbol)

    def _mark(self, now_us: int, kind: str, fields: Mapping[str, Field]) -> Mark:
        return Mark(now_us, kind, _details(fields), self.counts.total() - self.counts["bar"])

    def _session_change(self, what: str, now_us: int, fields: Mapping[str, Field]) -> None:
        reason, details = _text(fields, "reason"), _details(fields)
        state = "active" if what == "activated" else _inactive(reason)
        if what == "state":
            state = _text(fields, "to")
            details = f"{_text(fields, 'from')} to {state}, {reason}"
        self.timeline.change(now_us, state, details)
        self.closes += what == "deactivated" and reason in {"close", "stopped"}
        if reason not in {"open", "close"} and len(self.marks) < MARKS_MAX:
            self.marks.append(self._mark(now_us, what, fields))

    def _lag(self, now_us: int, symbol: str, lag_seconds: float) -> None:
        open_us = self.timeline.open_us
        self.lags.add(now_us, now_us if open_us is None else open_us, lag_seconds)
        if lag_seconds > self.max_lag[0]:
            self.max_lag = (lag_seconds, symbol, now_us)
        if symbol:
            digest = self.symbol(symbol)
            digest.max_lag_seconds = max(digest.max_lag_seconds, lag_seconds)

    def _gap(self, fields: Mapping[str, Field]) -> None:
        from_us, to_us = instant(fields["from"]), instant(fields["to"])
        missing = fields["missing"]
        if not isinstance(missing, int) or to_us <= from_us:
            raise ValueError("a gap needs missing bars and a stretch of time")
        self.coverage.gap(_text(fields, "symbol"), from_us, to_us, missing)

    def _revision(self, fields: Mapping[str, Field]) -> None:
        digest = self.symbol(_text(fields, "symbol"))
        digest.revisions += 1
        if digest.chart is not None:
            start_us = instant(fields["start"])
            candle = Candle(start_us, self.timeline.open_us or start_us, *prices_of(fields))
            digest.chart.revise(parse_interval(_text(fields, "interval")).length_us, candle)

    def _signal(self, now_us: int, fields: Mapping[str, Field]) -> None:
        strategy, name = _text(fields, "strategy"), _text(fields, "name")
        if (strategy, name) in self.signal_counts or len(self.signal_counts) < SIGNAL_NAMES_MAX:
            self.signal_counts[strategy, name] += 1
        if len(self.signals) < SIGNALS_MAX:
            self.signals.append(Entry(now_us, strategy, name, _value(fields.get("value"))))


def instant(value: object) -> int:
    """Microseconds of an ISO 8601 text with an offset; ValueError for anything else."""
    if not isinstance(value, str):
        raise TypeError(f"{value!r} is no instant")
    return to_us(datetime.fromisoformat(value))


def prices_of(fields: Mapping[str, object]) -> tuple[float, float, float, float, float]:
    """Open, high, low, close and volume; TypeError for what is no number."""
    values = [fields[name] for name in ("open", "high", "low", "close", "volume")]
    numbers = [float(value) for value in values if isinstance(value, int | float) and not isinstance(value, bool)]
    if len(numbers) < len(values) or not all(map(math.isfinite, numbers)):
        raise TypeError("a price or volume is no number")
    return (numbers[0], numbers[1], numbers[2], numbers[3], numbers[4])


def _inactive(reason: str) -> str:
    if reason in {"lag", "backlog"}:
        return "catching_up"
    return reason if reason in {"stale", "paused"} else "closed"


def _text(fields: Mapping[str, Field], key: str) -> str:
    value = fields.get(key)
    return "" if value is None else value if isinstance(value, str) else _value(value)


def _value(value: Field) -> str:
    if isinstance(value, tuple | list):
        return ", ".join(map(str, value))
    return "null" if value is None else f"{value:g}" if isinstance(value, float) else str(value)


def _details(fields: Mapping[str, Field]) -> str:
    """The fields of a change in words: ``lag, lag 1,740 s of CHRL``."""
    words = []
    for key, value in fields.items():
        if key in {"symbol", "date", "seq", "time", "event"} or value is None:
            continue
        if key == "lag_seconds":
            if value:
                of = f" of {symbol}" if (symbol := _text(fields, "symbol")) else ""
                shown = duration(value) if isinstance(value, float | int) else _value(value)
                words.append(f"lag {shown}{of}")
        elif key == "reason":
            words.insert(0, _value(value))
        else:
            words.append(f"{key} {_value(value)}")
    if date := _text(fields, "date"):
        words.insert(0, date)
    return ", ".join(words)
