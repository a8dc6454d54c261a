"""SessionConfig: the whole configuration of a run."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Literal, Self

from pydantic import Field

from mismartera.config.fields import CalendarCode, JsonObject, Text
from mismartera.config.frozen import FrozenDict
from mismartera.config.json_file import read_json
from mismartera.config.model import ConfigModel
from mismartera.config.problems import Fault, shown
from mismartera.config.run import (
    AnalysisConfig,
    ApiConfig,
    BacktestConfig,
    BridgeConfig,
    FeedConfig,
    ScheduleEntry,
    TradingConfig,
)
from mismartera.config.session_data import SessionDataConfig, symbol_faults
from mismartera.errors import ConfigError

_CALENDARS = {"US_EQUITY": "XNYS", "HK_EQUITY": "XHKG", "CRYPTO": "24/7"}


class SessionConfig(ConfigModel):
    """A session and how to run it. A backtest needs at least ``session_data_config`` and ``backtest_config``.

    ``exchange_group`` or ``calendar`` names the exchange (US_EQUITY if neither is given). Frozen: a change, such
    as an added symbol, makes a new configuration.
    """

    schema_uri: Text | None = Field(default=None, validation_alias="$schema", serialization_alias="$schema")
    """Address of the JSON Schema, for editors; it means nothing to a run."""
    session_name: Text = "session"
    """A name for people."""
    calendar: CalendarCode | None = None
    """Trading calendar by its ISO 10383 code, for exchanges that have no exchange_group."""
    exchange_group: Literal["US_EQUITY", "HK_EQUITY", "CRYPTO"] | None = Field(
        default_factory=lambda data: None if data.get("calendar") else "US_EQUITY"
    )
    """The exchange: US_EQUITY (calendar XNYS), HK_EQUITY (XHKG) or CRYPTO (24/7)."""
    asset_class: Text = "EQUITY"
    """What is traded, a name for people and strategies."""
    mode: Literal["backtest", "live"] = "backtest"
    """"backtest": stored bars by a simulated clock; "live": bars of the feed as they come."""
    backtest_config: BacktestConfig | None = None
    """Dates and speed; required in mode backtest."""
    feed: FeedConfig | None = None
    """Source of live bars; required in mode live."""
    bridge: BridgeConfig | None = None
    """The bus on which ``mismartera bridge`` shares the feed; a session does not read it."""
    session_data_config: SessionDataConfig
    """Symbols, intervals and what is made of them."""
    schedule: tuple[ScheduleEntry, ...] = ()
    """Changes in mid-session; entries of one time act in their order."""
    analysis: AnalysisConfig = Field(default_factory=AnalysisConfig)
    """The strategies."""
    trading_config: TradingConfig = Field(default_factory=TradingConfig)
    """Limits for strategies."""
    api_config: ApiConfig = Field(default_factory=ApiConfig)
    """Names of services."""
    metadata: JsonObject = FrozenDict()
    """Anything of the user's own, kept and not read."""

    @classmethod
    def from_file(cls, path: str | Path) -> Self:
        """The configuration in the JSON file at ``path`` (UTF-8).

        ConfigError for a file that cannot be read, is not JSON, gives a key twice, or holds a wrong configuration.
        """
        return cls.from_dict(read_json(path), source=str(path))

    @property
    def calendar_code(self) -> str:
        """The trading calendar: XNYS, XHKG, 24/7 or the one that was given."""
        return self.calendar or _CALENDARS[self.exchange_group or "US_EQUITY"]

    @property
    def sessions_per_week(self) -> int:
        """How many sessions make a week in a period such as ``2w``."""
        return 7 if self.calendar_code == "24/7" else 5

    def with_symbols(self, symbols: tuple[str, ...]) -> Self:
        """This configuration with other symbols, in their rank; ConfigError if they are no symbols or repeat."""
        problems = [str(fault) for fault in symbol_faults(symbols)]
        if problems:
            raise ConfigError(problems)
        data = self.session_data_config.model_copy(update={"symbols": tuple(symbols)})
        return self.model_copy(update={"session_data_config": data})

    def find_faults(self) -> Iterator[Fault]:
        """What a mode lacks, two calendars, and periods longer than their history."""
        mode = (("mode",),)
        if self.mode == "backtest" and self.backtest_config is None:
            yield Fault(("backtest_config",), 'missing; this key is required in mode "backtest"', because=mode)
        if self.mode == "live" and self.feed is None:
            yield Fault(("feed",), 'missing; this key is required in mode "live"', because=mode)
        group = self.exchange_group
        if self.calendar is not None and group is not None and _CALENDARS[group] != self.calendar:
            text = f"{shown(self.calendar)} contradicts exchange_group {shown(group)}; allowed: one of the two"
            yield Fault(("calendar",), text)
        data = "session_data_config"
        if self.mode == "backtest" and self.session_data_config.streaming.catchup_scope == "strategy":
            text = '"strategy" is for mode "live" only; allowed: "session", "symbol"'
            yield Fault((data, "streaming", "catchup_scope"), text, because=mode)
        for fault in self.session_data_config.historical.find_long_periods(self.sessions_per_week):
            found = fault.under((data, "historical"))
            yield found._replace(because=(*found.because, ("calendar",), ("exchange_group",)))
