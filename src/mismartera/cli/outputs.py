"""Where a command writes: never over what it reads, over the store, or over its own other output."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from urllib.parse import unquote, urlsplit

from mismartera.errors import UsageError


def check_outputs(outputs: Mapping[str, Path | None], inputs: Mapping[str, Path | None], store: str) -> None:
    """UsageError if one of ``outputs`` (by option) is another one, one of ``inputs`` (by what it is), or a file of
    the store's own. ``store``: a folder or a URI. None is left out, and what is no file: /dev/null for example.
    """
    taken = {_real(path): what for what, path in inputs.items() if path is not None}
    folder = _folder_of(store)
    for option, path in outputs.items():
        if path is None or (path.exists() and not (path.is_file() or path.is_dir())):
            continue
        real = _real(path)
        if real in taken:
            raise UsageError(f"{option} {path} would be written over {taken[real]}: name another file")
        if folder is not None and _is_of_store(real, folder):
            raise UsageError(f"{option} {path} belongs to the bar store at {store}: name a place outside of it")
        taken[real] = f"what {option} writes"


def _is_of_store(real: Path, folder: Path) -> bool:
    if not real.is_relative_to(folder):
        return False
    first = real.relative_to(folder).parts[:1]
    return bool(first) and first[0].startswith(("_", "interval="))


def _folder_of(store: str) -> Path | None:
    if "://" not in store:
        return _real(Path(store))
    parts = urlsplit(store)
    return _real(Path(unquote(parts.path))) if parts.scheme == "file" else None


def _real(path: Path) -> Path:
    try:
        return path.resolve()
    except (OSError, RuntimeError, ValueError):  # a loop of links, or no path: whoever opens it says so
        return path.absolute()
