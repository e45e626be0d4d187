"""A problem is data: what could not be synced, on which side, why, since when (design principle 11)."""

from dataclasses import dataclass
from enum import StrEnum


class Side(StrEnum):
    LOCAL = "local"
    REMOTE = "remote"


CONFLICT_CODE = "conflict"  # an open conflict copy; codes of that kind begin so


@dataclass(frozen=True, slots=True)
class Problem:
    """path: relative to the folder (or the key below the prefix), as text with surrogate escapes for bytes that are
    not UTF-8. reason: for a person, one line. code: a stable word for scripts, such as `impossible-name`.
    since: seconds since the epoch when it was first seen. permanent: waiting cannot cure it."""

    path: str
    side: Side
    code: str
    reason: str
    since: float
    permanent: bool = False


@dataclass(frozen=True, slots=True)
class MoreProblems:
    """So many problems that are not known by name: there are too many to keep them all."""

    side: Side
    code: str
    permanent: bool
    count: int
