"""What a task's result depends on, as a key: one that is found again need not be run again."""

from __future__ import annotations

import ast
import hashlib
import json
from collections.abc import Iterator, Sequence
from importlib.util import find_spec
from pathlib import Path

from mismartera import __version__
from mismartera.config import SessionConfig
from mismartera.sweeps.tasks import Task


class Keys:
    """Makes the keys of a sweep's tasks. ``store``: what tells the store and its version from others.

    A key holds the task's whole configuration, the store with its version, the version of this package, and the
    source of its strategies: their modules, the neighbours that these import, or the package that they are in.
    """

    def __init__(self, store: Sequence[str | int], folders: Sequence[Path]) -> None:
        self._common = [__version__, *store]
        self._folders = list(folders)
        self._sources: dict[str, str] = {}
        self._last: tuple[SessionConfig, str] | None = None

    def key(self, task: Task) -> str:
        """The key of ``task``: equal for tasks whose results are equal."""
        dates = f"{task.start} {task.end}"
        return _digest([self._varied(task.varied), dates])

    def _varied(self, config: SessionConfig) -> str:
        """What the tasks of one combination have in common; they come one after the other."""
        if self._last is None or self._last[0] is not config:
            classes = [strategy.class_ for strategy in config.analysis.strategies]
            sources = [self._source(name.partition(":")[0]) for name in classes]
            self._last = config, _digest([self._common, config.to_dict(), sources])
        return self._last[1]

    def _source(self, module: str) -> str:
        if module not in self._sources:
            files = sorted(set(_sources(module, self._folders)))
            self._sources[module] = _digest([[str(file), _file_digest(file)] for file in files])
        return self._sources[module]


def _sources(module: str, folders: Sequence[Path]) -> Iterator[Path]:
    """The files that a strategy's module consists of, as far as its imports tell."""
    first = _find(module, folders)
    if first is None:
        yield from _installed(module)
        return
    waiting, seen = [first], {first}
    while waiting:
        file = waiting.pop()
        yield file
        found = {_find(name, places or [file.parent, *folders]) for places, name in _imports(file)}
        new = sorted({each for each in (*found, *_packages(file)) if each is not None} - seen)
        seen |= set(new)
        waiting += new


def _find(module: str, folders: Sequence[Path]) -> Path | None:
    places = (folder.joinpath(*module.split(".")) for folder in folders)
    files = (file for place in places for file in (place.with_suffix(".py"), place / "__init__.py"))
    return next((file for file in files if file.is_file()), None)


def _packages(file: Path) -> Iterator[Path]:
    """What the packages that ``file`` is in consist of themselves."""
    for folder in file.parents:
        if not (package := folder / "__init__.py").is_file():
            return
        yield package


def _imports(file: Path) -> Iterator[tuple[list[Path], str]]:
    """What a file imports, and where alone that lies (nowhere: anywhere); ``from a import b`` may mean ``a.b``."""
    try:
        tree = ast.parse(file.read_bytes())
    except (OSError, SyntaxError, ValueError):  # the run will say what is wrong with it
        return
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (([], alias.name) for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            places = list(file.parents[node.level - 1 : node.level]) if node.level else []
            names = [alias.name for alias in node.names]
            if node.module:
                names = [node.module, *(f"{node.module}.{name}" for name in names)]
            yield from ((places, name) for name in names if not name.endswith("*"))


def _installed(module: str) -> Iterator[Path]:
    """All files of the installed package that ``module`` is in."""
    try:
        spec = find_spec(module.partition(".")[0])
    except (ImportError, ValueError):
        return
    if spec is None:
        return
    if spec.submodule_search_locations:
        for folder in spec.submodule_search_locations:
            yield from Path(folder).rglob("*.py")
    elif spec.origin and spec.origin.endswith(".py"):
        yield Path(spec.origin)


def _file_digest(file: Path) -> str:
    try:
        return hashlib.sha256(file.read_bytes()).hexdigest()
    except OSError:
        return ""


def _digest(value: object) -> str:
    return hashlib.sha256(json.dumps(value, sort_keys=True).encode()).hexdigest()
