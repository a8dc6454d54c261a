"""What is wrong with a configuration: where (a key path), what was found, and what is allowed."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator, Mapping
from difflib import get_close_matches
from typing import Any, NamedTuple, get_args

from pydantic import BaseModel, ValidationError
from pydantic_core import ErrorDetails

Loc = tuple[str | int, ...]

TEXT_TAG, OBJECT_TAG, LIST_TAG = "<text>", "<object>", "<list>"
"""Names of the members of our unions. Pydantic puts them into an error's location; readers must not see them."""

_TAGS = {TEXT_TAG, OBJECT_TAG, LIST_TAG}
_PLAIN_KEY = re.compile(r"[A-Za-z_$][A-Za-z0-9_-]*")
_SHOWN_LENGTH_MAX = 60
_WANTED = {
    "int_type": "an integer",
    "float_type": "a number",
    "string_type": "text",
    "string_unicode": "text in valid Unicode",
    "bool_type": "true or false",
    "tuple_type": "a list",
    "mapping_type": "an object",
    "dict_type": "an object",
    "model_type": "an object",
    "date_type": "a date as YYYY-MM-DD",
    "datetime_type": "a date and time as YYYY-MM-DDTHH:MM",
    "finite_number": "a finite number",
}


class Fault(NamedTuple):
    """One thing wrong. ``because`` names the keys whose values it was judged by.

    A fault is not reported if its own key or one of those is already known to be wrong.
    """

    loc: Loc
    text: str
    because: tuple[Loc, ...] = ()

    def under(self, prefix: Loc) -> Fault:
        """The same fault seen from further up."""
        return Fault(prefix + self.loc, self.text, tuple(prefix + loc for loc in self.because))

    def __str__(self) -> str:
        text = f"{key_path(self.loc)}: {self.text}" if self.loc else self.text
        return text.encode(
            "ascii", "backslashreplace"
        ).decode()  # other floors quote what they refuse as it stands


def key_path(loc: Loc) -> str:
    """``session_data_config.indicators[0].name``; a key that is no plain word is quoted in brackets."""
    path = ""
    for part in loc:
        if isinstance(part, str) and _PLAIN_KEY.fullmatch(part):
            path += f".{part}" if path else part
        else:
            path += f"[{shown(part)}]"
    return path


def shown(value: object) -> str:
    """``value`` as it stands in a JSON file, in ASCII and cut to a readable length."""
    if isinstance(value, Mapping | BaseModel):
        return "an object"
    if isinstance(value, list | tuple):
        return "a list"
    if value is None or isinstance(value, str | bool | float):
        text = json.dumps(value)  # NaN and Infinity are spelt as people find them in their file
        text = text.removesuffix(".0")  # an integer that was read as a number
    elif isinstance(value, int) and value.bit_length() > 256:
        text = "a very large integer"  # Python refuses to print integers of thousands of digits
    else:
        text = ascii(value)
    return text if len(text) <= _SHOWN_LENGTH_MAX else text[: _SHOWN_LENGTH_MAX - 3] + "..."


def repeated(loc: Loc, items: Iterable[tuple[object, str]]) -> Iterator[Fault]:
    """A fault for each item at the list ``loc`` whose key (first of the pair) has been there before.

    The second of the pair is how the item is written: ``60m`` and ``1h`` have one key.
    """
    first: dict[object, str] = {}
    for index, (key, label) in enumerate(items):
        if key not in first:
            first[key] = label
            continue
        text = "is given more than once" if first[key] == label else f"means the same as {shown(first[key])}"
        yield Fault((*loc, index), f"{shown(label)} {text}; allowed: each one once")


def hint(word: object, allowed: Iterable[str]) -> str:
    """``did you mean "streams"? `` if something allowed looks like ``word``, else nothing."""
    near = get_close_matches(word, sorted(allowed), n=1) if isinstance(word, str) else []
    return f"did you mean {shown(near[0])}? " if near else ""


def faults_of(error: ValidationError, model: type[BaseModel]) -> Iterator[tuple[Fault, Loc]]:
    """Each of pydantic's findings on ``model`` as a fault, with the location to leave out to do without it."""
    for detail in error.errors(include_url=False):
        if detail["type"] == "default_factory_not_called":
            continue  # the key that the default depends on is wrong, and reported
        loc = tuple(part for part in detail["loc"] if part not in _TAGS)
        # The object around a missing key cannot be used; anything else is left out by itself.
        yield Fault(loc, _text(detail, loc, model)), loc[:-1] if detail["type"] == "missing" else loc


def _text(detail: ErrorDetails, loc: Loc, model: type[BaseModel]) -> str:
    kind, found, context = detail["type"], detail["input"], detail.get("ctx", {})
    if kind == "missing":
        return "missing; this key is required"
    if kind == "extra_forbidden":
        keys = _keys_at(model, loc[:-1])
        return f"unknown key; {hint(loc[-1], keys)}allowed: {', '.join(keys)}"
    if kind == "literal_error":
        words = re.findall(r"'([^']*)'", context["expected"])
        return f"{shown(found)} is not known; {hint(found, words)}allowed: {', '.join(map(shown, words))}"
    if kind == "float_type" and type(found) is int:
        return f"{shown(found)} is out of range; allowed: numbers that a double can hold"
    if kind in _WANTED:
        return f"{_kind_of(found)}; allowed: {_WANTED[kind]}"
    return str(context["error"]) if "error" in context else f"{shown(found)}: {detail['msg']}"


def _kind_of(found: object) -> str:
    if isinstance(found, str):
        return f"{shown(found)} is text"
    if isinstance(found, bool):
        return f"{shown(found)} is a boolean"
    if isinstance(found, int | float):  # 10.0 is shown as what it is: no integer
        return f"{json.dumps(found) if isinstance(found, float) else shown(found)} is a number"
    return f"found {shown(found)}"


def _keys_at(model: type[BaseModel], loc: Loc) -> list[str]:
    """The keys of the object at ``loc`` inside ``model``."""
    for part in loc:
        field = next(
            (f for name, f in model.model_fields.items() if part == (f.serialization_alias or name)), None
        )
        if field is not None:  # an index or a key of the user's own leads on to the same model
            model = next(_models_in(field.annotation), model)
    return [field.serialization_alias or name for name, field in model.model_fields.items()]


def _models_in(annotation: Any) -> Iterator[type[BaseModel]]:
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        yield annotation
    for part in get_args(annotation):
        yield from _models_in(part)
