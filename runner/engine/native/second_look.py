"""One step to its end: what moved on meanwhile is looked at anew, on both sides, and decided again.

A 412 widens the look to that one key. Never deletes what the brakes have not seen: a deletion that only shows here
waits for the next pass.
"""

from dataclasses import dataclass, field

from runner.engine.native import downloading, keeping, modes, moving, removing, uploading
from runner.engine.native.decide import Action
from runner.engine.native.facts import Base, Kind, Local, LocalSide, Remote, RemoteSide
from runner.engine.native.looking import looked
from runner.engine.native.modes import recorded
from runner.engine.native.reading import local_of
from runner.engine.native.result import Result
from runner.engine.native.steps import Step
from runner.engine.native.waiting import BusyError, MovedOnError, NotQuietError, StepProblemError
from runner.engine.native.workshop import Workshop
from runner.model.problem import Side
from runner.store.errors import StoppedError, StoreError

_LOOKS = 3
_DELETIONS = frozenset({Action.DELETE_LOCAL, Action.DELETE_REMOTE})
_ACTS = {
    Action.UPLOAD: uploading.upload,
    Action.DOWNLOAD: downloading.download,
    Action.KEEP_BOTH: keeping.keep_both,
    Action.DELETE_LOCAL: removing.delete_local,
    Action.DELETE_REMOTE: removing.delete_remote,
    Action.SET_LOCAL_MODE: modes.set_local,
    Action.SET_REMOTE_MODE: modes.set_remote,
}
_UPWARD = frozenset({Action.UPLOAD, Action.DELETE_REMOTE, Action.SET_REMOTE_MODE})
_DOWNWARD = frozenset({Action.DOWNLOAD, Action.DELETE_LOCAL, Action.SET_LOCAL_MODE})


@dataclass(frozen=True, slots=True)
class Ended:
    """A path that came to its end. error: why it is not done (of waiting, OSError, StoreError), None when it is.

    base: what memory says of it, for who looks again.
    """

    path: str
    base: Base | None
    result: Result = field(default_factory=Result)
    error: Exception | None = None
    step: Step | None = None


def carry_out(shop: Workshop, step: Step) -> Ended:
    """In any thread; raises nothing for what can go wrong outside."""
    result = Result()
    try:
        _do(shop, step, result)
        while result.follow_up:
            waiting, result.follow_up = result.follow_up, ()
            for path in waiting:
                follow = settle_now(shop, path, result.records.get(path) or (step.base if path == step.path else None))
                _do(shop, follow, result)
    except (BusyError, NotQuietError, MovedOnError, StepProblemError, StoreError, OSError) as error:
        return Ended(step.path, step.base, result, error, step)
    return Ended(step.path, step.base, result, None, step)


def settle_now(shop: Workshop, path: str, base: Base | None) -> Step:
    """Both sides as they are at this moment, and what follows. Raises waiting's errors, OSError, StoreError."""
    return shop.looker.settle(path, base, look_local(shop, path), look_remote(shop, path, base))


def look_local(shop: Workshop, path: str) -> LocalSide:
    """Raises OSError, StepProblemError (something that is never synced is in its place)."""
    entry = shop.tree.look(path)
    if entry is None:
        return None
    local = local_of(entry)
    if local is None:
        raise StepProblemError(
            Side.LOCAL, "special-file", "a FIFO, socket or device: only files and folders are synced"
        )
    return local


def look_remote(shop: Workshop, path: str, base: Base | None) -> RemoteSide:
    """Raises StoreError."""
    key = base.key if base is not None else shop.key_of(path)
    info = shop.store.head(key)
    if info is None:
        return None
    kind = base.kind if base is not None and base.kind is Kind.FOLDER else Kind.FILE
    return looked(Remote(kind, key, info.size, info.etag, info.last_modified), info)


def _do(shop: Workshop, step: Step, into: Result) -> None:
    for attempt in range(_LOOKS):
        try:
            into.add(_act(shop, step))
            return
        except MovedOnError:
            if attempt == _LOOKS - 1:
                raise
            was_deletion = step.action in _DELETIONS
            step = settle_now(shop, step.path, step.base if not step.source else None)
            if step.action in _DELETIONS and not was_deletion:
                raise


def _act(shop: Workshop, step: Step) -> Result:
    if shop.surroundings.should_stop() or (step.action in _DOWNWARD and shop.surroundings.only_push()):
        raise StoppedError("asked to stop")
    if step.action in _UPWARD and not shop.capabilities.writable:
        # Nor was any condition proven: a right that comes meanwhile is found by the next pass's probe.
        raise StepProblemError(Side.REMOTE, "forbidden", f"nothing can be written: {shop.capabilities.note}")
    if step.source:
        return (moving.rename_local if step.action is Action.DOWNLOAD else uploading.copied)(shop, step)
    act = _ACTS.get(step.action)
    if act is not None:
        return act(shop, step)
    return book(step)


def book(step: Step) -> Result:
    """What only memory has to be told, or a person. Raises StepProblemError."""
    if step.action is Action.FORGET:
        return Result({step.path: None})
    if step.action is Action.RECORD:
        assert isinstance(step.local, Local)
        assert isinstance(step.remote, Remote)
        return Result({step.path: recorded(step.base, step.local, step.remote)})
    if step.action is Action.PROBLEM:
        raise StepProblemError(
            Side.REMOTE, step.decision.code, step.decision.reason, permanent=step.decision.code == "archived"
        )
    return Result()
