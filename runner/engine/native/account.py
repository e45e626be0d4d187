"""What a pass has done so far and what it could not do: counts, problems, paths to look at again."""

import errno
from dataclasses import dataclass, field

from runner.engine.native.decide import Action
from runner.engine.native.facts import Kind, Local, Remote
from runner.engine.native.second_look import Ended
from runner.engine.native.steps import Step
from runner.engine.native.waiting import BusyError, MovedOnError, NotQuietError, StepProblemError
from runner.engine.problem_log import ProblemLog
from runner.files.spelling import SpelledOtherwiseError
from runner.model.passes import Again
from runner.model.problem import Problem, Side
from runner.store.errors import AccessDeniedError, ArchivedObjectError, StoreError

_MOVED_SECONDS = 0.2  # what moved on is looked at again soon
_BUSY_SECONDS = 5.0  # the close of the file is an event; this is for folders without events
_ARRIVALS = frozenset({Action.DOWNLOAD, Action.KEEP_BOTH})
_ERRORS = {
    errno.ENOTDIR: ("folder-and-file", "a file stands where a folder is needed"),
    errno.EISDIR: ("folder-and-file", "a folder stands in its place"),
    errno.ENAMETOOLONG: ("name-too-long", "the name is too long for this file system"),
    errno.EACCES: ("no-permission", "permission denied"),
    errno.EPERM: ("no-permission", "the file system does not permit it"),
}


def _never_counted(_side: Side, _code: str, _path: str) -> bool:
    return True


@dataclass(slots=True)
class Account:
    """now: seconds since the epoch. downloads_left: objects that are not in place and may yet come."""

    now: float
    uploaded: int = 0
    downloaded: int = 0
    deleted_local: int = 0
    deleted_remote: int = 0
    bytes_up: int = 0
    bytes_down: int = 0
    files: int | None = None
    files_bytes: int | None = None
    downloads_left: int = 0
    deferred_deletions: int = 0
    notes: list[str] = field(default_factory=list)
    problems: ProblemLog = field(default_factory=lambda: ProblemLog(_never_counted))
    again: dict[str, float] = field(default_factory=dict)

    def problem(self, side: Side, path: str, code: str, reason: str, permanent: bool = False) -> None:  # noqa: FBT001 (of ProblemSink)
        self.problems.add(Problem(path, side, code, reason, self.now, permanent))

    def took(self, ended: Ended) -> None:
        """Counts what a step did and names what it could not do."""
        result = ended.result
        self.uploaded += result.uploaded
        self.downloaded += result.downloaded
        self.deleted_local += result.deleted_local
        self.deleted_remote += result.deleted_remote
        self.bytes_up += result.bytes_up
        self.bytes_down += result.bytes_down
        if result.note:
            self.notes.append(result.note)
        if ended.error is not None:
            self._failed(ended.path, ended.error)
        elif ended.step is not None:
            self._count_files(ended.step)

    def _count_files(self, step: Step) -> None:
        """The scan counted before anything came or went."""
        if self.files is None or self.files_bytes is None or step.kind is Kind.FOLDER or step.source:
            return
        here = step.local if isinstance(step.local, Local) and step.local.kind is not Kind.FOLDER else None
        if step.action is Action.DELETE_LOCAL and here is not None:
            self.files, self.files_bytes = self.files - 1, self.files_bytes - here.size
        elif step.action in _ARRIVALS and isinstance(step.remote, Remote):
            replaced = here is not None and step.action is Action.DOWNLOAD
            self.files += not replaced
            self.files_bytes += step.remote.size - (here.size if replaced and here is not None else 0)

    def again_soon(self) -> tuple[Again, ...]:
        return tuple(Again(path, after) for path, after in sorted(self.again.items()))

    def _failed(self, path: str, error: Exception) -> None:
        if isinstance(error, BusyError):
            self.again[path] = _BUSY_SECONDS
            self.problem(Side.LOCAL, path, "busy", "it is open for writing: it is synced when it is closed")
        elif isinstance(error, NotQuietError):
            self.again[path] = error.after_seconds
            reason = "it changed a moment ago, and the kernel cannot say whether somebody still writes"
            self.problem(Side.LOCAL, path, "busy", reason)
        elif isinstance(error, MovedOnError):
            self.again[error.path] = _MOVED_SECONDS
            self.problem(error.side, path, "changing", "it changed again while it was synced: looked at again")
        elif isinstance(error, StepProblemError):
            self.problem(error.side, path, error.code, error.reason, error.permanent)
        elif isinstance(error, SpelledOtherwiseError):
            reason = f"the file system of the folder takes this name and {error.other} for one: rename one of the two"
            self.problem(Side.REMOTE, path, "case-clash", reason, True)
        elif isinstance(error, OSError):
            code, reason = _ERRORS.get(error.errno or 0, ("cannot", error.strerror or str(error)))
            self.problem(Side.LOCAL, path, code, reason, is_permanent(error))
        else:
            self._refused(path, error)

    def _refused(self, path: str, error: Exception) -> None:
        code = "refused"
        if isinstance(error, AccessDeniedError):
            code = "forbidden"
        elif isinstance(error, ArchivedObjectError):
            code = "archived"
        reason = error.message if isinstance(error, StoreError) else str(error)
        self.problem(Side.REMOTE, path, code, reason, is_permanent(error))


def is_permanent(error: Exception) -> bool:
    """Waiting alone cannot help this path: a person has to change something. Such an object holds up no hydration."""
    if isinstance(error, StepProblemError):
        return error.permanent
    if isinstance(error, OSError):
        return isinstance(error, SpelledOtherwiseError) or error.errno == errno.ENAMETOOLONG
    return isinstance(error, AccessDeniedError | ArchivedObjectError)
