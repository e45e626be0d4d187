"""What is to be looked at on the local side, and when: changed paths, files still being written, deletions. Pure.

A native pair looks at the named paths only (PATHS), and scans the folder (LOCAL) where names were lost or where
deletions were found, which only a scan can tell from moves. An aws-cli pair always looks at everything (FULL).
"""

from collections.abc import Iterable
from dataclasses import dataclass, field

from runner.model.passes import Outcome, PassReport, Scope
from runner.worker.allowance import Allowance
from runner.worker.batch import CALM, PROMPT, Batch, earliest_after

DELETIONS_QUIET_SECONDS = 1.0
DELETIONS_LONGEST_SECONDS = 10.0
THROUGH = frozenset({Outcome.DONE, Outcome.DONE_WITH_PROBLEMS})


@dataclass(frozen=True, slots=True)
class LocalShare:
    """What a pass took over: put back when it does not go through."""

    batch: Batch = field(default_factory=Batch)
    deletions: bool = False

    @property
    def is_empty(self) -> bool:
        return self.batch.is_empty and not self.deletions


@dataclass(slots=True)
class LocalWork:
    """Monotonic times. again: paths to look at later."""

    native: bool
    batch: Batch = field(init=False)
    again: dict[str, float] = field(default_factory=dict)
    allowance: Allowance = field(default_factory=lambda: Allowance(0.3, 1.0, 0.25))
    _deleted_first_at: float | None = None
    _deleted_last_at: float | None = None
    _scan_ended_at: float | None = None
    _scan_seconds: float = 0.0

    def __post_init__(self) -> None:
        self.batch = Batch(pace=PROMPT if self.native else CALM)

    @property
    def is_empty(self) -> bool:
        return self.batch.is_empty and not self.again and not self.deletions

    @property
    def deletions(self) -> bool:
        """Found by a PATHS pass, and not carried over yet."""
        return self._deleted_first_at is not None

    @property
    def paths(self) -> set[str]:
        """Known by name to be pending."""
        return {*self.batch.paths, *self.again}

    def due(self) -> Iterable[tuple[float, Scope]]:
        """Every reason with its time."""
        batch_at = self.batch.due_at()
        if batch_at is not None and not self.native:
            yield batch_at, Scope.FULL
        elif batch_at is not None and self.batch.unnamed:
            yield self._after_scan(batch_at), Scope.LOCAL
        elif batch_at is not None:
            yield max(batch_at, self.allowance.earliest_at), Scope.PATHS
        if self.again:
            yield max(min(self.again.values()), self.allowance.earliest_at), Scope.PATHS
        if self._deleted_first_at is not None and self._deleted_last_at is not None:
            quiet_at = self._deleted_last_at + DELETIONS_QUIET_SECONDS
            yield self._after_scan(min(quiet_at, self._deleted_first_at + DELETIONS_LONGEST_SECONDS)), Scope.LOCAL

    def taken(self, scope: Scope, now: float, *, all_again: bool = False) -> LocalShare:
        """What a pass of this scope takes over. all_again: also files whose time to be looked at has not come."""
        if scope is Scope.KEYS:
            return LocalShare()
        wide = scope is not Scope.PATHS
        due = [path for path, at in self.again.items() if wide or all_again or at <= now]
        for path in due:
            del self.again[path]
        if due:
            self.batch.add(due, now)
        deletions = wide and self.deletions
        if wide:
            self._deleted_first_at = self._deleted_last_at = None
        return LocalShare(self.batch.taken(unnamed=wide), deletions)  # only a scan finds what has no name

    def ended(self, share: LocalShare, scope: Scope, report: PassReport, now: float, seconds: float) -> None:
        """seconds: how long the pass took."""
        if scope is Scope.LOCAL:
            self._scan_ended_at, self._scan_seconds = now, seconds
        if report.outcome not in THROUGH:
            self.batch.put_back(share.batch)
            if share.deletions:
                self._deleted(now)
            return
        if report.deferred_deletions and scope is not Scope.KEYS:  # what is gone in the bucket no scan can tell
            self._deleted(now)
        for path in share.batch.paths:
            self.again.pop(path, None)
        for again in report.again:
            self.again[again.path] = now + max(0.0, again.after_seconds)

    def _deleted(self, now: float) -> None:
        self._deleted_first_at = now if self._deleted_first_at is None else self._deleted_first_at
        self._deleted_last_at = now

    def _after_scan(self, at: float) -> float:
        return max(at, earliest_after(self._scan_ended_at, self._scan_seconds))
