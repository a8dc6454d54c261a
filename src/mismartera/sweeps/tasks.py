"""From a configuration and a grid to the tasks of a sweep: every one of them a configuration that can be run."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from copy import deepcopy
from datetime import date
from itertools import groupby, product
from math import prod
from pathlib import Path
from typing import Any

from msgspec import Struct

from mismartera.config import SessionConfig
from mismartera.config.json_file import read_json
from mismartera.config.model import to_json
from mismartera.config.problems import Loc, shown
from mismartera.errors import CalendarError, ConfigError
from mismartera.sweeps.grid import Grid
from mismartera.sweeps.key_path import find_missing_key, overlap, parse_key_path, put
from mismartera.timing import ExchangeCalendar, user_cache_dir

TASKS_MAX = 100_000
"""So many tasks are planned at most: beyond, a mistake is likelier than a wish."""

_PROBLEMS_MAX = 50

Parameters = tuple[tuple[str, Any], ...]
"""Key paths with the values that they have in a task, as JSON."""


class Base(Struct, frozen=True):
    """The configuration that is swept: the JSON as it was given, what it means, and where it is from."""

    given: dict[str, Any]
    config: SessionConfig
    source: str
    folder: Path | None
    """Where strategies are looked up first."""


class Task(Struct, frozen=True):
    """One run: ``config`` with the dates from ``start`` to ``end``. ``index`` is its place among all tasks."""

    index: int
    parameters: Parameters
    varied: SessionConfig
    """The configuration with this combination's values, over all its dates."""
    start: date
    end: date

    @property
    def config(self) -> SessionConfig:
        """What is run."""
        whole = self.varied.backtest_config
        assert whole is not None, "a backtest has dates"
        if (self.start, self.end) == (whole.start_date, whole.end_date):
            return self.varied
        dates = whole.model_copy(update={"start_date": self.start, "end_date": self.end})
        return self.varied.model_copy(update={"backtest_config": dates})


def read_base(config: SessionConfig | Mapping[str, Any] | str | Path) -> Base:
    """The configuration to sweep: a made one, decoded JSON, or a file. ConfigError for what is no backtest."""
    if isinstance(config, SessionConfig):
        base = Base(_given(config), config, "configuration", None)
    elif isinstance(config, Mapping):
        base = Base(dict(config), SessionConfig.from_dict(config), "configuration", None)
    else:
        given = read_json(config)
        made = SessionConfig.from_dict(given, source=str(config))
        base = Base(given, made, str(config), Path(config).resolve().parent)
    if base.config.mode != "backtest":
        raise ConfigError(
            [f'mode: {shown(base.config.mode)} cannot be swept; allowed: "backtest"'], source=base.source
        )
    return base


def _require_backtest(config: SessionConfig, source: str) -> None:
    if config.mode != "backtest":
        raise ConfigError([f'mode: {shown(config.mode)} cannot be swept; allowed: "backtest"'], source=source)


def plan_tasks(base: Base, grid: Grid, *, source: str = "grid") -> list[Task]:
    """The tasks of ``grid``: configs, then parameters, then dates, the last changing first.

    ConfigError names every key path that leads nowhere, and every combination that is no configuration.
    """
    varieties = list(grid.configs) or [{}]
    count = len(varieties) * prod(len(grid.parameters[key]) for key in grid.parameters)
    if count > TASKS_MAX:
        raise ConfigError([_too_many(count, grid, "combinations")], source=source)
    problems: list[str] = []
    bases = [_varied_base(base, grid, index, to_json(own), problems) for index, own in enumerate(varieties)]
    _raise_if_any(problems, source)
    refused: dict[str, tuple[str, int]] = {}
    combinations = list(_combinations(bases, grid, refused))
    for problem, (example, times) in refused.items():
        more = f" (and {times - 1:,} more)" if times > 1 else ""
        problems.append(f"with {example}{more}: {problem}")
    _raise_if_any(problems, source)
    tasks = _split(combinations, grid, problems, source)
    _raise_if_any(problems, source)
    return tasks


def _varied_base(
    base: Base, grid: Grid, index: int, own: Mapping[str, Any], problems: list[str]
) -> tuple[Parameters, dict[str, Any], SessionConfig]:
    """One of the grid's ``configs``, put into the configuration; what is wrong is added to ``problems``."""
    given, config = deepcopy(base.given), base.config
    found = [f'configs[{index}]["{key}"]: {why}' for key, why in _missing(config, own)]
    if not found:
        for key, value in own.items():
            put(given, base.config, parse_key_path(key), value)
        try:
            config = SessionConfig.from_dict(given)
            _require_backtest(config, "configuration")
        except ConfigError as error:
            found = [f"configs[{index}]: {problem}" for problem in error.problems]
    swept: Mapping[str, Any] = grid.parameters
    if found:  # what it would have set is not there: only other keys can be judged
        changed = [parse_key_path(key) for key in own]
        swept = {key: 0 for key in swept if not any(overlap(parse_key_path(key), path) for path in changed)}
    found += [f'parameters["{key}"]: {why}' for key, why in _missing(config, swept)]
    problems += [text for text in found if text not in problems]
    return tuple(own.items()), given, config


def _missing(config: SessionConfig, keys: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    for key in keys:
        why = find_missing_key(config, parse_key_path(key))
        if why is not None:
            yield key, why


def _combinations(
    bases: list[tuple[Parameters, dict[str, Any], SessionConfig]], grid: Grid, refused: dict[str, tuple[str, int]]
) -> Iterator[tuple[Parameters, SessionConfig]]:
    """Every combination that is a configuration. ``refused``: what is wrong with others, with the first such one
    and how many there are.
    """
    paths: dict[str, Loc] = {key: parse_key_path(key) for key in grid.parameters}
    for own, given, config in bases:
        for values in product(*(grid.values(key) for key in paths)):
            changed = deepcopy(given)
            for path, value in zip(paths.values(), values, strict=True):
                put(changed, config, path, deepcopy(value))
            parameters = (*own, *zip(paths, values, strict=True))
            try:
                made = SessionConfig.from_dict(changed) if paths else config
                _require_backtest(made, "configuration")
            except ConfigError as error:
                for problem in error.problems:
                    example, times = refused.get(problem, (describe(parameters), 0))
                    refused[problem] = example, times + 1
            else:
                yield parameters, made


def _split(
    combinations: list[tuple[Parameters, SessionConfig]], grid: Grid, problems: list[str], source: str
) -> list[Task]:
    tasks: list[Task] = []
    calendars: dict[str, ExchangeCalendar] = {}
    for parameters, config in combinations:
        try:
            stretches = _stretches(config, grid.split, calendars)
        except CalendarError as error:
            problems.append(f"backtest_config: {error}")
            return tasks
        if not stretches:
            problems.append(f'split: {config.calendar_code} has no session between these dates; allowed: "whole"')
            return tasks
        if len(combinations) * len(stretches) > 2 * TASKS_MAX or len(tasks) + len(stretches) > TASKS_MAX:
            count = len(combinations) * len(stretches)
            raise ConfigError([_too_many(count, grid, f"tasks, one for each {grid.split}")], source=source)
        for start, end in stretches:
            tasks.append(Task(len(tasks), parameters, config, start, end))
    return tasks


def _stretches(
    config: SessionConfig, split: str, calendars: dict[str, ExchangeCalendar]
) -> list[tuple[date, date]]:
    """First and last date of each task of a configuration."""
    whole = config.backtest_config
    assert whole is not None, "a backtest has dates"
    if split == "whole":
        return [(whole.start_date, whole.end_date)]
    code = config.calendar_code
    if code not in calendars:
        calendars[code] = ExchangeCalendar(code, cache_dir=user_cache_dir(os.environ))
    days = calendars[code].dates(whole.start_date, whole.end_date)
    if split == "day":
        return [(day, day) for day in days]
    groups = groupby(days, key=_week if split == "week" else _month)
    members = [list(group) for _, group in groups]
    return [(group[0], group[-1]) for group in members]


def _week(day: date) -> tuple[int, int]:
    year, week, _ = day.isocalendar()
    return year, week


def _month(day: date) -> tuple[int, int]:
    return day.year, day.month


def describe(parameters: Parameters) -> str:
    """A combination for people: ``session_data_config.streams = ["1m"], ...``."""
    return ", ".join(f"{key} = {_short(value)}" for key, value in parameters) or "the configuration as it is"


def _short(value: object) -> str:
    if isinstance(value, list) and len(value) <= 4 and not any(isinstance(item, list | dict) for item in value):
        return f"[{', '.join(map(shown, value))}]"
    return shown(value)


def _too_many(count: int, grid: Grid, what: str) -> str:
    sizes = [len(grid.parameters[key]) for key in grid.parameters]
    if grid.configs:
        sizes.insert(0, len(grid.configs))
    return (
        f"{' x '.join(map(str, sizes)) or 1} values make {count:,} {what}; "
        f"allowed: at most {TASKS_MAX:,} tasks, sweep in several parts"
    )


def _raise_if_any(problems: list[str], source: str) -> None:
    if len(problems) > _PROBLEMS_MAX:
        problems = [*problems[:_PROBLEMS_MAX], f"... and {len(problems) - _PROBLEMS_MAX:,} more"]
    if problems:
        raise ConfigError(problems, source=source)


def _given(config: SessionConfig) -> dict[str, Any]:
    """The JSON of a configuration, without the exchange that was chosen for want of one: another may be swept."""
    given = config.to_dict()
    if "exchange_group" not in config.model_fields_set:
        given.pop("exchange_group", None)
    return given
