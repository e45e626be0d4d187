"""The JSON Schema (draft 2020-12) of a config file, made from the models, for editors and other tools."""

from collections.abc import Mapping
from typing import Any

from pydantic import BaseModel
from pydantic.fields import FieldInfo

from runner.config.kinds import Kind, Schema, either, text_schema
from runner.config.settings import Pair
from runner.config.shapes import EXTRA_PAIR_KEYS, SECTIONS

REQUIRED_KEYS = ("bucket", "folder", "mode")
EXCLUDE_FROM = "path of a file with one pattern a line (`#` starts a comment), or a list; they come after `exclude`"


def json_schema() -> dict[str, object]:
    """Every value may also be null, which counts as not given, or hold ${VARIABLES}."""
    # what a pair lacks may stand under `defaults`, so the schema of a pair cannot insist on it
    pairs: Schema = {"type": "array", "minItems": 1, "items": {"$ref": "#/$defs/keys"}}
    insisting: Schema = {"type": "array", "items": {"required": list(REQUIRED_KEYS)}}
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "mountless-s3-syncer",
        "type": "object",
        "properties": {
            "pairs": pairs,
            "defaults": either({"$ref": "#/$defs/keys"}, {"type": "null"}),
            **{name: either(_section(model), {"type": "null"}) for name, model in SECTIONS.items()},
        },
        "required": ["pairs"],
        "additionalProperties": False,
        "if": {"not": {"required": ["defaults"]}},
        "then": {"properties": {"pairs": insisting}},
        "$defs": {"keys": _section(Pair)},
    }


def kind_of(field: FieldInfo) -> Kind | None:
    return next((mark for mark in field.metadata if isinstance(mark, Kind)), None)


def _section(model: type[BaseModel]) -> Schema:
    properties = {field.alias or name: _property(field) for name, field in model.model_fields.items()}
    if model is Pair:
        one = text_schema()
        for key in EXTRA_PAIR_KEYS:
            properties[key] = _nullable(either(one, {"type": "array", "items": one}), EXCLUDE_FROM)
    return {"type": "object", "properties": properties, "additionalProperties": False}


def _property(field: FieldInfo) -> Schema:
    kind = kind_of(field)
    if kind is not None:
        return _nullable(kind.schema, field.description or "")
    assert isinstance(field.annotation, type)
    assert issubclass(field.annotation, BaseModel)
    return _nullable(_section(field.annotation), field.description or "")


def _nullable(schema: Mapping[str, Any], description: str) -> Schema:
    options = schema["anyOf"] if set(schema) == {"anyOf"} else [dict(schema)]
    return {"description": description, "anyOf": [*options, {"type": "null"}]}
