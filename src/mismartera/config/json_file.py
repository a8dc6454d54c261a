"""Reading a JSON file so that every way in which it can be unreadable gets a message of its own."""

from __future__ import annotations

import json
from collections import Counter
from pathlib import Path
from typing import Any

from mismartera.errors import ConfigError


class DecodedObject(dict[str, Any]):
    """An object of a JSON file, with the keys that stand in it more than once (a dict keeps only their last)."""

    def __init__(self, pairs: list[tuple[str, Any]]) -> None:
        super().__init__(pairs)
        counts = Counter(key for key, _ in pairs) if len(pairs) > len(self) else {}
        self.repeated_keys = [key for key, count in counts.items() if count > 1]


def read_json(path: str | Path) -> Any:
    """The decoded JSON at ``path`` (UTF-8, with or without a byte order mark); ConfigError if there is none.

    Repeated keys, NaN and Infinity are decoded: the caller refuses them by key path, with all else.
    """
    source = str(path)
    text = _read_text(Path(path), source)
    if not text.strip():
        raise ConfigError(["the file is empty; allowed: a JSON object"], source=source)
    try:
        return json.loads(text, object_pairs_hook=DecodedObject)
    except json.JSONDecodeError as error:
        problem = f"not JSON: {error.msg} at line {error.lineno}, column {error.colno}"
    except RecursionError:
        problem = "nested too deeply to be read"
    except ValueError as error:  # an integer of thousands of digits
        problem = f"cannot be read: {error}"
    raise ConfigError([problem], source=source)


def _read_text(path: Path, source: str) -> str:
    try:
        return path.read_bytes().decode("utf-8-sig")
    except FileNotFoundError:
        problem = "no such file"
    except IsADirectoryError:
        problem = "is a folder; allowed: a JSON file"
    except UnicodeDecodeError as error:
        found = f"0x{error.object[error.start]:02x}"
        problem = f"not UTF-8: byte {found} at position {error.start}; allowed: JSON in UTF-8"
    except OSError as error:
        problem = f"cannot be read: {error.strerror or error}"
    except ValueError as error:  # a path with a NUL
        problem = f"not a path: {error}"
    raise ConfigError([problem], source=source)
