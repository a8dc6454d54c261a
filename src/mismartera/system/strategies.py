"""Strategies named in a configuration: found, imported and made."""

from __future__ import annotations

import importlib
import importlib.util
import sys
from collections.abc import Sequence
from pathlib import Path
from types import ModuleType

from mismartera.config import StrategyConfig
from mismartera.errors import ConfigError
from mismartera.session.strategy import Strategy


def load_strategies(configs: Sequence[StrategyConfig], folders: Sequence[Path]) -> list[Strategy]:
    """One strategy per entry of ``analysis.strategies``.

    ``module:Class`` is looked up in ``folders``, in their order, then among the installed packages. ConfigError
    names every entry that cannot be imported, is not a Strategy, or cannot be made of its ``params``.
    """
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
        if file.is_file():
            return _import_file(name, file)
    try:
        return importlib.import_module(name)
    except ModuleNotFoundError as error:
        if error.name and name.split(".", maxsplit=1)[0] == error.name.split(".")[0]:
            where = ", ".join(str(folder) for folder in folders)
            raise _UnusableError(f"class: no module {name!r} in {where}, nor installed") from error
        raise _UnusableError(f"class: importing {name!r} failed: {error}") from error
    except (Exception, SystemExit) as error:  # importing runs the user's code: say what it raised
        raise _UnusableError(f"class: importing {name!r} raised {type(error).__name__}: {error}") from error


def _import_file(name: str, file: Path) -> ModuleType:
    spec = importlib.util.spec_from_file_location(name, file)
    assert spec is not None and spec.loader is not None, f"{file} is a Python file"
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module  # dataclasses and pickles of the module look it up there
    folder = str(file.parent)
    sys.path.insert(0, folder)  # so that it can import its neighbours
    try:
        spec.loader.exec_module(module)
    except (Exception, SystemExit) as error:  # importing runs the user's code: say what it raised
        sys.modules.pop(name, None)
        raise _UnusableError(f"class: importing {file} raised {type(error).__name__}: {error}") from error
    finally:
        sys.path.remove(folder)
    return module
