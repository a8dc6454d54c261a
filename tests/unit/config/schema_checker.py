"""A JSON Schema validator of the keywords that our schema uses; any other keyword is an error of the test."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

_TYPES: dict[str, tuple[type, ...]] = {
    "object": (dict,), "array": (list,), "string": (str,), "boolean": (bool,), "integer": (int,),
    "number": (int, float),
}  # fmt: skip
_NOTES = {"$schema", "$defs", "title", "description", "default", "format", "properties", "items", "type"}


def violations(schema: dict[str, Any], value: Any, root: dict[str, Any] | None = None) -> list[str]:
    """What is wrong with ``value`` by ``schema``."""
    root = root or schema
    wanted = schema.get("type")
    if wanted is not None and not _is(value, wanted):
        return [f"{value!r} is no {wanted}"]
    return [text for key, rule in schema.items() for text in _violations(key, rule, schema, value, root)]


def _is(value: Any, wanted: str) -> bool:
    return isinstance(value, _TYPES[wanted]) and (wanted == "boolean" or not isinstance(value, bool))


def _violations(key: str, rule: Any, schema: dict[str, Any], value: Any, root: dict[str, Any]) -> Iterator[str]:  # noqa: PLR0912
    match key:
        case "$ref":
            yield from violations(root["$defs"][rule.removeprefix("#/$defs/")], value, root)
        case "properties":
            for name in rule.keys() & value.keys():
                yield from violations(rule[name], value[name], root)
        case "additionalProperties":
            for name in value.keys() - schema.get("properties", {}).keys():
                if rule is False:
                    yield f"{name} is unknown"
                elif rule is not True:
                    yield from violations(rule, value[name], root)
        case "required":
            yield from (f"{name} is missing" for name in rule if name not in value)
        case "items":
            for item in value:
                yield from violations(rule, item, root)
        case "oneOf":
            if sum(not violations(option, value, root) for option in rule) != 1:
                yield f"{value!r} is not exactly one of the options"
        case "enum" | "const":
            if value not in (rule if key == "enum" else [rule]):
                yield f"{value!r} is not in {rule}"
        case "pattern":
            if not re.search(rule, value):
                yield f"{value!r} does not match {rule}"
        case "minimum" | "exclusiveMinimum" | "maximum":
            good = {"minimum": value >= rule, "exclusiveMinimum": value > rule, "maximum": value <= rule}
            if not good[key]:
                yield f"{value!r}: {key} {rule}"
        case "minLength" | "minItems" | "maxLength":
            if not (len(value) <= rule if key == "maxLength" else len(value) >= rule):
                yield f"{value!r}: {key} {rule}"
        case _:
            assert key in _NOTES, f"the checker does not know {key}"
