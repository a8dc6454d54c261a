"""What a session holds: symbols, intervals, history, indicators, and how late it may be."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Annotated, Literal

from pydantic import Discriminator, Field, Tag

from mismartera.config.fields import (
    COUNT_MAX,
    SECONDS_MAX,
    Bounds,
    FunctionName,
    IntervalLabel,
    Intervals,
    Numbers,
    Symbol,
    TimeOfDay,
    check_symbol_name,
    interval_length_us,
)
from mismartera.config.frozen import FrozenDict
from mismartera.config.history import HistoricalConfig
from mismartera.config.model import ConfigModel
from mismartera.config.problems import OBJECT_TAG, TEXT_TAG, Fault, repeated, shown


class StreamingConfig(ConfigModel):
    """How far behind the clock a session may be, how often that is looked at, and how long things may take."""

    catchup_threshold_seconds: Annotated[float, Bounds(low=1, high=SECONDS_MAX)] = 60.0
    """A bar that is handed over later than this after its end is stale: the session is deactivated until it has
    caught up."""
    catchup_check_interval: Annotated[int, Bounds(low=1, high=100)] = 10
    """While the session is active, the lag is evaluated every so many base bars."""
    catchup_scope: Literal["session", "symbol", "strategy"] = "session"
    """What one lagging symbol deactivates: the session, the symbol, or (live only) the strategies that use it."""
    load_timeout_seconds: Annotated[float, Bounds(above=0, high=SECONDS_MAX)] = 60.0
    """A symbol that takes longer to load has failed."""
    bar_grace_seconds: Annotated[float, Bounds(low=0, high=SECONDS_MAX)] = 10.0
    """Live: how long after its end a bar is waited for before the instant is complete without it."""
    command_timeout_seconds: Annotated[float, Bounds(above=0, high=SECONDS_MAX)] = 5.0
    """How long a removal waits for a callback that runs on another thread."""


class GapFillerConfig(ConfigModel):
    """Quality of the session's own bars, and how gaps are filled (live)."""

    enable_session_quality: bool = True
    """Measure the quality and the gaps of the session."""
    max_retries: Annotated[int, Bounds(low=0, high=COUNT_MAX)] = 5
    """Live: how many times a missing bar is asked for again before it is reported as a gap."""
    retry_interval_seconds: Annotated[float, Bounds(low=1, high=SECONDS_MAX)] = 60.0
    """Live: time between two requests for a missing bar."""


class HoursConfig(ConfigModel):
    """Hours of each session day in place of the calendar's regular ones, in exchange time."""

    open: TimeOfDay
    """First moment, "HH:MM"."""
    close: TimeOfDay
    """Moment after the last, "HH:MM"; "24:00" is the end of the day."""

    def find_faults(self) -> Iterator[Fault]:
        """A close that is not after the open."""
        if self.close <= self.open:  # of one width, so that the order of the texts is that of the times
            text = f"{shown(self.close)} is not after the open; allowed: after {shown(self.open)}"
            yield Fault(("close",), text)

    @property
    def open_minutes(self) -> int:
        """Minutes from midnight to the open."""
        return _minutes(self.open)

    @property
    def close_minutes(self) -> int:
        """Minutes from midnight to the close."""
        return _minutes(self.close)


class IndicatorConfig(ConfigModel):
    """A TA-Lib indicator on the session's bars of one interval."""

    name: FunctionName
    """TA-Lib's name, for example "SMA"."""
    interval: IntervalLabel
    """One of the session's streams."""
    params: Numbers = FrozenDict()
    """Parameters by TA-Lib's names, for example {"timeperiod": 20}; TA-Lib's defaults for the others."""
    input: Literal["open", "high", "low", "close", "volume"] = "close"
    """The column that is read by functions of a single price."""


def _hours_kind(value: object) -> str | None:
    if value == "regular":
        return TEXT_TAG
    return OBJECT_TAG if isinstance(value, dict | HoursConfig) else None


Hours = Annotated[
    Annotated[Literal["regular"], Tag(TEXT_TAG)] | Annotated[HoursConfig, Tag(OBJECT_TAG)],
    Discriminator(
        _hours_kind,
        custom_error_type="hours",
        custom_error_message='no hours; allowed: "regular", or {"open": "HH:MM", "close": "HH:MM"}',
    ),
]


class SessionDataConfig(ConfigModel):
    """Which symbols and intervals a session streams, and what is made of them."""

    symbols: tuple[Symbol, ...]
    """The symbols at the start, in their rank; none is allowed, and none means none."""
    streams: Intervals = ("1m",)
    """Intervals that are delivered: "<n>s", "<n>m", "<n>h" or "1d"."""
    hours: Hours = "regular"
    """"regular": the calendar's hours; or {"open": "HH:MM", "close": "HH:MM"} in exchange time."""
    derived_bars: Literal["any", "complete"] = "any"
    """"any": a derived bar is made of the base bars that are there; "complete": only if none is missing."""
    streaming: StreamingConfig = Field(default_factory=StreamingConfig)
    """Lag, activation and time limits."""
    historical: HistoricalConfig = Field(default_factory=HistoricalConfig)
    """Bars and figures of past sessions."""
    gap_filler: GapFillerConfig = Field(default_factory=GapFillerConfig)
    """Quality and gaps of the session."""
    indicators: tuple[IndicatorConfig, ...] = ()
    """Indicators on the session's bars."""

    def find_faults(self) -> Iterator[Fault]:
        """Repeated symbols and intervals, and indicators that cannot be computed."""
        yield from repeated(("symbols",), ((name, name) for name in self.symbols))
        yield from repeated(("streams",), ((interval_length_us(label), label) for label in self.streams))
        lengths = {interval_length_us(label) for label in self.streams}
        for index, indicator in enumerate(self.indicators):
            if interval_length_us(indicator.interval) not in lengths:
                allowed = ", ".join(map(shown, self.streams))
                text = f"{shown(indicator.interval)} is not in streams; allowed: {allowed}"
                yield Fault(("indicators", index, "interval"), text, because=(("streams",),))
        if self.indicators:
            yield from self._find_bad_indicators()

    def _find_bad_indicators(self) -> Iterator[Fault]:
        from mismartera.indicators import resolve_indicator  # TA-Lib takes most of a second to import

        owners: dict[tuple[int, str], int] = {}
        for index, indicator in enumerate(self.indicators):
            try:
                spec = resolve_indicator(indicator.name, indicator.interval, indicator.params, indicator.input)
            except ValueError as error:
                yield Fault(("indicators", index), str(error))
                continue
            for column in spec.columns:
                owner = owners.setdefault((interval_length_us(indicator.interval), column), index)
                if owner != index:
                    text = f"makes the column {shown(column)} again; allowed: each indicator once per interval"
                    yield Fault(("indicators", index), text)


def symbol_faults(symbols: tuple[str, ...]) -> Iterator[Fault]:
    """What is wrong with a list of symbols: names that are none, and names that repeat."""
    for index, name in enumerate(symbols):
        try:
            check_symbol_name(name)
        except ValueError as error:
            yield Fault(("symbols", index), str(error))
    yield from repeated(("symbols",), ((name, name) for name in symbols))


def _minutes(time_of_day: str) -> int:
    return int(time_of_day[:2]) * 60 + int(time_of_day[3:])
