"""What an engine is: one pass, a plan, a comparison. The worker calls it in its pass thread and never looks inside."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol, runtime_checkable

from runner.config.settings import Pair
from runner.model.passes import WHOLE, PassReport, Progress, Trigger, Work
from runner.model.problem import Problem
from runner.wire.channel import Channel


@dataclass(frozen=True, slots=True)
class Surroundings:
    """What a worker lends its engine; every callable may be called from the pass thread.

    connect: a fresh Channel to a service (`launcher`, `credentials`); blocks a few seconds at most, raises
    `ServiceUnavailableError`. should_stop: asked often; true means end the pass soon and safely.
    report_progress: cheap.
    run_started/run_ended: the pid of an `aws` run, so that its memory is counted and it is killed with the worker.
    slot_acquire/slot_release: `max_concurrent_passes`; release once transfers run; release is idempotent.
    approved_token: the token a person approved, or "". wall_clock: seconds since the epoch.
    only_push: asked as often as should_stop; true once the worker stops with a flush: uploads go on, downloads are cut
    and no new one begins. should_stop stays false meanwhile, until the time is up.
    more_paths: local paths that changed while this pass transfers, each once: they need not wait for its end.
    """

    pair: Pair
    state_dir: Path | None  # supervisor.state_dir
    connect: Callable[[str], Channel]
    should_stop: Callable[[], bool]
    report_progress: Callable[[Progress], None]
    run_started: Callable[[int], None]
    run_ended: Callable[[int], None]
    slot_acquire: Callable[[], None]
    slot_release: Callable[[], None]
    approved_token: Callable[[], str]
    wall_clock: Callable[[], float]
    log: Callable[[str, str], None]  # level, message
    only_push: Callable[[], bool] = lambda: False
    more_paths: Callable[[], frozenset[str]] = frozenset


class ServiceUnavailableError(Exception):
    """A service process could not be reached in time; the pass fails and is retried."""


@dataclass(frozen=True, slots=True)
class PlannedAction:
    """A line of `runner plan`. verb: upload | download | delete-remote | delete-local | rename | make-folder | skip"""

    verb: str
    path: str
    size_bytes: int | None = None
    reason: str = ""


@dataclass(frozen=True, slots=True)
class Difference:
    """One line of `runner verify`."""

    path: str
    reason: str  # only-local | only-remote | size | content | unreadable


@dataclass(frozen=True, slots=True)
class TrashItem:
    """One line of `runner trash list`. side: local | remote."""

    side: str
    path: str
    size_bytes: int
    trashed_at: float
    stored_as: str


@runtime_checkable
class TellsConflicts(Protocol):
    """What an engine has that makes conflict copies: the open ones from its memory, without a pass."""

    def conflicts(self) -> Iterator[Problem]:
        """Problems with the code `conflict`. Raises UserError."""


@dataclass(frozen=True, slots=True)
class Finding:
    """One line of `runner check --online`. verdict: ok | failed | note (works, but a person should know).

    item: credentials, bucket, list, list-order, read, write, delete, delete-condition, versioning, folder, files,
    files-left-out, events; and `requests`, whose count is the number of objects that each pass has to list.
    """

    item: str
    verdict: str
    text: str
    count: int | None = None  # bytes for list and files


class Engine(Protocol):
    """Created in the worker after the pair's lock is held; `lock_fd` is handed to every run."""

    def run_pass(self, trigger: Trigger, work: Work = WHOLE) -> PassReport:
        """One pass over `work` (default: everything). Never raises for what can go wrong outside; a raised exception
        is a mistake of ours. The report's scope says how far it looked, which may be further than it was asked to."""

    def plan(self) -> Iterator[PlannedAction]:
        """What a pass would do; changes nothing, state included."""

    def verify(self, *, content: bool) -> Iterator[Difference]:
        """Compares both sides now."""

    def trash_list(self) -> Iterator[TrashItem]:
        """Both sides' trash, newest first."""

    def trash_restore(self, path: str | None) -> list[str]:
        """Puts back one path (newest version) or everything; never overwrites. Returns what was restored."""

    def close(self) -> None:
        """Ends connections; the lock stays with the worker."""
