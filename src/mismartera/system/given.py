"""What is given to a SystemManager in Python, where nobody checks types: what is wrong is told at the call."""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping

from mismartera.catalog import DataManager
from mismartera.config import SessionConfig
from mismartera.session.strategy import Strategy


def check_config(config: object) -> None:
    """TypeError unless it is a SessionConfig."""
    if isinstance(config, SessionConfig):
        return
    how = ""
    if isinstance(config, Mapping):
        how = ", SessionConfig.from_dict(...)"
    elif isinstance(config, str | os.PathLike):
        how = f", SessionConfig.from_file({os.fspath(config)!r})"
    raise TypeError(f"config is {_shown(config)}: give a SessionConfig{how}")


def check_store(data_manager: object) -> None:
    """TypeError unless it is a DataManager, or None."""
    if data_manager is None or isinstance(data_manager, DataManager):
        return
    how = f", DataManager({os.fspath(data_manager)!r})" if isinstance(data_manager, str | os.PathLike) else ""
    raise TypeError(f"data_manager is {_shown(data_manager)}: give a DataManager{how}")


def check_strategies(strategies: object) -> tuple[Strategy, ...]:
    """The strategies; TypeError unless they are instances, in a sequence."""
    if isinstance(strategies, str | Mapping) or not isinstance(strategies, Iterable):
        raise TypeError(f"strategies is {_shown(strategies)}: give a sequence of instances, [MyStrategy()]")
    found = tuple(strategies)
    for index, strategy in enumerate(found):
        if not isinstance(strategy, Strategy):
            how = f", {strategy.__name__}()" if isinstance(strategy, type) else " of Strategy"
            raise TypeError(f"strategies[{index}] is {_shown(strategy)}: give an instance{how}")
    return found


def _shown(value: object) -> str:
    if isinstance(value, type):
        return f"the class {value.__name__}"
    if isinstance(value, str):
        return f"the text {value!r}"
    return f"of type {type(value).__name__}"
