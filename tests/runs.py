"""Runs for the tests of sessions: a small market in a real store, a log, a strategy that keeps what it is told."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

from mismartera import Bar, DataManager, SessionConfig, Strategy
from mismartera.bars.instants import to_datetime, to_us
from mismartera.session.ports import Field
from mismartera.timing import PacedClock

NEW_YORK = ZoneInfo("America/New_York")
DAY, HALF_DAY = "2024-07-02", "2024-07-03"
FULL_DAY = range(390)


def moment(time: str, day: str = DAY) -> datetime:
    """``time`` of ``day`` in New York."""
    return datetime.fromisoformat(f"{day}T{time}").replace(tzinfo=NEW_YORK)


def us(time: str, day: str = DAY) -> int:
    """:func:`moment` in microseconds."""
    return to_us(moment(time, day))


def clock_time(instant_us: int) -> str:
    """``09:31``, or ``09:31:30`` where there are seconds."""
    found = to_datetime(instant_us, NEW_YORK)
    return found.strftime("%H:%M:%S" if found.second else "%H:%M")


def minute_bars(
    symbol: str, minutes: Iterable[int] = FULL_DAY, *, day: str = DAY, price: float = 100.0
) -> list[Bar]:
    """Bars of the given minutes after 09:30, no two alike."""
    first = moment("09:30", day)
    return [
        Bar(
            symbol, "1m", first + timedelta(minutes=m), open=price + m, high=price + m + 2, low=price + m - 1,
            close=price + m + 1, volume=1000.0 + m,
        )
        for m in minutes
    ]  # fmt: skip


def write_market(path: Path) -> DataManager:
    """AAA, BBB, CCC, DDD: two full sessions, the second a half day. FIFTEEN: a quarter of an hour. IDLE: known, no
    bar on these days. DAILY: daily bars only. UNKNOWN is not in it.
    """
    data = DataManager(path)
    full = ("AAA", "BBB", "CCC", "DDD")
    items = [(s, "1m", minute_bars(s, price=100.0 * (k + 1))) for k, s in enumerate(full)]
    items += [
        (s, "1m", minute_bars(s, range(210), day=HALF_DAY, price=100.0 * (k + 1))) for k, s in enumerate(full)
    ]
    items.append(("FIFTEEN", "1m", minute_bars("FIFTEEN", range(15))))
    items.append(("IDLE", "1m", minute_bars("IDLE", range(5), day="2024-06-28")))
    daily = Bar("DAILY", "1d", moment("09:30"), open=10.0, high=11.0, low=9.0, close=10.0, volume=5.0)
    data.write_many([*items, ("DAILY", "1d", [daily])])
    return data


def config(
    *symbols: str, streams: Sequence[str] = ("1m",), streaming: Mapping[str, Any] | None = None,
    schedule: Sequence[tuple[str, str, str]] = (), hours: tuple[str, str] | None = None, speed: float = 0,
    dates: tuple[str, str] = (DAY, DAY), on_error: str = "stop", **data: Any,
) -> SessionConfig:  # fmt: skip
    """A backtest. ``schedule``: (time, "add" or "remove", symbol). A strategy's failed assertion ends the run."""
    return SessionConfig.from_dict({
        "backtest_config": {"start_date": dates[0], "end_date": dates[1], "speed_multiplier": speed},
        "session_data_config": {
            "symbols": list(symbols), "streams": list(streams), "streaming": dict(streaming or {}),
            "hours": {"open": hours[0], "close": hours[1]} if hours else "regular", **data,
        },
        "schedule": [{"at": at if "T" in at else f"{DAY}T{at}", what: symbol} for at, what, symbol in schedule],
        "analysis": {"on_strategy_error": on_error},
    })  # fmt: skip


class Log:
    """A sink that keeps the events as lines: ``12:00 session_deactivated lag 8940 CCC``. Bars only if wanted."""

    def __init__(self, *, wants_bars: bool = False) -> None:
        self.wants_bars = wants_bars
        self.wants_gaps = True
        self.lines: list[str] = []
        self.events: list[tuple[str, int, dict[str, Field]]] = []

    def event(self, name: str, now_us: int, fields: Mapping[str, Field]) -> None:
        self.events.append((name, now_us, dict(fields)))
        order = ("date", "reason", "lag_seconds", "symbol", "error", "name", "value")
        words = [f"{v:g}" if isinstance(v := fields[key], float) else str(v) for key in order if key in fields]
        self.lines.append(" ".join([clock_time(now_us), name, *(word for word in words if word != "None")]))

    def bar(self, bar: Bar) -> None:
        self.lines.append(f"{clock_time(bar.end_us)} bar {bar.symbol} {bar.interval}")

    def since(self, time: str) -> list[str]:
        """The lines from the first one at ``time`` on."""
        return self.lines[next(k for k, line in enumerate(self.lines) if line.split()[0] >= time) :]

    def of(self, symbol: str) -> list[str]:
        """The events of one symbol's life, without times and reasons, the session's own left out."""
        return [
            name.removeprefix("symbol_")
            for name, _, fields in self.events
            if fields.get("symbol") == symbol and name.startswith("symbol_")
        ]


class Recorder(Strategy):
    """Keeps what it is told. ``on`` maps a moment, ``"AAA 10:00"``, to what it does when that bar comes."""

    def __init__(self, on: Mapping[str, Callable[[], object]] | None = None) -> None:
        super().__init__()
        self.on = dict(on or {})
        self.bars: list[Bar] = []
        self.told: list[str] = []

    def on_bar(self, bar: Bar) -> None:
        if not self.bars or self.bars[-1].end_us != bar.end_us:  # measured once, when the instant is handed over
            lag_us = round(bar.lag_seconds * 1e6)
            assert to_us(self.session.now) == bar.end_us + lag_us, "the clock stands at the bar's end and its lag"
        assert self.session.is_active
        view = self.session.bars(bar.symbol, bar.interval)
        assert view is not None and view[-1].end_us >= bar.end_us, "what is notified can be read"
        self.bars.append(bar)
        self.on.get(f"{bar.symbol} {clock_time(bar.end_us)}", int)()

    def on_start(self) -> None:
        self.told.append("start")

    def on_session_open(self) -> None:
        self.told.append("open")

    def on_session_close(self) -> None:
        self.told.append("close")

    def on_stop(self) -> None:
        self.told.append("stop")

    def on_session_active(self, active: bool, reason: str) -> None:
        self.told.append(f"session {'active' if active else 'inactive'} {reason}")

    def on_symbol_active(self, symbol: str, active: bool, reason: str) -> None:
        self.told.append(f"{symbol} {'active' if active else 'inactive'} {reason}")

    def on_symbol_loaded(self, symbol: str) -> None:
        self.told.append(f"{symbol} loaded")

    def on_symbol_removed(self, symbol: str) -> None:
        self.told.append(f"{symbol} removed")

    def on_symbol_failed(self, symbol: str) -> None:
        self.told.append(f"{symbol} failed")

    def ends(self, symbol: str, interval: str = "1m") -> list[str]:
        """When the delivered bars of a series ended."""
        return [clock_time(b.end_us) for b in self.bars if (b.symbol, b.interval) == (symbol, interval)]


class SimulatedPace(PacedClock):
    """A paced clock on a wall that stands still but for waits, which take no real time, and ``work``."""

    def __init__(self, speed: float) -> None:
        self._wall_seconds = 0.0
        super().__init__(speed, lambda: self._wall_seconds)

    def work(self, market_seconds: float) -> None:
        """Something takes so long that the market goes on by ``market_seconds``."""
        self._wall_seconds += market_seconds / self.speed

    def wall_seconds_until(self, us: int) -> float:
        seconds = super().wall_seconds_until(us)
        if not math.isfinite(seconds):
            return seconds
        self._wall_seconds += seconds
        return 0.0
