"""``mismartera validate`` and ``mismartera schema``."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import TYPE_CHECKING

import click

from mismartera.cli.status import log_level_option, say
from mismartera.errors import ConfigError

if TYPE_CHECKING:
    from mismartera.config import SessionConfig


@click.command()
@click.argument("config", metavar="CONFIG")
@log_level_option
def validate(config: str) -> None:
    """Check the session configuration in CONFIG, and that its strategies can be made.

    All faults are reported at once, each with its key path. Neither data nor keys are read.
    """
    from mismartera.config import SessionConfig  # heavy: pydantic

    parsed = SessionConfig.from_file(config)
    try:
        lines = _run_lines(parsed, Path(config).parent) if parsed.mode == "backtest" else []
        if parsed.mode == "live":
            _check_live(parsed, Path(config).parent)
    except ConfigError as error:  # found while building: still the file's fault
        raise ConfigError(error.problems, source=config) from error
    click.echo(f"OK: {config}")
    for name, text in [("session", f"{parsed.session_name} ({parsed.mode})"), *lines, *_data_lines(parsed)]:
        click.echo(f"  {name:<11}{text}")


@click.command()
@log_level_option
def schema() -> None:
    """Print the JSON Schema of a session configuration."""
    from mismartera.config import config_schema  # heavy: pydantic

    click.echo(json.dumps(config_schema(), indent=2))


def _run_lines(config: SessionConfig, folder: Path) -> list[tuple[str, str]]:
    """The calendar and the sessions; building the system finds what only shows when a run begins."""
    from mismartera.catalog import DataManager  # heavy: Polars and Delta Lake
    from mismartera.system import SystemManager

    system = SystemManager(config, data_manager=DataManager("data"), folder=folder, warn=_warn)
    time, dates = system.get_time_manager(), system.coordinator.dates
    half_days = sum(time.get_trading_session(day).is_half_day for day in dates)
    sessions = f"{len(dates)} session{'s' if len(dates) != 1 else ''}"
    halves = f", {half_days} of them half day{'s' if half_days != 1 else ''}" if half_days else ""
    return [
        ("calendar", f"{config.calendar_code} ({time.zone})"),
        ("dates", f"{dates[0]} to {dates[-1]}: {sessions}{halves}"),
    ]


def _check_live(config: SessionConfig, folder: Path) -> None:
    """What ``mismartera live`` checks before it looks at data and keys."""
    from mismartera.session.strategy_run import misses, runs_of  # heavy, as above
    from mismartera.system.feeds import check_feed
    from mismartera.system.live import check_live
    from mismartera.system.rehearsal import make_session_time
    from mismartera.system.strategies import load_strategies

    assert config.feed is not None, "a live session has a feed"
    check_live(config)
    check_feed(config.feed, make_session_time(config, os.environ))
    for text in misses(runs_of(load_strategies(config.analysis.strategies, [folder, Path.cwd()])), config):
        _warn(text)


def _warn(text: str) -> None:
    say(f"warning: {text}")


def _data_lines(config: SessionConfig) -> list[tuple[str, str]]:
    data = config.session_data_config
    lines = [
        ("symbols", f"{len(data.symbols)}: {_some(data.symbols)}" if data.symbols else "none"),
        ("streams", _some(data.streams)),
    ]
    if config.schedule:
        lines.append(("schedule", f"{len(config.schedule)} entr{'ies' if len(config.schedule) != 1 else 'y'}"))
    strategies = [entry.class_ for entry in config.analysis.strategies]
    return [*lines, ("strategies", _some(strategies) or "none")]


def _some(names: tuple[str, ...] | list[str], shown_max: int = 10) -> str:
    more = f" and {len(names) - shown_max} more" if len(names) > shown_max else ""
    return ", ".join(names[:shown_max]) + more
