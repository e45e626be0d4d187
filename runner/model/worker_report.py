"""What a worker tells the supervisor about itself; the supervisor adds the process facts and shows both as status."""

from dataclasses import dataclass, field

from runner.model.passes import Halt, Outcome, Progress, Requests, Scope, Trigger
from runner.model.problem import Problem
from runner.model.states import Activity, Health


@dataclass(frozen=True, slots=True)
class LastPass:
    """The pass that ended last. Times are seconds since the epoch (for people; nothing is decided by them)."""

    started_at: float
    ended_at: float
    outcome: Outcome
    trigger: Trigger
    message: str = ""
    way: str = ""
    uploaded: int = 0
    downloaded: int = 0
    deleted_local: int = 0
    deleted_remote: int = 0
    bytes_up: int = 0
    bytes_down: int = 0
    scope: Scope = Scope.FULL


@dataclass(frozen=True, slots=True)
class Totals:
    """Since the worker's start."""

    passes: int = 0
    failed_passes: int = 0
    uploaded: int = 0
    downloaded: int = 0
    deleted: int = 0
    bytes_up: int = 0
    bytes_down: int = 0
    requests: Requests = field(default_factory=Requests)
    requests_per_day: Requests | None = None  # measured rate, extrapolated; None until an hour or two passes are seen
    price_per_day_usd: float | None = None  # AWS endpoints only


@dataclass(frozen=True, slots=True)
class WorkerReport:
    """A worker's whole state in one message (at most about 64 KiB: problems are a sample, the count is exact)."""

    activity: Activity
    health: Health
    compared_by: str | None = None  # content | size-time
    hydrated: bool = False
    trigger: Trigger | None = None
    pass_started_at: float | None = None
    progress: Progress | None = None
    last_pass: LastPass | None = None
    last_success_at: float | None = None
    next_pass_at: float | None = None
    consecutive_failures: int = 0
    halt: Halt | None = None
    holder: str | None = None  # standby: who holds the pair (host, pid, since)
    holder_hydrated: bool = False  # standby: and its folder is complete
    watching: str = "off"  # off | events | scans (degraded, see watch_note)
    watch_note: str = ""
    way: str = ""
    files: int | None = None
    files_bytes: int | None = None
    conflicts: int = 0
    problems_count: int = 0
    problems: tuple[Problem, ...] = ()
    totals: Totals = field(default_factory=Totals)
    error: str = ""
