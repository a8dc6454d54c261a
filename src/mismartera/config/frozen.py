"""FrozenDict: the objects of a configuration whose keys are the user's, and which nobody may change."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, TypeVar

V_co = TypeVar("V_co", covariant=True)


class FrozenDict(Mapping[str, V_co]):
    """A read-only mapping in insertion order, equal to a dict of the same items, hashable if its values are.

    ``types.MappingProxyType`` is no substitute: it can neither be pickled nor copied nor hashed.
    """

    __slots__ = ("_items",)

    def __init__(self, items: Mapping[str, V_co] | None = None) -> None:
        self._items = dict(items or {})

    def __getitem__(self, key: str) -> V_co:
        return self._items[key]

    def __iter__(self) -> Iterator[str]:
        return iter(self._items)

    def __len__(self) -> int:
        return len(self._items)

    def __hash__(self) -> int:
        return hash(frozenset(self._items.items()))

    def __repr__(self) -> str:
        return repr(self._items)


def freeze_json(value: Any) -> Any:
    """A copy of a JSON value in which objects are :class:`FrozenDict` and arrays tuples.

    ValueError for anything that JSON cannot hold.
    """
    if isinstance(value, Mapping):
        return FrozenDict({key: freeze_json(item) for key, item in value.items()})
    if isinstance(value, list | tuple):
        return tuple(freeze_json(item) for item in value)
    if value is None or isinstance(value, str | int | float):
        return value
    raise ValueError(
        f"{type(value).__name__} is not a JSON value; allowed: text, numbers, booleans, null, [], {{}}"
    )
