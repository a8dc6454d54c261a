"""Sample data: made-up bars that look like an exchange's, marked as generated, the same for the same seed.

Volume and volatility smile (high at the open and the close), liquid symbols trade every minute and sparse ones now
and then, one liquid symbol has a gap of some minutes on the second day, and all trade a little before and after
the regular hours. The trading hours, holidays and half days are those of the sessions that are handed in.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import UTC, date, datetime, time

import numpy as np
from msgspec import Struct
from numpy.typing import NDArray

from mismartera.bars import Bars, SeriesInfo
from mismartera.bars.instants import MINUTE_US, to_us
from mismartera.bars.view import SeriesColumns
from mismartera.catalog.manager import DataManager
from mismartera.catalog.report import WriteReport
from mismartera.errors import StoreError
from mismartera.timing import TradingSession

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]

SAMPLE_CALENDAR = "XNYS"
SAMPLE_START = date(2024, 7, 1)
SAMPLE_END = date(2024, 7, 5)
"""A week with a half day (the 3rd) and a holiday (the 4th)."""

SAMPLE_SYMBOLS = ("ALFA", "BRVO", "CHRL", "DLTA", "ECHO", "FXTR", "GOLF", "HOTL")

_EXTENDED = (time(4), time(20))
_GAP_SESSION, _GAP_AT_MINUTE, _GAP_MINUTES, _GAP_SYMBOL = 1, 97, 12, 1


class _Profile(Struct, frozen=True):
    """How a symbol trades: first price, volatility and mean volume of a minute, and how often there is a bar."""

    price: float
    volatility: float
    volume: float
    density: float


_PROFILES = (
    _Profile(187.40, 0.00045, 42_000, 1.0),
    _Profile(412.15, 0.00038, 21_000, 1.0),
    _Profile(63.80, 0.00060, 9_500, 0.999),
    _Profile(128.05, 0.00052, 6_200, 0.99),
    _Profile(24.36, 0.00085, 14_000, 0.93),
    _Profile(905.50, 0.00048, 420, 0.55),
    _Profile(1_710.00, 0.00042, 160, 0.30),
    _Profile(7.92, 0.00140, 900, 0.12),
)


def write_sample(
    data_manager: DataManager, sessions: Sequence[TradingSession], *, seed: int = 7, symbols: int = 8
) -> WriteReport:
    """Write 1m bars of ``symbols`` symbols for ``sessions`` (in order) into the store, marked as generated.

    The first eight have the names of ``SAMPLE_SYMBOLS``, more are named ``S0009`` and so on. StoreError if the
    store has bars of these names that were not generated. ValueError without sessions or symbols.
    """
    if not sessions or symbols < 1:
        raise ValueError(f"sample data need sessions and symbols: found {len(sessions)} and {symbols}")
    names = sample_symbols(symbols)
    if data_manager.exists():
        data_manager.refresh()
        real = sorted(data_manager.known_intervals(names).keys() - set(data_manager.generated_symbols()))
        if real:
            raise StoreError(
                f"the store {data_manager.path} has bars of {', '.join(real[:5])} that were not generated: "
                "choose another folder for the sample"
            )
    items = (
        (name, "1m", bars) for index, name in enumerate(names) for bars in _series(name, index, sessions, seed)
    )
    return data_manager.write_many(items, note=f"sample, seed {seed}", generated=True)


def sample_symbols(count: int) -> tuple[str, ...]:
    """The names of the first ``count`` sample symbols."""
    return (*SAMPLE_SYMBOLS, *(f"S{number:04d}" for number in range(len(SAMPLE_SYMBOLS) + 1, count + 1)))[:count]


def _series(name: str, index: int, sessions: Sequence[TradingSession], seed: int) -> Iterator[Bars]:
    """One symbol's bars, session by session; the price goes on from the last close, with a jump over night."""
    profile = _PROFILES[index % len(_PROFILES)]
    price = profile.price
    for number, session in enumerate(sessions):
        random = np.random.default_rng((seed, index, session.date.toordinal()))
        price *= float(np.exp(random.normal(0.0, 12 * profile.volatility)))
        gap = (index, number) == (_GAP_SYMBOL, _GAP_SESSION)
        bars = _day(name, session, profile, price, random, gap=gap)
        if len(bars):
            price = float(bars.close[-1])
        yield bars


def _day(
    name: str, session: TradingSession, profile: _Profile, price: float, random: np.random.Generator, *, gap: bool
) -> Bars:
    start = _minutes(session)
    activity, regular = _activity(start, session)
    chance = np.where(
        regular, profile.density * np.minimum(1.0, 0.55 + 0.45 * activity), 0.25 * profile.density**2
    )
    chance[regular & (profile.density >= 1.0)] = 1.0
    steps = random.normal(0.0, profile.volatility, len(start)) * np.sqrt(np.maximum(activity, 0.04))
    close = price * np.exp(np.cumsum(steps))
    open_ = np.concatenate(([price], close[:-1])) * np.exp(random.normal(0.0, profile.volatility / 8, len(start)))
    spread = profile.volatility * np.sqrt(np.maximum(activity, 0.04)) * 0.6
    high = np.maximum(open_, close) * (1 + spread * random.exponential(1.0, len(start)))
    low = np.minimum(open_, close) * (1 - spread * random.exponential(1.0, len(start)))
    volume = np.ceil(profile.volume * activity * random.lognormal(-0.18, 0.6, len(start)))
    traded = random.random(len(start)) < chance
    if gap:
        first = session.open_us + _GAP_AT_MINUTE * MINUTE_US
        traded &= (start < first) | (start >= first + _GAP_MINUTES * MINUTE_US)
    cents = [np.maximum(np.round(column[traded], 2), 0.01) for column in (open_, high, low, close)]
    return _bars(name, start[traded], cents, volume[traded])


def _minutes(session: TradingSession) -> Ints:
    """Starts of all minutes of the extended hours."""
    opens, closes = (
        to_us(datetime.combine(session.date, moment, tzinfo=session.zone).astimezone(UTC)) for moment in _EXTENDED
    )
    return np.arange(min(opens, session.open_us), max(closes, session.close_us), MINUTE_US)


def _activity(start: Ints, session: TradingSession) -> tuple[Floats, NDArray[np.bool_]]:
    """How much is traded in each minute (1 is a common one), and which minutes are regular ones."""
    regular = np.zeros(len(start), dtype=bool)
    for first, last in session.parts:
        regular |= (start >= first) & (start < last)
    through = (start - session.open_us) / (session.close_us - session.open_us)
    smile = (
        0.62 + 3.2 * np.exp(-through / 0.045) + 2.4 * np.exp((through - 1) / 0.04) + 0.5 * (2 * through - 1) ** 2
    )
    return np.where(regular, smile, 0.03), regular


def _bars(name: str, start: Ints, cents: list[Floats], volume: Floats) -> Bars:
    ones = np.ones(len(start), dtype=np.int64)
    open_, high, low, close = cents
    end = start + MINUTE_US
    return Bars(SeriesColumns(name, "1m", SeriesInfo(), start, end, open_, high, low, close, volume, ones))
