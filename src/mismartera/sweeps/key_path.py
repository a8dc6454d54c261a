"""Key paths into a configuration: ``analysis.strategies[0].params.period``; read, looked up, and set."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from mismartera.config import SessionConfig
from mismartera.config.model import ConfigModel, to_json
from mismartera.config.problems import Loc, hint, key_path, shown

_PART = re.compile(r"""(?:^|\.)([A-Za-z_$][A-Za-z0-9_-]*)|\[(\d{1,6})\]|\["([^"]*)"\]""")


def parse_key_path(text: str) -> Loc:
    """The parts of a key path: keys, and numbers of list entries from 0; ValueError if it is none.

    A key that is no plain word stands in brackets and quotes: ``metadata["my key"]``.
    """
    parts: list[str | int] = []
    place = 0
    while place < len(text):
        found = _PART.match(text, place)
        if found is None:
            break
        word, number, quoted = found.groups()
        parts.append(int(number) if number is not None else word if word is not None else quoted)
        place = found.end()
    if not parts or place < len(text) or text[0] in ".[":
        raise ValueError(
            f"{shown(text)} is no key path; allowed: keys with dots between them and [0] for the first entry of a "
            "list, such as analysis.strategies[0].params.period"
        )
    return tuple(parts)


def find_missing_key(config: SessionConfig, path: Loc) -> str | None:
    """Why ``path`` leads to no key of ``config``; None if it does.

    The keys of a configuration are those that it may have, given or not. The last key may be a new one where keys
    are the user's: a strategy's ``params``, ``metadata``.
    """
    value: object = config
    for depth, part in enumerate(path):
        here = key_path(path[:depth])
        if isinstance(value, ConfigModel):
            names = _attributes(value)
            if part not in names:
                where = f"{here} has no key {shown(part)}" if here else f"there is no key {shown(part)}"
                return f"{where}; {hint(part, names)}allowed: {', '.join(names)}"
            value = getattr(value, names[str(part)])
        elif isinstance(value, Mapping):
            if part in value:
                value = value[part]
            elif depth < len(path) - 1 or not isinstance(part, str):
                return f"{here} has no key {shown(part)}; allowed: {', '.join(map(shown, value)) or 'none yet'}"
        elif isinstance(value, tuple):
            if not isinstance(part, int) or part >= len(value):
                entries = f"[0] to [{len(value) - 1}]" if value else "none: the list is empty"
                return f"{here} has no entry {shown(part)}; allowed: {entries}"
            value = value[part]
        else:
            found = "is not given" if value is None else f"is {shown(to_json(value))}"
            return f"{here} {found} and has no keys; allowed: {here} itself, with an object for its value"
    return None


def put(given: dict[str, Any], config: SessionConfig, path: Loc, value: object) -> None:
    """Set the key at ``path`` in ``given``, the JSON that ``config`` was read from; it must lead to a key.

    Objects that are not given are made, with nothing but that key; lists that are not given, as their defaults.
    """
    node: Any = given
    model: Any = config
    for part in path[:-1]:
        model = getattr(model, _attributes(model)[str(part)]) if isinstance(model, ConfigModel) else model[part]
        if isinstance(node, dict) and part not in node:
            node[part] = {} if isinstance(model, ConfigModel) else to_json(model)
        node = node[part]
    node[path[-1]] = value


def overlap(one: Loc, other: Loc) -> bool:
    """True if one of the two keys is the other or holds it."""
    size = min(len(one), len(other))
    return one[:size] == other[:size]


def _attributes(model: ConfigModel) -> dict[str, str]:
    """For each key of a part of a configuration the attribute that holds it."""
    fields = type(model).model_fields
    return {field.serialization_alias or name: name for name, field in fields.items()}
