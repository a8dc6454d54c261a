"""Small worlds for Hypothesis to draw: a calendar, stored bars with holes and faults, a configuration."""

from __future__ import annotations

import random
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from functools import lru_cache
from typing import Any
from zoneinfo import ZoneInfo

from hypothesis import strategies as st

from mismartera.bars.instants import DAY_US, MINUTE_US, SECOND_US, to_us
from mismartera.config import SessionConfig
from mismartera.testing.reference_bars import RefBar
from mismartera.timing import TimeManager

Rows = dict[tuple[str, str], list[RefBar]]
Json = dict[str, Any]


class World:
    """Stored bars and the configuration of a run over them (as JSON, so that a failure can be read and edited).

    No dataclass: Hypothesis would print all fields of one, and a world has thousands of bars.
    """

    def __init__(self, bars: Rows, json: Json) -> None:
        self.bars = bars
        self.json = json

    @property
    def config(self) -> SessionConfig:
        return SessionConfig.from_dict(self.json)

    def __repr__(self) -> str:
        shape = {f"{symbol} {interval}": len(rows) for (symbol, interval), rows in self.bars.items()}
        return f"World(bars={shape}, json={self.json!r})"


@dataclass(frozen=True)
class Place:
    """An exchange and dates worth drawing; ``hours`` keep a day short (None: the calendar's own)."""

    calendar: str
    starts: tuple[str, ...]
    hours: tuple[tuple[str, str] | None, ...]


NEW_YORK = Place(
    "XNYS",
    ("2024-07-02", "2024-07-03", "2024-03-08", "2024-11-01", "2011-03-11"),
    (("09:30", "09:50"), ("09:30", "10:10"), ("09:30", "10:10"), ("09:31", "09:45"), ("04:00", "04:40"), None),
)
HONG_KONG = Place("XHKG", ("2024-01-17", "2024-07-02"), (None, ("11:50", "13:20")))
CRYPTO = Place(
    "24/7",
    ("2018-04-04", "2024-03-10"),
    (("00:00", "00:30"), ("00:00", "00:30"), ("23:30", "24:00"), ("23:30", "24:00"), None),
)
PLACES = (NEW_YORK, NEW_YORK, HONG_KONG, CRYPTO)

SYMBOLS = ("B", "A", "C/USD", "D-1")
UNKNOWN = "NONE"
LONG_AGO = RefBar(to_us(datetime(2010, 1, 4, 15, tzinfo=UTC)), 1.0, 1.0, 1.0, 1.0, 1.0)
"""What is stored of a symbol that is known and has no bars in the run."""
STREAMS = (
    ["1m"], ["1m", "5m"], ["1m", "5m", "15m"], ["5m"], ["2m", "15m"], ["1m", "2m", "1d"], ["1d"], ["15m", "1h"],
    ["7m", "1m"], ["60s", "300s"], ["90s", "5m"], ["30s", "1m"],
)  # fmt: skip
INDICATORS: tuple[tuple[str, Json, str], ...] = (
    ("SMA", {"timeperiod": 2}, "close"), ("SMA", {"timeperiod": 3}, "volume"), ("EMA", {"timeperiod": 3}, "close"),
    ("RSI", {"timeperiod": 3}, "close"), ("MACD", {"fastperiod": 2, "slowperiod": 4, "signalperiod": 2}, "close"),
    ("ATR", {"timeperiod": 3}, "close"), ("OBV", {}, "close"),
)  # fmt: skip


@lru_cache(maxsize=16)
def time_of(calendar: str, hours: tuple[str, str] | None) -> TimeManager:
    """The calendar's time, for the making of worlds."""
    return TimeManager(calendar, hours=hours)


class Dice(random.Random):
    """The small choices of a world: Hypothesis would draw the extremes, and most of those worlds are empty."""

    def one_of(self, *options: Any) -> Any:
        return options[self.randrange(len(options))]

    def chance(self, share: float) -> bool:
        return self.random() < share


@st.composite
def worlds(draw: st.DrawFn, *, with_schedule: bool = True, two_bases: bool = True) -> World:
    symbols = SYMBOLS[: draw(st.sampled_from([3, 4, 2]))]
    count = draw(st.sampled_from([1, 2, 3]))
    entries = draw(st.sampled_from([3, 6, 1, 8])) if with_schedule else 0
    dice = Dice(draw(st.integers(0, 2**32)))
    place: Place = dice.one_of(*PLACES)
    hours = dice.one_of(*place.hours)
    time = time_of(place.calendar, hours)
    sessions = [time.next_trading_date(date.fromisoformat(dice.one_of(*place.starts)) - timedelta(days=1))]
    while len(sessions) < (count if hours else 1):
        sessions.append(time.next_trading_date(sessions[-1]))
    streams = dice.one_of(*STREAMS[: -2 if hours is None or dice.chance(0.5) else None])
    bars = stored_bars(dice, time, symbols, sessions, short=hours is not None, two_bases=two_bases)
    present = max(len(symbols) - dice.one_of(1, 1, 2, 0), 0) if with_schedule else len(symbols)
    configured = [*symbols[:present], *([UNKNOWN] if present and dice.chance(0.1) else [])]
    data: Json = {
        "symbols": configured, "streams": streams, "derived_bars": dice.one_of("any", "any", "complete"),
        "hours": {"open": hours[0], "close": hours[1]} if hours else "regular",
        "gap_filler": {"enable_session_quality": dice.chance(0.9)},
        "streaming": streaming(dice), "indicators": indicators(dice, streams), "historical": history(dice),
    }  # fmt: skip
    schedule = schedules(dice, time, sessions, symbols, entries)
    return World(bars, run_of(place.calendar, sessions, data, schedule))


def run_of(calendar: str, sessions: list[date], data: Json, schedule: list[Json]) -> Json:
    """The JSON of a backtest."""
    return {
        "calendar": calendar, "mode": "backtest", "session_data_config": data, "schedule": schedule,
        "backtest_config": {"start_date": sessions[0].isoformat(), "end_date": sessions[-1].isoformat()},
    }  # fmt: skip


def streaming(dice: Dice) -> Json:
    return {
        "catchup_threshold_seconds": dice.one_of(1, 30, 60, 61, 120, 300, 600, 7200),
        "catchup_check_interval": dice.one_of(1, 2, 3, 7, 10, 100),
        "catchup_scope": dice.one_of("session", "session", "symbol"),
    }


def indicators(dice: Dice, streams: list[str]) -> list[Json]:
    return [
        {"name": name, "interval": dice.one_of(*streams), "params": params, "input": source}
        for name, params, source in dice.sample(INDICATORS, dice.randrange(4))
    ]


def history(dice: Dice) -> Json:
    windows = [
        {
            "trailing_days": dice.one_of(1, 2),
            "intervals": dice.one_of(["1m"], ["5m"], ["1d"], ["1m", "1d"]),
            "apply_to": dice.one_of("all", "all", ["A"], ["B", "D-1"]),
        }
        for _ in range(dice.one_of(0, 0, 1, 2))
    ]
    return {"data": windows}


def stored_bars(
    dice: Dice, time: TimeManager, symbols: tuple[str, ...], sessions: list[date], *, short: bool, two_bases: bool
) -> Rows:
    """Bars of the ``sessions`` and two before them: whole days, holes, missing days, foreign and broken rows."""
    before = time.previous_trading_date(sessions[0])
    days = [time.previous_trading_date(before), before, *sessions]
    rows: Rows = {}
    kinds = ["1m"] * 8 + ["1d"] + (["1s"] if short else [])
    if two_bases:
        kinds += ["1m+1d"] + (["1s+1m"] if short else [])
    for symbol in symbols:
        for label in dice.one_of(*kinds).split("+"):
            found = [row for day in days for row in day_rows(dice, time, day, label)]
            unique = {row.start_us: row for row in found} or {LONG_AGO.start_us: LONG_AGO}
            rows[symbol, label] = list(unique.values())
    return rows


PRESENCE = {"all": 1.0, "most": 0.9, "some": 0.5, "few": 0.05, "none": 0.0}


def day_rows(dice: Dice, time: TimeManager, day: date, label: str) -> list[RefBar]:
    session = time.get_trading_session(day)
    if label == "1d":
        at = dice.one_of(session.open_us, midnight_utc(day), midnight(day, session.zone), None)
        return [] if at is None else [priced(at, dice)]
    length = SECOND_US if label == "1s" else MINUTE_US
    slots = (session.close_us - session.open_us) // length
    outside = 5 if label == "1m" else 60
    kind = dice.one_of("all", "all", "most", "most", "some", "some", "few", "none", "late", "gap")
    if kind in PRESENCE:
        share = PRESENCE[kind] * (0.1 if label == "1s" else 1)
        numbers = [slot for slot in range(-outside, slots + outside) if dice.chance(share)]
    else:
        first, last = sorted((dice.randrange(slots + 1), dice.randrange(slots + 1)))
        inside = range(slots)
        numbers = [*inside[first:]] if kind == "late" else [*inside[:first], *inside[last:]]
    broken = dice.one_of(0.0, 0.02)
    shift = 30 * SECOND_US if label == "1m" and dice.chance(0.2) else 0
    starts = [session.open_us + slot * length + (shift if dice.chance(0.1) else 0) for slot in numbers]
    return [priced(start, dice, broken) for start in starts]


def priced(start_us: int, seed: random.Random, broken: float = 0.0) -> RefBar:
    """A valid bar with prices and volumes that no sum of doubles forgives; now and then one that breaks a rule."""
    open_, close = seed.uniform(1, 200), seed.uniform(1, 200)
    high, low = max(open_, close) + seed.choice([0.0, 0.1, 3.3]), min(open_, close) * seed.choice([1.0, 0.97])
    volume = seed.choice([0.0, 0.1, 0.2, 0.7, 100.0, 1e9, seed.uniform(0, 1e6)])
    bar = RefBar(start_us, open_, high, low, close, volume)
    if seed.random() < broken:
        faults: list[Json] = [
            {"high": low / 2}, {"low": high * 2}, {"open": 0.0}, {"volume": -1.0}, {"close": float("nan")},
            {"volume": float("inf")}, {"low": -1.0},
        ]  # fmt: skip
        bar = bar._replace(**seed.choice(faults))
    return bar


def midnight(day: date, zone: ZoneInfo) -> int:
    return to_us(datetime(day.year, day.month, day.day, tzinfo=zone))


def midnight_utc(day: date) -> int:
    return (day - date(1970, 1, 1)).days * DAY_US


def schedules(
    dice: Dice, time: TimeManager, sessions: list[date], symbols: tuple[str, ...], count: int
) -> list[Json]:
    """Adds, removals and additions again, at times around and inside the sessions, several of them at one time."""
    moments = [scheduled_time(dice, time, sessions) for _ in range(dice.one_of(1, 2, 4))]
    entries: list[Json] = [{"at": moments[0], "add": symbols[-1]}] if count else []
    for _ in range(count - 1):
        name = UNKNOWN if dice.chance(0.1) else dice.one_of(symbols[-1], *symbols)
        entry: Json = {"at": dice.one_of(*moments), dice.one_of("add", "add", "remove"): name}
        if "add" in entry and dice.chance(0.2):
            entry["streams"] = dice.one_of(*STREAMS)
        entries.append(entry)
    return entries


def scheduled_time(dice: Dice, time: TimeManager, sessions: list[date]) -> str:
    session = time.get_trading_session(dice.one_of(*sessions))
    length = session.close_us - session.open_us
    kind = dice.one_of(*["minute"] * 7, "second", "second", "open", "close", "before", "after", "break")
    if kind in {"minute", "second"}:
        unit = MINUTE_US if kind == "minute" else SECOND_US
        at = session.open_us + dice.randint(0, length // unit) * unit
    elif kind == "break":
        at = session.parts[0][1] + dice.one_of(0, 60, 1799) * SECOND_US
    else:
        at = {"open": session.open_us, "close": session.close_us, "before": session.open_us - 7 * MINUTE_US,
              "after": session.close_us + 3 * MINUTE_US}[kind]  # fmt: skip
    return datetime.fromtimestamp(at // SECOND_US, tz=session.zone).isoformat()
