"""SessionData: the reads of the current session, gated."""

from __future__ import annotations

import numpy as np

from mismartera.bars import Bar, Bars, Interval, SeriesInfo, check_symbol, parse_interval
from mismartera.bars.validation import RULES, broken_rule
from mismartera.bars.view import NewestValue, SeriesColumns
from mismartera.errors import UsageError
from mismartera.session.history import MinuteValues
from mismartera.session.quality import Quality
from mismartera.session.state import SessionState, SymbolData


class SessionData:
    """The bars of the session's symbols, as columns.

    External reads answer None while the session is deactivated (or, in ``catchup_scope: "symbol"``, the
    symbol), and for a symbol that is not loaded. ``internal=True`` is for the engine's own parts and is not
    gated. All reads are safe from any thread. The mutators belong to the coordinator: on a SessionData of a
    running system they raise UsageError; one that stands alone (``SessionData()``) takes them, and starts
    active.
    """

    def __init__(self, state: SessionState | None = None) -> None:
        self._alone = state is None
        self._state = state or SessionState()
        if self._alone:
            self._state.active = self._state.readable = True

    def is_session_active(self) -> bool:
        """True while strategies are notified."""
        return self._state.active

    def get_bars(self, symbol: str, interval: str, internal: bool = False) -> Bars | None:
        """The visible bars of ``symbol``, a fixed read-only sequence; None if gated or not loaded.

        An empty sequence means: no bar yet. ValueError for an interval that was not requested; internal readers
        may also read the base interval.
        """
        until_us = self._state.visible_us(symbol)  # asked before the gate: no later bar slips in
        data = self._data(symbol, internal=internal)
        columns = data.series(parse_interval(interval)) if data else None
        if columns is None or not (internal or (data and data.is_public(parse_interval(interval)))):
            self._state.interval(symbol, interval)
            return None
        return Bars(columns, 0, columns.visible(until_us))

    def get_indicator(self, symbol: str, name: str, interval: str | None = None) -> float | None:
        """The indicator's value at the newest visible bar; None if gated, not loaded, or not warm.

        ``name`` is the column's name, for example ``"SMA_20"``; ``interval`` may be left out if only one has it.
        ValueError for a name that is not configured on a requested interval.
        """
        state = self._state
        # Asked before the gate: no later bar slips in.
        until_us = state.visible_us(symbol) if state.behind_us else state.watermark_us
        data = state.symbols.get(symbol)
        if data is None or not (state.readable and data.loaded) or symbol in state.inactive:
            return None
        newest = data.newest_values.get((name, interval)) or self._newest_value(data, symbol, name, interval)
        at = newest.next
        if at < newest.size and newest.ends[at] == until_us:  # as time goes on: found here, a call less
            newest.next = at + 1
            value = newest.values[at]
            return value if value == value else None  # noqa: PLR0124  # NaN: not warm
        return newest.until(until_us)

    def get_history(self, symbol: str, interval: str) -> Bars | None:
        """The bars of the sessions before this one, from the windows of ``historical.data`` that name
        ``interval``.

        Readable from ``on_start``. None if gated or not there; ValueError for an interval without a window.
        """
        data = self._history_data(symbol)
        if data is None:
            return None
        columns = data.history.series.get(parse_interval(interval).length_us)
        if columns is None:
            raise ValueError(f"historical.data has no window with {interval} bars for {symbol}")
        return Bars(columns)

    def get_history_quality(self, symbol: str, interval: str) -> Quality | None:
        """Expected and present bars of the window of ``interval``; None if gated, or not measured.

        Measured with ``historical.enable_quality``, over all sessions of the window, with data or not.
        """
        data = self._history_data(symbol)
        return data.history.quality.get(parse_interval(interval).length_us) if data else None

    def get_historical(self, symbol: str, name: str) -> float | MinuteValues | None:
        """The value of a historical indicator: a number, or per minute of the day a mapping; None without data.

        ValueError for a name that ``historical.indicators`` lacks.
        """
        data = self._history_data(symbol)
        if data is None:
            return None
        if name not in data.history.values:
            known = ", ".join(data.history.values) or "none"
            raise ValueError(f"{name!r} is not a historical indicator of {symbol}; there are: {known}")
        return data.history.values[name]

    def activate_session(self) -> None:
        """Let reads through (only on a SessionData that stands alone)."""
        self._mutable("activate_session").active = True
        self._state.readable = True

    def deactivate_session(self) -> None:
        """Answer external reads with None (only on a SessionData that stands alone)."""
        self._mutable("deactivate_session").active = False
        self._state.readable = False

    def append_bar(self, symbol: str, interval: str, bar: Bar) -> None:
        """Insert ``bar`` by its start, or replace the one there (only on a SessionData that stands alone).

        ValueError for a bar of another symbol or interval, or one that breaks a rule of R1.
        """
        state = self._mutable("append_bar")
        _check_bar(check_symbol(symbol), parse_interval(interval), bar)
        with state.lock:
            data = state.symbols.setdefault(symbol, SymbolData(SeriesInfo(zone=bar.span.zone), loaded=True))
            data.put(symbol, parse_interval(interval), bar)
            state.watermark_us = max(state.watermark_us, bar.end_us)

    def remove_symbol(self, symbol: str) -> bool:
        """Forget a symbol; False if it is not there (only on a SessionData that stands alone)."""
        return self._mutable("remove_symbol").drop(symbol) is not None

    def _mutable(self, what: str) -> SessionState:
        if not self._alone:
            raise UsageError(
                f"SessionData.{what} belongs to the running engine's own writer; "
                "use the coordinator (add_symbol, remove_symbol) instead"
            )
        return self._state

    def _data(self, symbol: str, *, internal: bool) -> SymbolData | None:
        state = self._state
        data = state.symbols.get(symbol)
        if data is None or internal:
            return data
        if not state.readable or symbol in state.inactive or not data.loaded:
            return None
        return data

    def _history_data(self, symbol: str) -> SymbolData | None:
        state = self._state
        data = state.symbols.get(symbol)
        return data if data and state.history_readable and symbol not in state.inactive else None

    def _newest_value(self, data: SymbolData, symbol: str, name: str, interval: str | None) -> NewestValue:
        columns = data.series(parse_interval(interval)) if interval is not None else None
        if columns is None or name not in columns.indicators:
            columns = self._with_indicator(data, symbol, name, interval)
        return data.keep_newest_value(name, interval, columns)

    def _with_indicator(self, data: SymbolData, symbol: str, name: str, interval: str | None) -> SeriesColumns:
        intervals = [parse_interval(interval)] if interval else [block.interval for block in data.blocks.values()]
        series = [data.series(i) for i in intervals]
        found = [columns for columns in series if columns is not None and name in columns.indicators]
        if len(found) == 1:
            return found[0]
        known = sorted({n for b in data.blocks.values() for n in b.indicators})
        problem = "is on more than one interval: name one" if found else "is not configured"
        where = f" on {interval}" if interval else ""
        raise ValueError(
            f"indicator {name!r} of {symbol}{where} {problem}; there are: {', '.join(known) or 'none'}"
        )


def _check_bar(symbol: str, interval: Interval, bar: Bar) -> None:
    """ValueError for a bar that is not what it is said to be, or not valid."""
    if bar.symbol != symbol or parse_interval(bar.interval) != interval:
        raise ValueError(f"{bar!r} is no {interval} bar of {symbol}")
    columns = ([bar.open], [bar.high], [bar.low], [bar.close], [bar.volume])
    prices = (np.array(column, dtype=np.float64) for column in columns)
    broken = int(broken_rule(interval, np.array([bar.start_us]), *prices)[0])
    if broken >= 0:
        raise ValueError(f"{bar!r} breaks the rule {RULES[broken]}")
