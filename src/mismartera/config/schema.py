"""JSON Schema of a session configuration, for editors and for checks outside Python."""

from __future__ import annotations

import ast
import inspect
import textwrap
from typing import Any

from pydantic.json_schema import GenerateJsonSchema, JsonSchemaValue
from pydantic_core import core_schema

from mismartera.config.model import ConfigModel, to_json
from mismartera.config.session import SessionConfig


class _Generator(GenerateJsonSchema):
    """Pydantic's generator with two differences: null is never a value, and keys are described by docstrings."""

    schema_dialect = "https://json-schema.org/draft/2020-12/schema"

    def nullable_schema(self, schema: core_schema.NullableSchema) -> JsonSchemaValue:
        """The schema of what may be left out, but not be null."""
        return self.generate_inner(schema["schema"])

    def default_schema(self, schema: core_schema.WithDefaultSchema) -> JsonSchemaValue:
        """A key's schema, with its default as JSON; an absent part has none."""
        inner = self.generate_inner(schema["schema"])
        default = schema.get("default")
        if default is None:
            return inner
        return inner | {"default": to_json(default)}

    def model_schema(self, schema: core_schema.ModelSchema) -> JsonSchemaValue:
        """The schema of an object, its keys described."""
        json_schema = super().model_schema(schema)
        model: type[ConfigModel] = schema["cls"]
        described = _docstrings_of_fields(model)
        for name, field in model.model_fields.items():
            key = field.serialization_alias or name
            json_schema["properties"][key] = json_schema["properties"][key] | {"description": described[name]}
        return json_schema


def config_schema() -> dict[str, Any]:
    """The JSON Schema (draft 2020-12) of :class:`SessionConfig`, JSON-ready.

    It knows keys, types, bounds and forms; what spans several keys is only checked by ``from_dict``.
    """
    schema = SessionConfig.model_json_schema(by_alias=True, schema_generator=_Generator, mode="validation")
    return {"$schema": _Generator.schema_dialect, **schema, "title": "mismartera session configuration"}


def _docstrings_of_fields(model: type[ConfigModel]) -> dict[str, str]:
    """The texts below the fields in the source of ``model``, in one line each."""
    # Read when a schema is asked for: pydantic's own option reads the sources at each import, which takes 50 ms.
    body = ast.parse(textwrap.dedent(inspect.getsource(model))).body[0]
    assert isinstance(body, ast.ClassDef), "a model is made by a class statement"
    found: dict[str, str] = {}
    for statement, following in zip(body.body, body.body[1:], strict=False):
        if (
            isinstance(statement, ast.AnnAssign)
            and isinstance(statement.target, ast.Name)
            and isinstance(following, ast.Expr)
            and isinstance(following.value, ast.Constant)
        ):
            found[statement.target.id] = " ".join(str(following.value.value).split())
    return found
