"""What a pass was asked to do, how far it is, and what came of it."""

from dataclasses import dataclass, field
from enum import StrEnum

from runner.model.problem import MoreProblems, Problem


class Trigger(StrEnum):
    """Why a pass runs."""

    START = "start"
    SCHEDULE = "schedule"
    WATCH = "watch"
    EVENT = "event"  # a notification of the bucket
    REQUEST = "request"
    RETRY = "retry"
    APPROVED = "approved"
    FLUSH = "flush"


class Scope(StrEnum):
    """How far a pass looks. FULL: scan and listing. LOCAL: scan only; the remote side is taken to be as remembered.
    PATHS: only the named local paths (and what is below them). KEYS: only the named keys of the bucket."""

    FULL = "full"
    LOCAL = "local"
    PATHS = "paths"
    KEYS = "keys"


@dataclass(frozen=True, slots=True)
class Work:
    """What a pass is to look at. paths: relative to the folder, for PATHS. keys: whole, with the prefix, for KEYS."""

    scope: Scope = Scope.FULL
    paths: frozenset[str] = frozenset()
    keys: frozenset[str] = frozenset()


WHOLE = Work()


@dataclass(frozen=True, slots=True)
class Again:
    """A path to be looked at again: it is still being written, or was not quiet for long enough."""

    path: str
    after_seconds: float


class Outcome(StrEnum):
    """How a pass ended."""

    DONE = "done"
    DONE_WITH_PROBLEMS = "done-with-problems"
    FAILED = "failed"
    HALTED = "halted"
    STOPPED = "stopped"


@dataclass(frozen=True, slots=True)
class Halt:
    """A brake that stopped a plan before its first change.

    brake: stable word (`max-delete`, `marker-missing`, `marker-foreign`, `folder-unreadable`, `emptied-listing`,
    `emptied-folder`). token: what `runner approve PAIR TOKEN` takes; empty when approving makes no sense.
    count: how many deletions the plan held. sample: the first few paths.
    """

    brake: str
    reason: str
    token: str
    count: int
    sample: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Progress:
    """How far a running pass is; None where it is not known (yet)."""

    stage: str  # scanning | listing | transferring | deleting | checking
    files_done: int = 0
    files_total: int | None = None
    bytes_done: int = 0
    bytes_total: int | None = None
    bytes_per_second: float | None = None


@dataclass(frozen=True, slots=True)
class Requests:
    """S3 requests of a pass by price class (one LIST page is one request)."""

    lists: int = 0
    puts: int = 0  # PUT, COPY, POST, multipart parts
    gets: int = 0  # GET, HEAD
    deletes: int = 0

    def __add__(self, other: "Requests") -> "Requests":
        return Requests(
            self.lists + other.lists, self.puts + other.puts, self.gets + other.gets, self.deletes + other.deletes
        )


@dataclass(frozen=True, slots=True)
class PassReport:
    """What came of one pass. Counts are of files that changed place, bytes of what was transferred.

    more_problems: how many there are beside `problems`.
    way: how the AWS CLI was started, `warm` or `spawned`, with its version, for status.
    retry: whether trying again soon can help (False for done passes and for halts).
    hydrated: every object of the listing is in place or a permanent problem; None when the pass cannot tell.
    scope: how far it looked; only FULL says something of the whole pair.
    again: paths to ask for by a PATHS pass later. deferred_deletions: how much a PATHS pass found
    and left to a LOCAL one, a KEYS pass to a FULL one, because only those know absence, moves and brakes.
    """

    outcome: Outcome
    message: str = ""
    uploaded: int = 0
    downloaded: int = 0
    deleted_local: int = 0
    deleted_remote: int = 0
    bytes_up: int = 0
    bytes_down: int = 0
    files: int | None = None
    files_bytes: int | None = None
    requests: Requests = field(default_factory=Requests)
    problems: tuple[Problem, ...] = ()
    more_problems: tuple[MoreProblems, ...] = ()
    halt: Halt | None = None
    hydrated: bool | None = None
    way: str = ""
    retry: bool = False
    permanent: bool = False  # a PermanentFailureError: the worker leaves, the supervisor marks the pair failed
    scope: Scope = Scope.FULL
    again: tuple[Again, ...] = ()
    deferred_deletions: int = 0

    @property
    def problems_count(self) -> int:
        """Those with a name and those without."""
        return len(self.problems) + sum(more.count for more in self.more_problems)
