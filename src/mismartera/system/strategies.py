"""Strategies named in a configuration: found, imported and made."""

from __future__ import annotations

import importlib
from collections.abc import Sequence
from pathlib import Path
from types import ModuleType

from mismartera.config import StrategyConfig
from mismartera.errors import ConfigError
from mismartera.session.strategy import Strategy
from mismartera.system.user_code import HiddenError, UserCode

_USER_CODE = UserCode()


def load_strategies(configs: Sequence[StrategyConfig], folders: Sequence[Path]) -> list[Strategy]:
    """One strategy per entry of ``analysis.strategies``.

    ``module:Class`` is looked up in ``folders``, in their order, then among the installed packages. ConfigError
    names every entry that cannot be imported, is not a Strategy, or cannot be made of its ``params``.
    """
    if configs:
        _USER_CODE.begin()
    strategies: list[Strategy] = []
    problems: list[str] = []
    for index, config in enumerate(configs):
        path = f"analysis.strategies[{index}]"
        try:
            strategies.append(_make(config, folders))
        except _UnusableError as error:
            problems.append(f"{path}.{error}")
    if problems:
        raise ConfigError(problems)
    return strategies


def forget_strategies() -> None:
    """Take the folders of the last run off the path of imports, which child processes inherit."""
    _USER_CODE.begin()


class _UnusableError(Exception):
    """Says below which key, and why, a strategy cannot be used."""


def _make(config: StrategyConfig, folders: Sequence[Path]) -> Strategy:
    module_name, _, class_name = config.class_.partition(":")
    module = _import(module_name, folders)
    found = getattr(module, class_name, None)
    if not (isinstance(found, type) and issubclass(found, Strategy)):
        names = [n for n, v in vars(module).items() if isinstance(v, type) and issubclass(v, Strategy)]
        names = [name for name in names if getattr(module, name) is not Strategy]
        what = "is not a Strategy" if found is not None else "does not exist"
        raise _UnusableError(
            f"class: {class_name!r} of {module.__file__ or module_name} {what}; "
            f"its strategies are: {', '.join(names) or 'none'}"
        )
    try:
        return found(**config.params)
    except (Exception, SystemExit) as error:  # a strategy's constructor is the user's code: say what it raised
        raise _UnusableError(
            f"params: {config.class_}(**params) raised {type(error).__name__}: {error}"
        ) from error


def _import(name: str, folders: Sequence[Path]) -> ModuleType:
    for folder in folders:
        file = folder.joinpath(*name.split(".")).with_suffix(".py")
        package = folder.joinpath(*name.split("."), "__init__.py")
        if file.is_file() or package.is_file():
            return _import_file(name, folder, package if package.is_file() else file)
    try:
        return importlib.import_module(name)
    except ModuleNotFoundError as error:
        if error.name and name.split(".", maxsplit=1)[0] == error.name.split(".")[0]:
            where = ", ".join(str(folder) for folder in folders)
            raise _UnusableError(f"class: no module {name!r} in {where}, nor installed") from error
        raise _UnusableError(f"class: importing {name!r} failed: {error}") from error
    except (Exception, SystemExit) as error:  # importing runs the user's code: say what it raised
        raise _UnusableError(f"class: importing {name!r} raised {type(error).__name__}: {error}") from error


def _import_file(name: str, folder: Path, file: Path) -> ModuleType:
    try:
        return _USER_CODE.load(name, folder, file)
    except HiddenError as error:
        raise _UnusableError(f"class: {error}") from None
    except (Exception, SystemExit) as error:  # importing runs the user's code: say what it raised
        raise _UnusableError(f"class: importing {file} raised {type(error).__name__}: {error}") from error
