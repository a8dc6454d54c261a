"""A user's own modules: imported from the folders that a run was given.

The folders stand at the end of the path of imports for as long as they are those of the last run that was made in
this process, so that a callback can import, too. At the end: a file of a user's that happens to be called like a
library takes nobody's place. The next run begins anew: it sees files as they are then, and its own ones where two
folders have modules of one name.
"""

from __future__ import annotations

import ast
import importlib
import importlib.util
import sys
from collections.abc import Collection, Iterator
from pathlib import Path
from types import ModuleType


class HiddenError(Exception):
    """A module that has the name of another one, which an import would give in its place."""


class UserCode:
    """One process has one, like its ``sys.path``."""

    def __init__(self) -> None:
        self._folders: list[str] = []
        self._loaded: set[str] = set()
        self._before: frozenset[str] = frozenset()

    def begin(self) -> None:
        """Another run: what was imported for the one before is forgotten."""
        gone = self._loaded | _found_in(self._folders)
        for name in list(sys.modules):
            if name.partition(".")[0] in gone and name not in self._before:
                del sys.modules[name]
        for folder in self._folders:
            if folder in sys.path:
                sys.path.remove(folder)
        self._folders, self._loaded = [], set()
        self._before = frozenset(sys.modules)
        importlib.invalidate_caches()

    def load(self, name: str, root: Path, file: Path) -> ModuleType:
        """The module ``name``, which is ``file`` below ``root``; it finds what lies beside it, and in ``root``.

        HiddenError if it, or such a module that it imports, has the name of one that comes first. Raises what
        the module raises.
        """
        folders = (file.parent, root)
        for folder in folders:
            self._find_in(str(folder.resolve()))
        mine = [(name.partition(".")[0], place) for place in _places(root, name.partition(".")[0])]
        wanted = [*(each for each in mine if each[1].is_file()), *_neighbours(file, folders)]
        for module_name, place in wanted:
            _check(module_name, place)
        self._loaded |= {mine[0][0], *(module_name for module_name, _ in wanted)}
        module = importlib.import_module(name)
        if not _is_at(module, file):
            raise HiddenError(f"{file} is hidden by {_place_of(module)}: give it another name")
        return module

    def _find_in(self, folder: str) -> None:
        if folder not in {str(Path(entry).resolve()) for entry in sys.path}:  # "" is the current one
            sys.path.append(folder)
            self._folders.append(folder)


def _places(folder: Path, name: str) -> tuple[Path, Path]:
    """Where an import of ``name`` looks in ``folder``."""
    return folder / name / "__init__.py", folder / f"{name}.py"


def _neighbours(file: Path, folders: Collection[Path]) -> Iterator[tuple[str, Path]]:
    """The modules of ``folders`` that ``file`` imports by their plain names, anywhere in it, and what those do."""
    waiting, seen = [file], {file}
    while waiting:
        for name in sorted(_imported(waiting.pop())):
            places = [place for folder in folders for place in _places(folder, name) if place.is_file()]
            if places and places[0] not in seen:
                seen.add(places[0])
                waiting.append(places[0])
                yield name, places[0]


def _imported(file: Path) -> set[str]:
    try:
        tree = ast.parse(file.read_bytes())
    except (SyntaxError, ValueError):  # whoever imports it is told
        return set()
    found: set[str] = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            found.update(alias.name.partition(".")[0] for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and not node.level and node.module:
            found.add(node.module.partition(".")[0])
    return found


def _check(name: str, file: Path) -> None:
    """HiddenError if an import of ``name`` gives something else than ``file``."""
    present = sys.modules.get(name)
    if present is not None:
        is_right, place = _is_at(present, file), _place_of(present)
    else:
        spec = importlib.util.find_spec(name)
        place = (spec.origin if spec is not None else None) or "another module"
        is_right = Path(place).resolve() == file.resolve()
    if not is_right:
        raise HiddenError(f"{file} is hidden by {place}: give it another name")


def _is_at(module: ModuleType, file: Path) -> bool:
    place = getattr(module, "__file__", None)
    return place is not None and Path(place).resolve() == file.resolve()


def _place_of(module: ModuleType) -> str:
    return getattr(module, "__file__", None) or f"the built-in module {module.__name__!r}"


def _found_in(folders: Collection[str]) -> set[str]:
    """The names of the modules and packages that lie in one of ``folders`` itself."""
    found = set()
    for name, module in list(sys.modules.items()):
        places = [getattr(module, "__file__", None), *getattr(module, "__path__", ())]
        if "." not in name and any(place and _folder_of(Path(place)) in folders for place in places):
            found.add(name)
    return found


def _folder_of(place: Path) -> str:
    """In which folder an import finds what has its file, or its parts, at ``place``."""
    return str(place.parent.parent if place.name == "__init__.py" else place.parent)
