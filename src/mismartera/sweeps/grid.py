"""Grid: which values a sweep tries, over which stretches of time. All that is wrong with one is said at once."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, Literal, Self

from mismartera.config.fields import JsonObject
from mismartera.config.frozen import FrozenDict
from mismartera.config.json_file import read_json
from mismartera.config.model import ConfigModel, to_json
from mismartera.config.problems import Fault, Loc, shown
from mismartera.errors import ConfigError
from mismartera.sweeps.key_path import overlap, parse_key_path


class Grid(ConfigModel):
    """What varies in a sweep: every one of ``configs`` with every combination of ``parameters``, for every stretch
    that ``split`` makes. ConfigError for a wrong one.

    Keys are key paths into the session's configuration; see docs/SWEEPS.md.
    """

    parameters: JsonObject = FrozenDict()
    """Key paths, each with the list of its values. All combinations are run; the last key changes first."""
    configs: tuple[JsonObject, ...] = ()
    """Values that belong together: key paths, each with one value. None: the configuration as it is."""
    split: Literal["whole", "day", "week", "month"] = "whole"
    """A task for all dates of the configuration ("whole"), or one for each session, week or month of them."""

    @classmethod
    def from_file(cls, path: str | Path) -> Self:
        """The grid in the JSON file at ``path``; ConfigError for whatever is wrong with it."""
        return cls.from_json(read_json(path), source=str(path))

    @classmethod
    def from_json(cls, data: object, *, source: str = "grid") -> Self:
        """The grid that ``data`` (decoded JSON) describes; ``source`` names its origin in errors."""
        if not isinstance(data, Mapping) or not all(isinstance(key, str) for key in data):
            return cls.from_dict(data, source=source)  # type: ignore[arg-type]  # it says what is wrong
        try:
            return cls(**data)  # unlike from_dict it takes null: a strategy may know a parameter that may be null
        except ConfigError as error:
            raise ConfigError(error.problems, source=source) from None

    def find_faults(self) -> Iterator[Fault]:
        """Key paths that are none, or in each other's way; and lists of values that are none."""
        if not self.parameters and not self.configs and self.split == "whole":
            yield Fault((), 'nothing varies; allowed: "parameters", "configs", or a "split" of the dates')
        swept: dict[str, Loc] = {}
        for key, values in self.parameters.items():
            place: Loc = ("parameters", key)
            yield from _clashes(place, key, swept)
            yield from _find_bad_values(place, values)
        for index, config in enumerate(self.configs):
            own: dict[str, Loc] = {}
            for key in config:
                place = ("configs", index, key)
                yield from _clashes(place, key, own)
                for other, path in swept.items():
                    if key in own and own[key][: len(path)] == path:
                        text = f"parameters sets {shown(other)} afterwards; allowed: in one of them"
                        yield Fault(place, text)

    def values(self, key: str) -> list[Any]:
        """The values of one of ``parameters``, as plain JSON."""
        return [to_json(value) for value in self.parameters[key]]


def _clashes(place: Loc, key: str, known: dict[str, Loc]) -> Iterator[Fault]:
    """A key path that is none, or that overlaps with one of ``known``, to which it is added."""
    try:
        path = parse_key_path(key)
    except ValueError as error:
        yield Fault(place, str(error))
        return
    for other, its_path in known.items():
        if overlap(path, its_path):
            yield Fault(place, f"overlaps with {shown(other)}; allowed: one of the two")
    known[key] = path


def _find_bad_values(place: Loc, values: object) -> Iterator[Fault]:
    if not isinstance(values, tuple):
        yield Fault(place, f"found {shown(values)}; allowed: a list of values")
        return
    if not values:
        yield Fault(place, "the list is empty; allowed: one value or more")
    seen: set[str] = set()
    for index, value in enumerate(values):
        text = json.dumps(to_json(value), sort_keys=True)
        if text in seen:
            yield Fault((*place, index), f"{shown(value)} is given more than once; allowed: each value once")
        seen.add(text)
