"""Local changes gathered until a push is worth while. Pure.

For a run of `aws s3 sync`, which reads both sides whole: half a second of quiet, at the latest five seconds. For the
native engine, which pushes only what is named: milliseconds, so that CREATE and CLOSE_WRITE of a file come together.
"""

from collections.abc import Iterable
from dataclasses import dataclass, field

PATHS_KEPT = 10_000
_TIMES_LAST_PASS = 10.0
_LEAST_PAUSE_SECONDS = 2.0
_LONGEST_PAUSE_SECONDS = 300.0  # the length of a pass includes what it transferred


@dataclass(frozen=True, slots=True)
class Pace:
    """How long changes are collected: until they were quiet for so long, at the latest so long after the first."""

    quiet_seconds: float
    longest_seconds: float


CALM = Pace(0.5, 5.0)
PROMPT = Pace(0.002, 0.005)


@dataclass(slots=True)
class Batch:
    """paths: what is known to have changed, at most PATHS_KEPT. unnamed: something else changed, its name is lost."""

    paths: set[str] = field(default_factory=set)
    unnamed: bool = False
    first_at: float | None = None
    last_at: float | None = None
    pace: Pace = CALM

    @property
    def is_empty(self) -> bool:
        return self.first_at is None

    def add(self, paths: Iterable[str], now: float, *, unnamed: bool = False) -> None:
        self.paths.update(paths)
        self.unnamed = self.unnamed or unnamed or len(self.paths) > PATHS_KEPT
        while len(self.paths) > PATHS_KEPT:
            self.paths.pop()
        self.first_at = now if self.first_at is None else self.first_at
        self.last_at = now

    def taken(self, *, unnamed: bool = True) -> "Batch":
        """What was gathered; this one is empty afterwards. Without `unnamed` a change that has no name stays here."""
        taken = Batch(self.paths, self.unnamed and unnamed, self.first_at, self.last_at, self.pace)
        self.paths, self.unnamed = set(), self.unnamed and not unnamed
        if not self.unnamed:
            self.first_at = self.last_at = None
        return taken

    def put_back(self, other: "Batch") -> None:
        """A pass took them and did not carry them over: they are pending as before, the oldest first."""
        if other.first_at is None or other.last_at is None:
            return
        first_at, last_at = self.first_at, self.last_at
        self.add(other.paths, other.last_at, unnamed=other.unnamed)
        self.first_at = other.first_at if first_at is None else min(first_at, other.first_at)
        self.last_at = other.last_at if last_at is None else max(last_at, other.last_at)

    def due_at(self) -> float | None:
        """When a pass for them may start; None when there is nothing."""
        if self.first_at is None or self.last_at is None:
            return None
        return min(self.last_at + self.pace.quiet_seconds, self.first_at + self.pace.longest_seconds)


def earliest_after(pass_ended_at: float | None, pass_seconds: float) -> float:
    """Passes that read a whole side, and are made by events: those may not run more than a tenth of the time."""
    if pass_ended_at is None:
        return float("-inf")
    return pass_ended_at + min(max(_LEAST_PAUSE_SECONDS, _TIMES_LAST_PASS * pass_seconds), _LONGEST_PAUSE_SECONDS)
