"""The kinds of values a key can take: how one is read, spelled, described to JSON Schema and to a person.

A `Kind` stands in the annotation of a field (`settings`) and is the only bridge between pydantic and `values`. What
comes from a file is text (see `document`); numbers and ready objects come only from our own code and pass unread.
"""

import functools
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from pydantic import BaseModel, GetCoreSchemaHandler, GetJsonSchemaHandler, ValidationInfo
from pydantic_core import CoreSchema, core_schema

from runner.config import values

Schema = dict[str, Any]

VARIABLE = r"\$\{.+\}"
_UNITS = r"[0-9]+(\.[0-9]+)?\s*"
AS_DUMPED: Final = object()  # validation context of values that `encoding` wrote: already read once
NONE_WORDS: list[Any] = ["none", "off", False]  # unquoted `off` is false for every YAML 1.1 reader


def text_schema(pattern: str = "") -> Schema:
    return {"type": "string", "pattern": f"^({pattern})$|{VARIABLE}"} if pattern else {"type": "string"}


def either(*schemas: Schema) -> Schema:
    return {"anyOf": list(schemas)}


@dataclass(frozen=True, eq=False, slots=True)
class Kind:
    """words: what a person may write. read: raises ValueError with a sentence. spell: value to text."""

    words: str
    read: Callable[[Any], Any]
    schema: Mapping[str, Any]
    spell: Callable[[Any], str] = str

    def __get_pydantic_core_schema__(self, source: Any, handler: GetCoreSchemaHandler) -> CoreSchema:
        def read(value: Any, info: ValidationInfo) -> Any:
            ready = value is None or isinstance(value, bool | int | float | tuple | Path | BaseModel)
            return value if ready or info.context is AS_DUMPED else self.read(value)

        return core_schema.with_info_before_validator_function(read, handler(source))

    def __get_pydantic_json_schema__(self, _schema: CoreSchema, _handler: GetJsonSchemaHandler) -> Schema:
        return dict(self.schema)


def or_none(kind: Kind) -> Kind:
    """The same, and the words `none` and `off`."""

    def read(value: Any) -> Any:
        return None if values.is_off(value) else kind.read(value)

    return Kind(f"{kind.words}, none", read, either(dict(kind.schema), {"enum": NONE_WORDS}), kind.spell)


def duration(*, least: float = 0.0, most: float = values.LONGEST_SECONDS) -> Kind:
    schema = either(text_schema(f"{_UNITS}(ms|s|m|h|d)|0"), {"const": 0})
    read = functools.partial(values.seconds, least=least, most=most)
    return Kind("duration", read, schema, values.spell_seconds)


def size(*, least: int = 0) -> Kind:
    schema = either(text_schema(f"{_UNITS}({'|'.join(values.BYTE_UNITS)})|0"), {"const": 0})
    return Kind("size", functools.partial(values.size, least=least), schema, values.spell_bytes)


def whole(*, least: int = 0, most: int = 10**9) -> Kind:
    schema = either({"type": "integer", "minimum": least, "maximum": most}, text_schema("[0-9]+"))
    return Kind("number", functools.partial(values.whole, least=least, most=most), schema)


def number(*, least: float, most: float) -> Kind:
    schema = either({"type": "number", "minimum": least, "maximum": most}, text_schema(r"[0-9]+(\.[0-9]+)?"))
    return Kind("number", functools.partial(values.number, least=least, most=most), schema, lambda v: f"{v:g}")


def share() -> Kind:
    return Kind("share", values.share, SHARE_SCHEMA, values.spell_share)


SHARE_SCHEMA = either(text_schema(f"{_UNITS}%|0"), {"const": 0})


def octal(*, most: int) -> Kind:
    schema = either(text_schema("(0o?)?[0-7]{1,4}"), {"type": "integer", "minimum": 0})
    return Kind("octal mode", functools.partial(values.octal, most=most), schema, lambda v: f"{v:04o}")


def choice(*words: str) -> Kind:
    allowed = tuple(map(str, words))  # members of an enum become plain words
    schema = either({"enum": list(allowed)}, text_schema(VARIABLE))
    return Kind(", ".join(allowed), functools.partial(values.choice, allowed=allowed), schema)


def matching(words: str, read: Callable[[Any], Any], pattern: str = "") -> Kind:
    """Text with rules of its own."""
    return Kind(words, read, text_schema(pattern))


SWITCH = Kind(
    "true, false", values.switch, either({"type": "boolean"}, text_schema(VARIABLE)), lambda v: str(v).lower()
)


def listed(item: Kind, *, words: str, or_one: bool) -> Kind:
    """A list of the kind; with or_one a single value may stand for a list of one."""

    def read(value: Any) -> tuple[Any, ...]:
        if not isinstance(value, list):
            if not or_one or isinstance(value, dict):
                raise ValueError(f"{values.shown(value)} is not a list; write a list: [one, two]")
            value = [value]
        return tuple(_item(item, index, one) for index, one in enumerate(value))

    many: Schema = {"type": "array", "items": dict(item.schema)}
    return Kind(words, read, either(many, dict(item.schema)) if or_one else many, _spell_list)


def _item(kind: Kind, index: int, value: Any) -> Any:
    try:
        return kind.read(value)
    except ValueError as error:
        raise ValueError(f"item {index + 1}: {error}") from None


def _spell_list(items: Sequence[Any]) -> str:
    return "[" + ", ".join(map(str, items)) + "]" if items else "none"


ARGUMENT_SCHEMA = either({"type": "string"}, {"type": "number"}, {"type": "boolean"})
TEXT = matching("text", values.text)
ARGUMENT = Kind("text", values.words, ARGUMENT_SCHEMA)
PATTERN = matching("pattern", values.pattern)
