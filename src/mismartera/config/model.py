"""ConfigModel: the base of all parts of a configuration, and how one is read with all its faults at once.

Pydantic does not reach the rules between keys once one key is wrong. So what is found wrong is set aside and the
rest read again, until it stands; then those rules are applied to it. Nothing of that partial reading is kept.
"""

from __future__ import annotations

import datetime as dt
import math
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any, Self, TypeVar

from pydantic import BaseModel, ConfigDict, ValidationError

from mismartera.config.json_file import DecodedObject
from mismartera.config.problems import Fault, Loc, faults_of, shown
from mismartera.errors import ConfigError

NESTING_MAX = 32
"""How deep lists and objects may be nested, the user's own metadata included."""

_NO_TEXT = "no text, as it has half of a surrogate pair; allowed: characters of Unicode"
_FREE_KEYS = frozenset({"metadata", "params", "faults"})
"""Keys under which the user may write any JSON, null too."""


class ConfigModel(BaseModel):
    """A frozen part of a configuration: attributes are the JSON keys, unknown keys and wrong types are refused.

    Types are strict: ``"1"`` and ``true`` are not integers, an integer is a number. Made with keyword arguments or
    from JSON (:meth:`from_dict`); both raise ConfigError with all faults. Lists may be given for tuples. Equal by
    value, hashable.
    """

    model_config = ConfigDict(
        frozen=True,
        strict=True,
        extra="forbid",
        allow_inf_nan=False,
        defer_build=True,  # most commands import this package and read no configuration
    )

    def __init__(self, /, **data: Any) -> None:
        fields = type(self).model_fields
        keys = {name: field.serialization_alias or name for name, field in fields.items()}
        by_key = {keys.get(name, name): value for name, value in data.items()}
        _read(type(self), by_key, self._filled, source=type(self).__name__, nulls_allowed=True)

    # Tells pydantic that this is its own constructor with better errors, not a step of validation: nested objects
    # are then built without it, and the whole reports once.
    __init__.__pydantic_base_init__ = True  # type: ignore[attr-defined]

    @classmethod
    def from_dict(cls, data: Mapping[str, Any], *, source: str = "configuration") -> Self:
        """The configuration that ``data`` (decoded JSON) describes; ConfigError lists every fault.

        ``source`` names the origin in the error, a file for example.
        """
        return _read(cls, data, cls.model_validate, source=source, nulls_allowed=False)

    def to_dict(self) -> dict[str, Any]:
        """JSON-ready: dicts, lists, text, numbers; defaults included, absent parts left out.

        ``from_dict(x.to_dict()) == x``.
        """
        return {key: to_json(value) for key, value in _items(self) if value is not None}

    def _filled(self, values: dict[str, Any]) -> Self:
        super().__init__(**values)
        return self

    def find_faults(self) -> Iterator[Fault]:
        """What is wrong between the keys of this object, each of them being right by itself."""
        yield from ()


_ModelT = TypeVar("_ModelT", bound=ConfigModel)


def _read(
    cls: type[_ModelT],
    data: object,
    build: Callable[[dict[str, Any]], _ModelT],
    *,
    source: str,
    nulls_allowed: bool,
) -> _ModelT:
    if not isinstance(data, Mapping):
        raise ConfigError([f"found {shown(data)} at the top; allowed: an object with keys"], source=source)
    findings = _Findings()
    for fault in _not_json(data, (), nulls_allowed=nulls_allowed, above=()):
        findings.add(fault, without=fault.loc)
    model = _build_what_stands(cls, data, build, findings)
    for fault in _all_faults(model) if model is not None else ():
        findings.add(Fault(findings.original(fault.loc), fault.text, fault.because))
    assert findings.problems or model is not None, "what cannot be read has a fault"
    if findings.problems or model is None:
        raise ConfigError(findings.problems, source=source)
    return model


def _build_what_stands(
    cls: type[_ModelT], data: Mapping[str, Any], build: Callable[[dict[str, Any]], _ModelT], findings: _Findings
) -> _ModelT | None:
    """The model of ``data`` without what is wrong in it; None if too little is left."""
    while () not in findings.left_out:
        size_before = len(findings.left_out)
        try:
            return build(findings.rest_of(data, ()))
        except ValidationError as error:
            for fault, without in faults_of(error, cls):
                findings.add(fault._replace(loc=findings.original(fault.loc)), without=findings.original(without))
        if len(findings.left_out) == size_before:
            break
    return None


class _Findings:
    """The faults found so far, and the reading of the data without them."""

    def __init__(self) -> None:
        self.problems: list[str] = []
        self.left_out: set[Loc] = set()
        self._wrong: list[Loc] = []
        self._kept: dict[Loc, list[int]] = {}

    def add(self, fault: Fault, *, without: Loc | None = None) -> None:
        """Report ``fault`` unless it follows from another one; leave ``without`` out of the next reading."""
        if not any(_overlap(loc, wrong) for loc in (fault.loc, *fault.because) for wrong in self._wrong):
            self.problems.append(str(fault))
        if without is not None:
            self.left_out.add(without)
            self._wrong.append(fault.loc)

    def rest_of(self, value: Any, loc: Loc) -> Any:
        """A copy of ``value``, which stands at ``loc``, with tuples for lists and without what was left out."""
        if isinstance(value, Mapping):
            return {
                key: self.rest_of(item, (*loc, key))
                for key, item in value.items()
                if (*loc, key) not in self.left_out
            }
        if isinstance(value, list | tuple):
            kept = [index for index in range(len(value)) if (*loc, index) not in self.left_out]
            self._kept[loc] = kept
            return tuple(self.rest_of(value[index], (*loc, index)) for index in kept)
        return value

    def original(self, loc: Loc) -> Loc:
        """The place in the data of what stands at ``loc`` in their copy, whose lists may be shorter."""
        found: Loc = ()
        for part in loc:
            kept = self._kept.get(found, [])
            found = (*found, kept[part] if isinstance(part, int) and part < len(kept) else part)
        return found


def _overlap(one: Loc, other: Loc) -> bool:
    """True if one of the two places holds the other."""
    size = min(len(one), len(other))
    return one[:size] == other[:size]


def _not_json(value: object, loc: Loc, *, nulls_allowed: bool, above: tuple[int, ...]) -> Iterator[Fault]:
    """What no configuration may hold, anywhere: null, NaN, text that no file can hold, repeated keys, keys of no
    text, endless nesting.
    """
    if isinstance(value, Mapping | list | tuple):
        if len(above) >= NESTING_MAX or id(value) in above:
            yield Fault(loc, f"nested too deeply; allowed: {NESTING_MAX} levels of lists and objects")
            return
        for key in value.repeated_keys if isinstance(value, DecodedObject) else ():
            yield Fault((*loc, key), "this key is given more than once; allowed: once")
        pairs: Iterable[tuple[Any, object]] = value.items() if isinstance(value, Mapping) else enumerate(value)
        for key, item in pairs:
            if isinstance(value, Mapping) and not isinstance(key, str):
                yield Fault((*loc, key), f"the key {shown(key)} is not text; allowed: text in double quotes")
            elif isinstance(key, str) and not _is_text(key):
                yield Fault((*loc, key), f"the key is {_NO_TEXT}")
            else:
                free = nulls_allowed or key in _FREE_KEYS
                yield from _not_json(item, (*loc, key), nulls_allowed=free, above=(*above, id(value)))
    elif value is None and not nulls_allowed:
        yield Fault(loc, "null is not a value; leave the key out to get its default")
    elif isinstance(value, float) and not math.isfinite(value):
        yield Fault(loc, f"{shown(value)} is not a number that JSON can hold; allowed: finite numbers")
    elif isinstance(value, str) and not _is_text(value):
        yield Fault(loc, f"{shown(value)} is {_NO_TEXT}")


def _is_text(text: str) -> bool:
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True


def _all_faults(value: object) -> Iterator[Fault]:
    """The faults between keys in ``value`` and in all that it holds, with their locations in it."""
    if isinstance(value, ConfigModel):
        yield from value.find_faults()
        parts: Iterable[tuple[str | int, object]] = _items(value)
    elif isinstance(value, Mapping):
        parts = value.items()
    elif isinstance(value, tuple):
        parts = enumerate(value)
    else:
        return
    for key, item in parts:
        for fault in _all_faults(item):
            yield fault.under((key,))


def _items(model: BaseModel) -> Iterator[tuple[str, Any]]:
    """The JSON keys and values of ``model``, in the order of its class."""
    for name, field in type(model).model_fields.items():
        yield field.serialization_alias or name, getattr(model, name)


def to_json(value: object) -> Any:
    """``value`` of a configuration as plain dicts, lists, text and numbers."""
    if isinstance(value, ConfigModel):
        return value.to_dict()
    if isinstance(value, dt.date):
        return value.isoformat()
    if isinstance(value, Mapping):
        return {key: to_json(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [to_json(item) for item in value]
    return value
