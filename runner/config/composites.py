"""Values of more than one part: shares, the interval of `every`, `trash`, `open_files`, and how each is read."""

from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field

from runner.config import values
from runner.config.field_kinds import (
    COUNT,
    COUNT_OR_SHARE_SCHEMA,
    INTERVAL,
    NONE_SCHEMA,
    POSITIVE_SIZE,
    SIZE,
    SIZE_OR_SHARE_SCHEMA,
)
from runner.config.kinds import Kind, choice, duration, either, or_none
from runner.config.values import shown


class Frozen(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", populate_by_name=True)


class Share(Frozen):
    """A part of a whole: 0.5 is 50 %."""

    share: float


def _share_or(kind: Kind) -> Any:
    def read(value: Any) -> Share | int:
        if values.is_share(value):
            return Share(share=values.share(value))
        try:
            return int(kind.read(value))
        except ValueError as error:
            raise ValueError(f"{error}, or a share such as 50%") from None

    return read


def _spell_share_or(kind: Kind) -> Any:
    return lambda value: values.spell_share(value.share) if isinstance(value, Share) else kind.spell(value)


def _reserve(value: Any) -> Share | int:
    reserve: Share | int = _share_or(POSITIVE_SIZE)(value)
    if isinstance(reserve, Share) and not reserve.share:
        raise ValueError(f"{shown(value)} leaves no room for anything; write trash: off")
    return reserve


SIZE_OR_SHARE = Kind("share, size", _share_or(SIZE), SIZE_OR_SHARE_SCHEMA, _spell_share_or(SIZE))
RESERVE = Kind("share, size", _reserve, SIZE_OR_SHARE_SCHEMA, _spell_share_or(SIZE))
BRAKE = Kind("number, share", _share_or(COUNT), COUNT_OR_SHARE_SCHEMA, _spell_share_or(COUNT))
BRAKE_OR_OFF = or_none(BRAKE)


class Interval(Frozen):
    """`every`: a fixed interval has equal ends."""

    min_seconds: Annotated[float, INTERVAL] = Field(alias="min", description="while things change")
    max_seconds: Annotated[float, INTERVAL] = Field(alias="max", description="when nothing does")


def _interval(value: Any) -> Any:
    if isinstance(value, dict):
        return value
    length = INTERVAL.read(value)
    return Interval(min_seconds=length, max_seconds=length)


def _spell_interval(value: Interval) -> str:
    ends = values.spell_seconds(value.min_seconds), values.spell_seconds(value.max_seconds)
    return ends[0] if ends[0] == ends[1] else f"{{min: {ends[0]}, max: {ends[1]}}}"


_INTERVAL_SCHEMA = {
    "type": "object",
    "properties": {"min": INTERVAL.schema, "max": INTERVAL.schema},
    "required": ["min", "max"],
    "additionalProperties": False,
}
EVERY = or_none(
    Kind("duration, {min: 5s, max: 15m}", _interval, either(dict(INTERVAL.schema), _INTERVAL_SCHEMA), _spell_interval)
)


class Trash(Frozen):
    """Where replaced and deleted files wait. max: of the file system."""

    keep_seconds: Annotated[float, duration(least=1.0)] = Field(604800.0, alias="keep", description="how long")
    max: Annotated[Share | int, RESERVE] = Field(Share(share=0.1), description="share or size; oldest out first")


def _mapping_or_off(allowed: str) -> Any:
    def read(value: Any) -> Any:
        if isinstance(value, dict):
            return value
        if values.is_off(value):
            return None
        raise ValueError(f"{shown(value)} is not allowed here; write {allowed}")

    return read


_TRASH_SCHEMA = {
    "type": "object",
    "properties": {"keep": duration().schema, "max": SIZE_OR_SHARE_SCHEMA},
    "additionalProperties": False,
}
TRASH = Kind(
    "{keep: 7d, max: 10%}, off",
    _mapping_or_off("{keep: 7d, max: 10%} or off"),
    either(_TRASH_SCHEMA, NONE_SCHEMA),
    lambda value: f"{{keep: {values.spell_seconds(value.keep_seconds)}, max: {RESERVE.spell(value.max)}}}",
)


class OpenFiles(Frozen):
    """What becomes of a file that somebody keeps open for writing."""

    after_seconds: Annotated[float, duration()] = Field(60.0, alias="after", description="how long it may stay open")
    then: Annotated[Literal["snapshot", "wait"], choice("snapshot", "wait")] = Field(
        "snapshot", description="publish the quiet part, or wait"
    )


def _open_files(value: Any) -> Any:
    if not isinstance(value, dict):
        raise ValueError(f"{shown(value)} is not allowed here; write {{after: 60s, then: snapshot}}")
    return value


_OPEN_FILES_SCHEMA = {
    "type": "object",
    "properties": {"after": duration().schema, "then": choice("snapshot", "wait").schema},
    "additionalProperties": False,
}
OPEN_FILES = Kind(
    "{after: 60s, then: snapshot or wait}",
    _open_files,
    _OPEN_FILES_SCHEMA,
    lambda value: f"{{after: {values.spell_seconds(value.after_seconds)}, then: {value.then}}}",
)
