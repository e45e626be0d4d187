"""Which keys stand where: unknown keys, empty values and wrong shapes are found here, before pydantic sees anything."""

import functools
from collections.abc import Mapping
from types import UnionType
from typing import Any, Union, get_args, get_origin

from pydantic import BaseModel
from pydantic_core import ErrorDetails

from runner.config.document import Document
from runner.config.problems import KeyPath
from runner.config.settings import LoggingSettings, Pair, Share, SupervisorSettings, WebSettings
from runner.config.values import shown, suggestion

SECTIONS: Mapping[str, type[BaseModel]] = {
    "supervisor": SupervisorSettings,
    "logging": LoggingSettings,
    "web": WebSettings,
}
TOP_KEYS = ("pairs", "defaults", *SECTIONS)
EXTRA_PAIR_KEYS = ("exclude_from",)  # read by the loader into `exclude`
_FEW = 12


@functools.cache
def keys_of(model: type[BaseModel]) -> Mapping[str, type[BaseModel] | None]:
    """The keys a person may type, each with the model of a mapping below it."""
    keys = {field.alias or name: _below(field.annotation) for name, field in model.model_fields.items()}
    return {**keys, **dict.fromkeys(EXTRA_PAIR_KEYS)} if model is Pair else keys


def _below(annotation: Any) -> type[BaseModel] | None:
    if get_origin(annotation) in (Union, UnionType):
        return next(filter(None, map(_below, get_args(annotation))), None)
    is_model = isinstance(annotation, type) and issubclass(annotation, BaseModel) and annotation is not Share
    return annotation if is_model else None


def known_part(document: Document, value: Any, model: type[BaseModel], path: KeyPath) -> dict[str, Any]:
    """The mapping without unknown keys (each a problem) and without keys that have no value (as if not given)."""
    if not isinstance(value, dict):
        document.complain(path, f"is {shown(value)} where a mapping is wanted; {_allowed(tuple(keys_of(model)))}")
        return {}
    result = {}
    for key, inner in value.items():
        if key not in keys_of(model):
            document.complain((*path, key), unknown_key(key, tuple(keys_of(model))))
        elif inner is not None:
            below = keys_of(model)[key]
            result[key] = (
                known_part(document, inner, below, (*path, key)) if below and isinstance(inner, dict) else inner
            )
    return result


def unknown_key(key: str, allowed: tuple[str, ...]) -> str:
    """A typing mistake, a key in the wrong place, or neither."""
    for where, keys in _homes().items():
        if key in keys and keys != allowed:
            return f"unknown key here; it belongs {where}"
    return f"unknown key{suggestion(key, allowed) or '; ' + _allowed(allowed)}"


@functools.cache
def _homes() -> Mapping[str, tuple[str, ...]]:
    sections = {f"under '{name}:'": tuple(keys_of(model)) for name, model in SECTIONS.items()}
    return {"to a pair or under 'defaults:'": tuple(keys_of(Pair)), **sections, "at the top of the file": TOP_KEYS}


def _allowed(keys: tuple[str, ...]) -> str:
    listed = ", ".join(keys) if len(keys) <= _FEW else "those of a pair in docs/configuration.md"
    return f"allowed are {listed}"


_MISSING = {
    "bucket": "write bucket: NAME or bucket: s3://NAME/PREFIX",
    "folder": "write folder: PATH",
    "mode": "write mode: push, pull or two-way",
}


def sentence(error: ErrorDetails) -> str:
    """What is wrong, in our words; pydantic's own never reach a person."""
    if error["type"] == "value_error":
        return str(error["ctx"]["error"])
    if error["type"] == "missing":
        return f"is missing; {_MISSING.get(str(error['loc'][-1]), 'write it')}"
    if error["type"] in ("model_type", "model_attributes_type"):
        return f"is {shown(error['input'])} where a mapping is wanted; write key: value lines below it"
    return f"{shown(error['input'])} is not allowed here; see docs/configuration.md"
