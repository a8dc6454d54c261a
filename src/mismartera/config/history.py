"""History before the session: trailing windows of bars, and what is computed from them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Annotated, Literal

from pydantic import AfterValidator, Discriminator, Tag

from mismartera.config.fields import DAYS_MAX, Bounds, Intervals, Period, Symbol, interval_length_us, is_interval
from mismartera.config.frozen import FrozenDict
from mismartera.config.model import ConfigModel
from mismartera.config.problems import LIST_TAG, TEXT_TAG, Fault, repeated, shown

MINUTE_US = 60_000_000


def _symbols_kind(value: object) -> str | None:
    if value == "all":
        return TEXT_TAG
    return LIST_TAG if isinstance(value, tuple) else None


Symbols = Annotated[
    Annotated[Literal["all"], Tag(TEXT_TAG)] | Annotated[tuple[Symbol, ...], Tag(LIST_TAG)],
    Discriminator(
        _symbols_kind,
        custom_error_type="symbols",
        custom_error_message='neither "all" nor a list; allowed: "all", or a list of symbols',
    ),
]


class HistoricalWindow(ConfigModel):
    """Bars of past sessions, loaded before every session and for every symbol that is added."""

    trailing_days: Annotated[int, Bounds(low=1, high=DAYS_MAX)]
    """Sessions of the calendar before the current one, whether they have data or not."""
    intervals: Intervals = ("1m",)
    """Intervals to load; those that the store lacks are derived."""
    apply_to: Symbols = "all"
    """"all", or the list of symbols that get this window."""

    def find_faults(self) -> Iterator[Fault]:
        """Repeated intervals and symbols."""
        yield from repeated(("intervals",), ((interval_length_us(label), label) for label in self.intervals))
        if self.apply_to != "all":
            yield from repeated(("apply_to",), ((name, name) for name in self.apply_to))

    @property
    def has_minutes(self) -> bool:
        """True if its bars tell one minute of the day from another."""
        return any(MINUTE_US % interval_length_us(label) == 0 for label in self.intervals)


class HistoricalIndicator(ConfigModel):
    """One figure per symbol (or per minute of the day) from the sessions before the current one.

    It uses the days that are present and has no value if there is none.
    """

    type: Literal["trailing_average", "trailing_max", "trailing_min"]
    """What is made of the values of the period."""
    period: Period
    """Length of the past: "10d" is ten sessions, "2w" two weeks of sessions; of a symbol whose own windows are
    shorter, what they hold.
    """
    granularity: Literal["daily", "minute"] = "daily"
    """"daily": of daily bars; "minute": for each minute of the day by itself."""
    field: Literal["open", "high", "low", "close", "volume"] = "close"
    """The column of the bars that is used."""

    def period_sessions(self, sessions_per_week: int) -> int:
        """The period in sessions."""
        return int(self.period[:-1]) * (sessions_per_week if self.period.endswith("w") else 1)


class HistoricalConfig(ConfigModel):
    """What is loaded and computed before a session starts."""

    enable_quality: bool = True
    """Measure the quality of the history that was loaded."""
    data: tuple[HistoricalWindow, ...] = ()
    """Windows of past bars. An interval that is in several windows is loaded as far back as the longest says."""
    indicators: Annotated[Mapping[str, HistoricalIndicator], AfterValidator(FrozenDict)] = FrozenDict()
    """Historical indicators by name."""

    def find_faults(self) -> Iterator[Fault]:
        """Indicators with a name of another kind, or without a window to come from."""
        for name, indicator in self.indicators.items():
            loc = ("indicators", name)
            if is_interval(name) or not name.strip():
                yield Fault(
                    loc, f"{shown(name)} cannot be the name of an indicator; allowed: text that is no interval"
                )
            if not self.data:
                text = "has no history to come from; allowed: with at least one window in 'data'"
                yield Fault(loc, text, because=(("data",),))
            elif indicator.granularity == "minute" and not any(window.has_minutes for window in self.data):
                text = '"minute" needs bars of a minute or less; allowed: with a window in \'data\' that has "1m"'
                yield Fault((*loc, "granularity"), text, because=(("data",),))

    def find_long_periods(self, sessions_per_week: int) -> Iterator[Fault]:
        """Indicators that reach further back than any window that they can use."""
        for name, indicator in self.indicators.items():
            windows = [w.trailing_days for w in self.data if indicator.granularity == "daily" or w.has_minutes]
            asked = indicator.period_sessions(sessions_per_week)
            if windows and asked > max(windows):
                text = (
                    f"{shown(indicator.period)} is {asked} sessions; "
                    f"allowed: at most {max(windows)}, the longest window in 'data'"
                )
                yield Fault(("indicators", name, "period"), text, because=(("data",),))
